"""The rules alone; `tests/stages/reconcile/test_hours.py` provokes each finding on real parts."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Hour, Minute
from ticklake.core.proof.reconcile import Ends, Kind, continuity, kafka, spans

HOUR = Hour.parse("2026-11-22T10")
FIRST = Minute(HOUR.start)


def manifest(minute: Minute, *slices: OffsetRange) -> Manifest:
    return Manifest(
        "ticks", "t", "c", None, minute, "2026-11-22T11:00:00+00:00", "r", slices, (), (), (), None, None, 0, 0, {}
    )


def chain(ends: list[int], first: Minute = FIRST) -> list[Manifest]:
    """One Kafka partition cut at these offsets, minute by minute."""
    return [manifest(first.plus(n), OffsetRange(0, start, end)) for n, (start, end) in enumerate(pairwise(ends))]


whole_hours = st.lists(st.integers(0, 50), min_size=63, max_size=63).map(
    lambda steps: chain([sum(steps[: n + 1]) for n in range(63)], FIRST.plus(-1))
)  # with a minute before the hour and one after it


@given(whole_hours)
def test_manifests_that_touch_are_no_finding(sealed: list[Manifest]) -> None:
    assert not list(continuity(HOUR, sealed))


@given(whole_hours, st.integers(1, 60))
def test_a_missing_manifest_is_a_gap_exactly_when_it_had_offsets(sealed: list[Manifest], n: int) -> None:
    gone = sealed.pop(n)
    [s] = gone.slices
    found = list(continuity(HOUR, sealed))
    assert [f.kind for f in found] == ([Kind.GAP] if s.end > s.start else [])
    for f in found:
        assert f.subject == str(gone.minute)
        assert f.seen == f"in no manifest: partition 0 offsets {s.start} to {s.end - 1}"
        assert f.remedy == f"Run the DAG reland from {gone.minute} to {gone.minute}."


@pytest.mark.parametrize("days", [0, 14, 400])
def test_offsets_skipped_over_a_pause_are_found_in_the_hour_that_goes_on_however_long_it_was(days: int) -> None:
    last = FIRST.plus(-70 - days * 1440)
    before = manifest(last, OffsetRange(0, 0, 5))
    [first, *_] = sealed = chain(list(range(100, 162)))
    [gap] = continuity(HOUR, [before, *sealed])
    assert (gap.kind, gap.subject) == (Kind.GAP, f"{last.plus(1)} to 2026-11-22T09:59")
    assert gap.seen == "in no manifest: partition 0 offsets 5 to 99"
    assert gap.remedy == f"Run the DAG reland from {last.plus(1)} to 2026-11-22T09:59."
    # An hour amid the pause says it, too.
    [gap] = continuity(HOUR.plus(-1), [before, first])
    assert gap.subject == "2026-11-22T09:00 to 2026-11-22T09:59"


def test_a_pause_over_which_the_offsets_touch_is_no_finding_and_an_overlap_is() -> None:
    sealed = chain(list(range(100, 162)))
    assert not list(continuity(HOUR, [manifest(FIRST.plus(-20_000), OffsetRange(0, 0, 100)), *sealed]))
    [overlap] = continuity(HOUR, [manifest(FIRST.plus(-20_000), OffsetRange(0, 0, 102)), *sealed])
    assert (overlap.kind, overlap.seen) == (Kind.OVERLAP, "in two manifests: partition 0 offsets 100 to 101")
    assert "look into their manifests" in overlap.remedy  # to land what lies between would heal nothing


def test_an_hour_without_any_manifest_between_two_that_touch_is_no_finding() -> None:
    sealed = [manifest(FIRST.plus(-1), OffsetRange(0, 0, 5)), manifest(FIRST.plus(60), OffsetRange(0, 5, 9))]
    assert not list(continuity(HOUR, sealed))


def test_the_origin_bounds_what_must_be_sealed() -> None:
    origin = Origin(FIRST.plus(30), {0: 7}, None)
    sealed = chain(list(range(7, 38)), FIRST.plus(30))
    assert not list(continuity(HOUR, [origin, *sealed]))
    assert not list(continuity(HOUR.plus(-1), [origin]))
    [gap] = continuity(HOUR, [origin, *sealed[1:]])
    assert gap.subject == "2026-11-22T10:30"


def test_minutes_backfilled_before_the_origin_leave_a_gap_up_to_it() -> None:
    origin = Origin(FIRST.plus(60), {0: 7}, None)
    [gap] = continuity(HOUR, [origin, manifest(FIRST.plus(58), OffsetRange(0, 2, 4))])
    assert (gap.subject, gap.seen) == ("2026-11-22T10:59", "in no manifest: partition 0 offsets 4 to 6")


def test_a_partition_added_since_begins_at_0() -> None:
    old, new = (
        manifest(FIRST, OffsetRange(0, 0, 5)),
        manifest(FIRST.plus(1), OffsetRange(0, 5, 5), OffsetRange(1, 0, 3)),
    )
    rest = replace(new, minute=FIRST.plus(60), slices=(OffsetRange(0, 5, 5), OffsetRange(1, 3, 3)))
    assert not list(continuity(HOUR, [old, new, rest]))


def test_a_record_that_kafka_no_longer_holds_is_no_disagreement_but_one_that_s3_does_not_hold_is() -> None:
    whole = Ends((3, 30), (9, 90), 10)
    assert not list(kafka(HOUR, {0: whole}, {0: Ends(None, None, 20)}))
    assert not list(kafka(HOUR, {0: whole}, {0: Ends((3, 30), None, 10)}))
    [found] = kafka(HOUR, {0: Ends(None, (9, 90), 10)}, {0: Ends((3, 30), (9, 90), 10)})
    assert found.seen == "its first record is offset 3 of 30 ms, in S3 it is none"


def test_the_span_of_an_hour_leaves_out_partitions_without_offsets() -> None:
    sealed = [
        manifest(FIRST, OffsetRange(0, 3, 5), OffsetRange(1, 4, 4)),
        manifest(FIRST.plus(1), OffsetRange(0, 5, 9), OffsetRange(1, 4, 4)),
    ]
    assert spans(sealed) == {0: (3, 9)}
