"""Landing that stood still, for a holiday or for months: what lies between is landed, or its loss is written down."""

import gzip
import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from threading import Thread

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.stages.conftest import MINUTE, TestTopic
from tests.support import dated_records
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import LostOffsetsError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_minute, manifests_prefix, origin_key
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of, origin_of

NOW = datetime(2027, 3, 1, tzinfo=UTC)
EVENING = Minute.parse("2026-11-22T22:40")
NIGHT = 200  # minutes, over the end of the day
DAY = 24 * 60


def rows(lake: Lake) -> Counter[tuple[int, int]]:
    lines = (line for e in lake.list("raw/") for line in gzip.decompress(lake.get(e.key) or b"").splitlines())
    return Counter((row["kafka_partition"], row["kafka_offset"]) for row in map(json.loads, lines))


def long_runs(landing: Landing) -> Landing:
    """One run may land it all: pieces are another test's."""
    settings = replace(landing.stream.landing, catch_up_minutes=NIGHT)
    return replace(landing, stream=replace(landing.stream, landing=settings))


def require_whole(landing: Landing, first: Minute, last: Minute) -> list[Manifest]:
    """Every minute is sealed and touches the one before; returns those that hold or lost anything."""
    minutes = sorted(manifest_minute(e.key) for e in landing.lake.list(manifests_prefix(landing.table)))
    assert minutes == [first.plus(n) for n in range(len(minutes))]
    assert minutes[-1] == last
    sealed = [m for m in (manifest_of(landing.lake, landing.table, minute) for minute in minutes) if m]
    for before, after in pairwise(sealed):
        added = dict.fromkeys(after.starts.keys() - before.ends.keys(), 0)
        assert {**before.ends, **added} == after.starts
    return [m for m in sealed if m.records or m.lost]


def spread(topic: TestTopic, partition: int, minutes: list[Minute]) -> None:
    dated_records.produce(topic.bootstrap, topic.name, partition, [(m.start_ms + 500, b"{}") for m in minutes])


@pytest.mark.parametrize("days", [7, 30, 400])
def test_a_pause_is_landed_from_the_newest_sealed_minute_on_however_old_that_is(
    landing: Landing, topic: TestTopic, days: int
) -> None:
    """In pieces: the first run lands what came first. All of such pauses: `./ticklake bench pauses`."""
    land(landing, MINUTE, NOW)
    last = MINUTE.plus(days * DAY + 60)
    spread(topic, 0, [MINUTE.plus(n) for n in (1, 2, 90, days * DAY)])
    origin = origin_of(landing.lake, landing.table)
    land(landing, last, NOW.replace(year=2029))
    holding = require_whole(landing, MINUTE, MINUTE.plus(100))
    assert [m.minute for m in holding] == [MINUTE.plus(n) for n in (1, 2, 90)]
    assert rows(landing.lake) == Counter((0, n) for n in range(3))
    assert origin_of(landing.lake, landing.table) == origin, "an origin is never replaced"


def test_before_the_origin_minutes_are_landed_on_the_way_from_the_first_in_which_something_was_written(
    landing: Landing, topic: TestTopic
) -> None:
    """A minute of long ago, landed by mistake, does not have each later backfill land all the years between."""
    years, now = 7 * 365 * DAY, NOW.replace(year=2035)
    spread(topic, 0, [MINUTE.plus(n) for n in (years + 2, years + 60)])
    land(landing, MINUTE.plus(years + 60), now)
    land(landing, MINUTE, now)
    backfilled = land(landing, MINUTE.plus(years + 4), now).manifests
    assert [m.minute for m in backfilled] == [MINUTE.plus(years + n) for n in (2, 3, 4)]
    assert [m.records for m in backfilled] == [1, 0, 0]
    assert backfilled[0].starts == dict.fromkeys(backfilled[0].starts, 0)
    assert rows(landing.lake) == Counter([(0, 0), (0, 1)])


def test_what_came_in_a_pause_that_kafka_still_holds_is_landed_minute_by_minute(
    landing: Landing, topic: TestTopic
) -> None:
    landing = long_runs(landing)
    land(landing, EVENING, NOW)
    last = EVENING.plus(NIGHT)
    came = [EVENING.plus(n) for n in (1, 2, NIGHT // 2, NIGHT - 1)]
    spread(topic, 0, came)
    land(landing, last, NOW)
    assert [m.minute for m in require_whole(landing, EVENING, last)] == came
    assert rows(landing.lake) == Counter((0, n) for n in range(4))


def test_what_kafka_dropped_in_a_pause_is_lost_in_the_manifests_and_the_rest_is_landed(
    landing: Landing, topic: TestTopic
) -> None:
    landing = long_runs(landing)
    land(landing, EVENING, NOW)
    last = EVENING.plus(NIGHT)
    spread(topic, 0, [EVENING.plus(n) for n in range(1, 53)])
    spread(topic, 0, [last.plus(-3), last.plus(-2)])
    forget(topic, 0, 52)
    with pytest.raises(LostOffsetsError, match="partition 0 offsets 0 to 51"):
        land(landing, last, NOW)
    first, *rest = require_whole(landing, EVENING, last)
    assert [(s.partition, s.start, s.end) for s in first.lost] == [(0, 0, 52)]
    assert [(m.minute, m.records) for m in rest] == [(last.plus(-3), 1), (last.plus(-2), 1)]
    assert land(landing, last.plus(1), NOW).manifests[0].lost == (), "the next minute goes on"


def test_a_partition_that_was_added_in_the_pause_is_landed_from_its_beginning(
    landing: Landing, topic: TestTopic
) -> None:
    land(landing, MINUTE, NOW)
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    admin.create_partitions([NewPartitions(topic.name, 4)])[topic.name].result(60)
    last = MINUTE.plus(90)
    spread(topic, 3, [MINUTE.plus(40), MINUTE.plus(60)])
    with closing(topic.reader()) as reader:
        land(replace(landing, reader=reader), last, NOW)
    assert [m.minute for m in require_whole(landing, MINUTE, last)] == [MINUTE.plus(40), MINUTE.plus(60)]


@pytest.mark.parametrize("minute", [MINUTE.plus(60), MINUTE.plus(-2)], ids=["after", "before"])
def test_an_origin_that_was_removed_changes_nothing(landing: Landing, topic: TestTopic, minute: Minute) -> None:
    for n in (-2, -1, 0, 30):
        spread(topic, 0, [MINUTE.plus(n)])
    land(landing, MINUTE, NOW)
    landing.lake.delete([origin_key(landing.table)])
    land(landing, minute, NOW)
    if minute < MINUTE:
        land(landing, minute.plus(1), NOW)
        origin = origin_of(landing.lake, landing.table)
        assert origin is not None
        assert (origin.minute, origin.starts[0]) == (MINUTE, 2), "what was landed first says where the table begins"
    assert rows(landing.lake) == Counter((0, n) for n in ((2, 3) if minute > MINUTE else (0, 1, 2)))


def test_two_runs_at_once_after_a_pause_land_each_offset_once(landing: Landing, topic: TestTopic) -> None:
    land(landing, MINUTE, NOW)
    last = MINUTE.plus(80)
    spread(topic, 0, [MINUTE.plus(n) for n in range(1, 80, 3)])
    spread(topic, 1, [MINUTE.plus(n) for n in range(2, 80, 5)])
    with closing(topic.reader()) as reader:
        twin = Thread(target=land, args=(replace(landing, reader=reader, run_id="twin"), last, NOW))
        twin.start()
        land(landing, last, NOW)
        twin.join()
    sealed = require_whole(landing, MINUTE, last)
    assert rows(landing.lake) == Counter([*((0, n) for n in range(27)), *((1, n) for n in range(16))])
    listed = {e.key for e in landing.lake.list("raw/")}
    assert listed == {key for m in sealed for key in m.keys}


def forget(topic: TestTopic, partition: int, before: int) -> None:
    """As retention does."""
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    for future in admin.delete_records([TopicPartition(topic.name, partition, before)]).values():
        future.result(60)
