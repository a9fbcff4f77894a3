from collections import Counter

import pytest

from tests.stages.conftest import MINUTE, TestTopic, ticks
from tests.stages.kafka_to_s3.test_land import NOW, delete_before, offsets
from ticklake.core.landing.object_key import hour_prefix
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of
from ticklake.stages.reland import Relanded, reland

HOUR = MINUTE.hour


def objects(landing: Landing) -> dict[str, bytes | None]:
    lake = landing.lake
    return {e.key: lake.get(e.key) for zone in ("raw/", "rejected/") for e in lake.list(zone)}


def range_of(landing: Landing, first: int, last: int) -> Relanded:
    return reland(landing, [MINUTE.plus(n) for n in range(first, last + 1)], NOW)


def test_a_deleted_hour_comes_back_byte_for_byte(landing: Landing, topic: TestTopic) -> None:
    for n in (0, 1, 5, 50):
        topic.send(*ticks(3), b"\xff", partition=n % 3, at=MINUTE.plus(n).start_ms)
    range_of(landing, 0, 60)
    before = objects(landing)
    deleted = [e.key for zone in ("raw", "rejected") for e in landing.lake.list(hour_prefix(zone, landing.table, HOUR))]
    landing.lake.delete(deleted)
    done = reland(landing, HOUR.minutes()[5:], NOW)
    assert objects(landing) == before
    assert sorted(done.rewritten) == sorted(deleted)
    assert len(deleted) == 8
    assert len(done.manifests) == 55


def test_unsealed_minutes_are_sealed_between_their_neighbours(landing: Landing, topic: TestTopic) -> None:
    for n in range(5):
        topic.send(*ticks(2), at=MINUTE.plus(n).start_ms)
    land(landing, MINUTE.plus(4), NOW)
    land(landing, MINUTE, NOW)
    done = range_of(landing, 0, 4)
    assert [m.starts[0] for m in done.manifests] == [0, 2, 4, 6, 8]
    assert offsets(landing.lake) == Counter((0, n) for n in range(10))
    assert done.rewritten == ()


def test_a_minute_whose_offsets_are_gone_does_not_keep_the_others_from_being_landed(
    landing: Landing, topic: TestTopic
) -> None:
    land(landing, MINUTE, NOW)
    for n in (1, 2):
        topic.send(*ticks(3), at=MINUTE.plus(n).start_ms)
    delete_before(topic, 2)
    done = range_of(landing, 0, 2)
    assert [m.records for m in done.manifests] == [0, 1, 3]
    assert len(done.lost) == 1
    assert "2026-11-22T10:06: partition 0 offsets 0 to 1" in done.lost[0]


@pytest.mark.parametrize("force", [False, True])
def test_whole_objects_are_only_written_again_when_that_is_asked_for(
    landing: Landing, topic: TestTopic, force: bool
) -> None:
    topic.send(*ticks(3))
    land(landing, MINUTE, NOW)
    before = objects(landing)
    assert len(reland(landing, [MINUTE], NOW, force).rewritten) == force
    assert objects(landing) == before
    assert manifest_of(landing.lake, landing.table, MINUTE)
