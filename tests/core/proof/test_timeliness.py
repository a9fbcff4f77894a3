"""The rule alone; `tests/stages/reconcile/test_timeliness.py` shows it on a real broker with the rule of landing taken out."""

from collections.abc import Sequence

import pytest

from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import RAW, ObjectKey
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.proof.timeliness import Candidate, Timeliness, rows_by_offset

MINUTE = Minute.parse("2026-11-22T10:05")
SEALED_MS = MINUTE.end_ms + 2000
DATE_2100 = 4_102_444_800_000
IN_TIME, DUE = MINUTE.end_ms + 1, MINUTE.end_ms - 1


def manifest(minute: Minute, *slices: OffsetRange, objects: Sequence[StoredObject] = ()) -> Manifest:
    sealed_at = "2026-11-22T10:06:02.000+00:00"
    return Manifest(
        "ticks", "t", "c", None, minute, sealed_at, "r", slices, tuple(objects), (), (), None, None, 0, 0, {}
    )  # fmt: skip


def judged(end: int, log_end: int | None, *candidates: Candidate) -> tuple[int, int, int, int]:
    """Ends that are timely, short, unproven, still open."""
    found = Timeliness.of([manifest(MINUTE, OffsetRange(0, 0, end, log_end))])
    found.decide({0: candidates})
    return found.timely, len(found.short), found.unproven, len(found.open)


TIMELY, SHORT, UNPROVEN, OPEN = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("end", "log_end", "candidates", "verdict"),
    [
        (5, 5, [(5, DUE)], TIMELY),  # nothing was left: it came after the seal
        (5, 9, [(3, DUE), (5, IN_TIME)], TIMELY),
        (5, 9, [(5, SEALED_MS)], TIMELY),
        (5, 9, [(5, SEALED_MS + 1)], SHORT),
        (5, 9, [(5, DATE_2100)], SHORT),
        (5, 9, [(5, DUE)], SHORT),
        (5, 9, [(9, DUE)], TIMELY),  # no record among what was left
        (5, 9, [(6, DUE)], UNPROVEN),  # what stood at 5 may have ended the minute rightly
        (5, 9, [(6, IN_TIME)], TIMELY),
        (5, 9, [(5, None)], UNPROVEN),
        (5, 9, [(4, DUE)], OPEN),
        (5, None, [(5, DUE)], UNPROVEN),
    ],
)
def test_the_first_record_behind_the_end_decides(
    end: int, log_end: int | None, candidates: list[Candidate], verdict: tuple[int, int, int, int]
) -> None:
    assert judged(end, log_end, *candidates) == verdict


def test_minutes_that_stop_short_of_one_record_are_one_finding_that_names_them_partition_offset_and_date() -> None:
    found = Timeliness.of([manifest(MINUTE.plus(n), OffsetRange(3, 7, 7, 9 + n)) for n in range(3)])
    found.decide({3: [(7, DATE_2100)]})
    [said] = found.findings()
    assert (said.kind, said.subject) == ("record waiting", "2026-11-22T10:05 to 2026-11-22T10:07 Kafka partition 3")
    assert said.seen == (
        "stopped short at offset 7 of 11: the first record left, offset 7, is dated 2100-01-01T00:00:00.000Z,"
        " after the seal (2026-11-22T10:06:02.000Z)"
    )


def test_a_record_that_waited_is_said_with_the_end_of_the_minute_that_should_have_taken_it() -> None:
    found = Timeliness.of([manifest(MINUTE, OffsetRange(0, 7, 7, 9))])
    found.decide({0: [(7, DUE)]})
    [said] = found.findings()
    assert said.seen.endswith("is dated 2026-11-22T10:05:59.999Z, before the minute's end (2026-11-22T10:06:00.000Z)")


def stored(start: int, end: int) -> StoredObject:
    return StoredObject(str(ObjectKey(RAW, "ticks", MINUTE, 0, start, end)), 0, start, end, 1, 1, "")


def test_an_object_that_is_not_there_hides_what_its_first_row_would_say() -> None:
    some = [stored(3, 7), stored(7, 9)]
    whole = {o.key: Content(1, "", 1, (o.start + 1, DUE), (o.start + 1, DUE)) for o in some}
    sealed = [manifest(MINUTE, OffsetRange(0, 3, 9), objects=some)]
    assert rows_by_offset(sealed, whole) == {0: [(4, DUE), (8, DUE)]}
    del whole[some[1].key]
    assert rows_by_offset(sealed, whole) == {0: [(4, DUE), (7, None)]}


def two_of_each() -> Timeliness:
    """Two Kafka partitions of which each of two minutes says the same: proven, not said, and left open."""
    slices = (OffsetRange(0, 0, 5, 5), OffsetRange(1, 0, 5), OffsetRange(2, 0, 5, 9), OffsetRange(3, 0, 5, 9))
    return Timeliness.of([manifest(MINUTE, *slices), manifest(MINUTE.plus(1), *slices)])


def counts(found: Timeliness) -> tuple[int, int, int]:
    return found.timely, found.unproven, len(found.open)


def test_every_end_is_counted_once() -> None:
    assert counts(two_of_each()) == (2, 2, 4)


def test_an_end_of_which_nothing_is_known_stays_open_and_the_others_are_decided() -> None:
    found = two_of_each()
    found.decide({3: [(5, MINUTE.plus(1).end_ms), (5, None)]})
    assert [left.partition for left in found.open] == [2, 2]
    found.decide({2: [(9, None)]})
    assert found.open == []
    assert found.timely >= 4


def test_a_record_dated_at_the_very_end_of_the_minute_is_in_time() -> None:
    assert judged(5, 9, (5, MINUTE.end_ms)) == TIMELY


def test_where_no_record_lies_behind_the_ends_of_a_partition_they_are_proven() -> None:
    left_by = (OffsetRange(2, 0, 5, 9), OffsetRange(3, 0, 5, 9))
    found = Timeliness.of([manifest(MINUTE, *left_by), manifest(MINUTE.plus(1), left_by[1])])
    found.nothing_lies_behind([2])
    assert counts(found) == (1, 0, 2)
    assert {left.partition for left in found.open} == {3}


def test_what_is_given_up_is_unproven() -> None:
    found = two_of_each()
    found.give_up()
    assert counts(found) == (2, 6, 0)
    assert found.open == []


def test_one_minute_that_stopped_short_is_named_alone_with_the_remedy() -> None:
    found = Timeliness.of([manifest(MINUTE, OffsetRange(0, 7, 7, 9))])
    found.decide({0: [(7, DUE)]})
    [said] = found.findings()
    assert said.subject == "2026-11-22T10:05 Kafka partition 0"
    assert said.remedy == (
        "The record comes with a later minute; a sealed one does not change. Is every worker of this version? The"
        " topic's message.timestamp.type=LogAppendTime keeps such dates out."
    )
