"""What waits is a difference of offsets, never across two topics; since when, whatever the producer dates."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.proof.waiting import LogEnds, held_back, lag, not_the_topic, waiting_since

MINUTE = Minute.parse("2026-11-22T10:05")
SEALED_MS, NOW_MS = MINUTE.end_ms + 2000, MINUTE.end_ms + 30_000
DATE_2100 = 4_102_444_800_000
NEWEST = Manifest(
    "ticks", "t", "c", "id", MINUTE, "2026-11-22T10:06:02.000+00:00", "r", (OffsetRange(0, 3, 10, 15), OffsetRange(1, 0, 4, 4)),
    (), (), (), None, None, 0, 0, {},
)  # fmt: skip
LOG = LogEnds("t", "id", {0: 0, 1: 0}, {0: 18, 1: 4}, {0: 18, 1: 4})


def test_what_waits_lies_between_the_newest_sealed_end_and_the_last_stable_offset() -> None:
    assert lag(LOG, NEWEST) == {0: 8, 1: 0}
    assert lag(replace(LOG, low={0: 13, 1: 4}), NEWEST) == {0: 5, 1: 0}  # retention took three
    assert lag(LOG, None) == {0: 18, 1: 4}
    assert lag(replace(LOG, stable={**LOG.stable, 2: 7}), NEWEST) == {0: 8, 1: 0, 2: 7}  # a partition added since


def test_what_an_open_transaction_holds_back_does_not_count_as_waiting() -> None:
    held = replace(LOG, high={0: 118, 1: 4})
    assert (held_back(held), lag(held, NEWEST)) == ({0: 100}, {0: 8, 1: 0})
    assert held_back(LOG) == {}


@pytest.mark.parametrize("now", ["id", None])
def test_the_topic_that_was_landed_is_no_fault(now: str | None) -> None:
    assert not_the_topic(replace(LOG, topic_id=now), NEWEST) is None
    assert not_the_topic(LOG, None) is None


def test_another_topic_of_that_name_is_said_with_the_remedy() -> None:
    fault = not_the_topic(replace(LOG, topic_id="other"), NEWEST)
    assert fault is not None
    assert fault.problem == (
        "Topic t is not the one that ticks at 2026-11-22T10:05 was landed from: its id is other, that one's was id."
    )
    assert "deleted and made again" in fault.remedy
    assert "another table" in fault.remedy


def test_where_kafka_gives_no_id_a_log_that_ends_before_what_was_landed_says_the_same() -> None:
    fault = not_the_topic(replace(LOG, topic_id=None, high={0: 9, 1: 4}), NEWEST)
    assert fault is not None
    assert "partition 0 ends at offset 9, landed up to 10" in fault.problem
    assert "another table" in fault.remedy


@pytest.mark.parametrize(
    ("offset", "ms", "since"),
    [
        (10, MINUTE.end_ms + 5, MINUTE.end_ms + 5),  # it was there at the seal
        (10, DATE_2100, SEALED_MS),
        (15, SEALED_MS + 7, SEALED_MS + 7),  # it came after the log was looked at
        (15, DATE_2100, NOW_MS),
        (15, 0, MINUTE.end_ms),
    ],
)
def test_a_record_waits_since_its_date_as_far_as_that_can_be_true(offset: int, ms: int, since: int) -> None:
    assert waiting_since(0, (offset, ms), NEWEST, NOW_MS) == since


@given(st.integers(10, 99), st.integers(-(2**63), 2**63 - 1), st.sampled_from([NEWEST, None]), st.integers(0, 2))
def test_no_record_waits_since_a_time_to_come(offset: int, ms: int, newest: Manifest | None, partition: int) -> None:
    assert waiting_since(partition, (offset, ms), newest, NOW_MS) <= NOW_MS
