from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.core.proof.test_broker_health import STREAM, facts, partition, with_partition
from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.proof.broker_health import Check, ClusterFacts, Level
from ticklake.core.proof.landing_health import examine_landing

NOW = datetime(2026, 11, 22, 10, 5, 30, tzinfo=UTC)
CLOSED = Minute.parse("2026-11-22T10:04")


def sealed(minute: Minute = CLOSED, end: int | None = 10, **changes) -> Manifest:
    slices = () if end is None else tuple(OffsetRange(p, end, end) for p in range(6))
    rows = (StoredObject("k", 0, 0, 60, 60, 1, ""),)
    whole = Manifest(
        "t", "topic", "c", None, minute, "2026-11-22T10:05:02.000+00:00", "r", slices, rows, (), (), None, None, 0, 0, {}
    )  # fmt: skip
    return replace(whole, **changes)


def find(subject: str, seen: ClusterFacts, *newest: Manifest) -> Check:
    (found,) = [f for f in examine_landing(seen, STREAM, newest, NOW) if f.subject == subject]
    return found


def test_a_punctual_landing_gives_only_ok():
    findings = examine_landing(facts(), STREAM, [sealed()], NOW)
    assert [(f.level, f.subject, f.remedy) for f in findings] == [
        (Level.OK, "lag of landing", ""),
        (Level.OK, "dates of records", ""),
    ]


def test_nothing_is_said_of_a_topic_that_is_not_there():
    assert examine_landing(facts(partitions=()), STREAM, [sealed()], NOW) == ()


def test_lag_counts_from_the_newest_sealed_minute_whatever_the_group_has_committed():
    assert find("lag of landing", with_partition(committed=2), sealed(end=7)).seen.startswith("18 offsets not yet")


def test_before_anything_is_sealed_lag_counts_from_the_committed_offset_or_the_start_of_the_log():
    parts = (partition(0, committed=4), partition(1, committed=None, start=3), *facts().partitions[2:])
    assert find("lag of landing", facts(partitions=parts)).seen.startswith("13 offsets not yet landed")


def test_offsets_that_retention_removed_are_no_lag():
    assert find("lag of landing", with_partition(start=8, end=10, committed=2)).seen.startswith("2 offsets")


def test_offsets_that_an_open_transaction_holds_back_are_no_lag_of_landing():
    assert find("lag of landing", with_partition(end=99, stable=12), sealed()).seen.startswith("2 offsets")


@pytest.mark.parametrize(("minutes", "level"), [(0, Level.OK), (2, Level.OK), (3, Level.WARNING), (90, Level.WARNING)])
def test_lag_in_minutes_warns_when_landing_is_not_punctual(minutes, level):
    found = find("lag of landing", facts(), sealed(CLOSED.plus(-minutes)))
    assert found.level is level
    assert f"({minutes} behind)" in found.seen


def test_nothing_sealed_is_well_as_long_as_there_is_nothing_to_land():
    assert find("lag of landing", facts()).level is Level.OK
    assert find("lag of landing", with_partition(committed=None)).level is Level.WARNING


def test_a_lake_that_does_not_tell_is_not_taken_for_an_empty_one():
    (found,) = examine_landing(facts(), STREAM, LakeError("S3 is away.", "Start it."), NOW)
    assert (found.level, found.remedy) == (Level.WARNING, "Start it.")
    assert "unknown: S3 is away." in found.seen


@pytest.mark.parametrize(
    ("seen", "newest"),
    [
        (facts(topic_id="now"), sealed(topic_id="then")),
        (with_partition(end=9), sealed()),  # no ids are known, and the log ends before what was landed
    ],
)
def test_another_topic_of_that_name_is_a_failure_with_the_remedy_and_no_lag_is_computed(seen, newest):
    (found,) = examine_landing(seen, STREAM, [newest], NOW)
    assert (found.level, found.subject) == (Level.FAILURE, "topic landed")
    assert "Land it as another table" in found.remedy


def test_once_the_remedy_is_followed_the_groups_old_offsets_are_a_warning_only():
    found = find("lag of landing", with_partition(committed=11))
    assert found.level is Level.WARNING
    assert "made again" in found.seen + found.remedy


@pytest.mark.parametrize(
    ("stable", "log_end", "told"), [(12, 12, True), (13, 12, False), (99, 12, False), (12, None, False)]
)
def test_an_open_transaction_is_told_when_it_was_open_at_the_newest_seal_already(stable, log_end, told):
    newest = sealed(slices=(OffsetRange(0, 10, 10, log_end), *(OffsetRange(p, 10, 10, 10) for p in range(1, 6))))
    findings = examine_landing(with_partition(end=99, stable=stable), STREAM, [newest], NOW)
    assert [f.seen for f in findings if f.subject == "open transaction"] == (
        ["87 offsets of partitions 0 are held back since before 2026-11-22T10:05:02.000+00:00"] if told else []
    )


def test_early_and_late_records_are_told_with_how_far_off_and_the_remedy():
    one = sealed(early=3, late=0, max_timestamp=4_102_444_800_000)
    two = sealed(CLOSED.plus(-1), early=0, late=2, min_timestamp=0)
    found = find("dates of records", facts(), one, two)
    assert found.level is Level.WARNING
    assert found.seen == (
        "of 120 records in the newest 2 minutes 3 came early, 2 late; up to 26,702 days ahead of their minute "
        "(2100-01-01T00:00:00.000Z); up to 20,779 days behind it (1970-01-01T00:00:00.000Z)"
    )
    assert "message.timestamp.type=LogAppendTime" in found.remedy
    assert "message.timestamp.after.max.ms" in found.remedy


def test_dates_off_by_what_clocks_are_apart_are_told_without_a_warning():
    near = sealed(late=2, min_timestamp=CLOSED.start_ms - 800)
    found = find("dates of records", facts(), near)
    assert (found.level, found.remedy) == (Level.OK, "")
    assert found.seen.endswith("0 came early, 2 late; up to 800 ms behind it (2026-11-22T10:03:59.200Z)")


def test_a_date_that_no_calendar_has_can_be_told():
    assert "ms since 1970" in find("dates of records", facts(), sealed(early=1, max_timestamp=2**63 - 1)).seen
