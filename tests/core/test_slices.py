from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import KafkaError
from ticklake.core.slices import LogState, Slice, cut, groups, lost, readable


def log(high: int = 100, start: int | None = None, end: int | None = None, low: int = 0) -> LogState:
    return LogState({0: low}, {0: high}, {} if start is None else {0: start}, {} if end is None else {0: end})


def test_the_first_minute_ever_is_cut_by_time() -> None:
    assert cut(log(start=20, end=50), None, None, False) == (Slice(0, 20, 50),)


def test_nothing_newer_means_the_end_of_the_log() -> None:
    assert cut(log(start=20), None, None, False) == (Slice(0, 20, 100),)


def test_a_minute_without_a_record_is_empty_where_the_log_ends() -> None:
    assert cut(log(), None, None, False) == (Slice(0, 100, 100),)


def test_a_minute_starts_where_the_sealed_one_before_ended_whatever_the_time_says() -> None:
    assert cut(log(start=40, end=50), {0: 30}, None, False) == (Slice(0, 30, 50),)


def test_a_minute_directly_before_a_sealed_one_ends_exactly_where_that_starts() -> None:
    assert cut(log(end=50), {0: 30}, {0: 60}, True) == (Slice(0, 30, 60),)


def test_a_hole_further_before_a_sealed_minute_never_reaches_into_it() -> None:
    assert cut(log(end=80), {0: 30}, {0: 60}, False) == (Slice(0, 30, 60),)
    assert cut(log(start=70, end=80), None, {0: 60}, False) == (Slice(0, 60, 60),)


def test_records_out_of_order_in_time_make_an_empty_slice_not_a_negative_one() -> None:
    assert cut(log(end=20), {0: 30}, None, False) == (Slice(0, 30, 30),)


def test_a_partition_added_since_is_taken_from_its_beginning() -> None:
    grown = LogState({0: 0, 1: 0}, {0: 100, 1: 7}, {}, {})
    assert cut(grown, {0: 30}, None, False) == (Slice(0, 30, 100), Slice(1, 0, 7))


def test_a_log_that_is_shorter_than_what_was_landed_is_another_log() -> None:
    with pytest.raises(
        KafkaError, match=r"ends at offset 100, but offsets up to 130 were landed already.*another table"
    ):
        cut(log(), {0: 130}, None, False)


def test_what_retention_took_is_lost_and_the_rest_is_readable() -> None:
    slices = (Slice(0, 10, 20), Slice(1, 0, 5), Slice(2, 3, 9))
    low = {0: 15, 1: 8, 2: 0}
    assert lost(slices, low) == (Slice(0, 10, 15), Slice(1, 0, 5))
    assert readable(slices, low) == (Slice(0, 15, 20), Slice(2, 3, 9))


@given(st.lists(st.integers(0, 9), max_size=40), st.permutations(range(8)), st.lists(st.integers(0, 40), min_size=8))
def test_minutes_landed_in_any_order_while_the_log_grows_touch_and_hold_each_offset_once(
    gaps: list[int], order: list[int], lengths: list[int]
) -> None:
    """Eight minutes of ten ticks; the log is at least as long at each run as at the one before."""
    times = sorted(gaps[i % len(gaps)] + 2 * i for i in range(40)) if gaps else []
    sealed: dict[int, Slice] = {}
    high = 0
    for minute, length in zip(order, lengths, strict=False):
        high = max(high, min(length, len(times)))

        def by_time(moment: int, high: int = high) -> dict[int, int]:
            found = bisect_left(times, moment, 0, high)
            return {0: found} if found < high else {}

        before = [m for m in sealed if m < minute]
        after = [m for m in sealed if m > minute]
        # As a run does: everything between the newest sealed minute before and its own is landed first.
        first = max(before) + 1 if before else minute
        for m in range(first, minute + 1):
            state = LogState({0: 0}, {0: high}, by_time(10 * m), by_time(10 * m + 10))
            previous = {0: sealed[m - 1].end} if m - 1 in sealed else None
            following = {0: sealed[min(after)].start} if after else None
            [sealed[m]] = cut(state, previous, following, adjacent=bool(after) and min(after) == m + 1)
    landed = [sealed[m] for m in sorted(sealed)]
    assert sorted(sealed) == list(range(8))
    assert [s.start for s in landed[1:]] == [s.end for s in landed[:-1]]
    assert all(s.end <= high for s in landed)


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(1, 8))
def test_groups_hold_every_slice_once_and_none_is_larger_than_a_slice_above_the_others(
    sizes: list[int], count: int
) -> None:
    slices = [Slice(p, 5, 5 + size) for p, size in enumerate(sizes)]
    made = groups(slices, count)
    assert sorted(s for group in made for s in group) == slices
    assert 1 <= len(made) <= count
    loads = [sum(s.end - s.start for s in group) for group in made]
    assert max(loads) - max(sizes, default=0) <= sum(sizes) / count
