"""A manifest that landing did not write where it lies: nothing is read by it, and nothing deleted."""

from datetime import UTC, datetime

import pytest

from tests.stages.conftest import MINUTE, TestTopic, ticks
from ticklake.core.errors import LakeError
from ticklake.core.landing.object_key import manifest_key
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_manifest_copied_over_another_deletes_none_of_the_objects_that_it_does_not_list(
    landing: Landing, topic: TestTopic
) -> None:
    later, lake = MINUTE.plus(1), landing.lake
    topic.send(*ticks(3), at=MINUTE.start_ms)
    topic.send(*ticks(3), at=later.start_ms)
    land(landing, later.plus(-1), NOW)
    land(landing, later, NOW)
    before = {entry.key for entry in lake.list("raw/")}
    lake.put(manifest_key(landing.table, later), lake.get(manifest_key(landing.table, MINUTE)) or b"")
    for minute in (later, later.plus(1)):
        with pytest.raises(LakeError, match=f"This is the manifest of .* at {MINUTE}"):
            land(landing, minute, NOW)
    assert {entry.key for entry in lake.list("raw/")} == before
