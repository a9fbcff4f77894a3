from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import KafkaError
from ticklake.core.landing.offset_ranges import Clock, Cut, EndRule, LogState, OffsetRange, Seen, cut, groups, lost

END, NOW = 1000, 1010  # of the window, and of the run
AT = Clock(END, NOW)


def log(
    high: int = 100, start: int | None = None, end: int | None = None, low: int = 0, ahead: int | None = None
) -> LogState:
    named = ({} if offset is None else {0: offset} for offset in (start, end, ahead))
    return LogState({0: low}, {0: high}, *named)


def closed(*slices: OffsetRange) -> Cut:
    return Cut(slices)


def test_the_first_minute_ever_is_cut_by_time() -> None:
    assert cut(log(start=20, end=50), AT, None) == closed(OffsetRange(0, 20, 50))


def test_nothing_newer_means_the_end_of_the_log() -> None:
    assert cut(log(start=20), AT, None) == closed(OffsetRange(0, 20, 100))


def test_a_minute_without_a_record_is_empty_where_the_log_ends() -> None:
    assert cut(log(), AT, None) == closed(OffsetRange(0, 100, 100))


def test_a_minute_starts_where_the_sealed_one_before_ended_whatever_the_time_says() -> None:
    assert cut(log(start=40, end=50), AT, {0: 30}) == closed(OffsetRange(0, 30, 50))


def test_a_minute_directly_before_a_sealed_one_ends_exactly_where_that_starts() -> None:
    assert cut(log(end=50), AT, {0: 30}, {0: 60}, True) == closed(OffsetRange(0, 30, 60))
    assert cut(log(end=50, ahead=50), AT, {0: 30}, {0: 60}, True) == closed(OffsetRange(0, 30, 60))


def test_a_hole_further_before_a_sealed_minute_never_reaches_into_it() -> None:
    assert cut(log(end=80), AT, {0: 30}, {0: 60}) == closed(OffsetRange(0, 30, 60))
    assert cut(log(start=70, end=80), AT, None, {0: 60}) == closed(OffsetRange(0, 60, 60))


def test_a_partition_added_since_is_taken_from_its_beginning() -> None:
    grown = LogState({0: 0, 1: 0}, {0: 100, 1: 7}, {}, {})
    assert cut(grown, AT, {0: 30}) == closed(OffsetRange(0, 30, 100), OffsetRange(1, 0, 7))


def test_a_log_that_is_shorter_than_what_was_landed_is_another_log() -> None:
    with pytest.raises(
        KafkaError, match=r"ends at offset 100, but offsets up to 130 were landed already.*another table"
    ):
        cut(log(), AT, {0: 130})


def test_a_slice_keeps_how_far_the_log_went_so_that_what_was_left_can_be_proven_later() -> None:
    def log_end(*args: object) -> int | None:
        return cut(*args).slices[0].log_end  # type: ignore[arg-type]

    assert log_end(log(end=50), AT, {0: 30}) == 100
    # A record that came after the log's end was read: all before it is taken.
    assert log_end(log(end=120), AT, {0: 30}) == 120
    # What follows a hole is landed already: nothing of it was left.
    assert log_end(log(end=50), AT, {0: 30}, {0: 60}, True) == 60
    assert log_end(log(end=80), AT, {0: 30}, {0: 60}, False) == 60
    with pytest.raises(ValueError, match="not a range"):
        OffsetRange(0, 3, 9, 8)


@pytest.mark.parametrize(
    ("case", "named", "ahead"), [("already landed", 10, None), ("in the future", 50, 50), ("both", 10, 10)]
)
def test_a_record_that_cannot_be_the_next_windows_first_does_not_hold_the_cut(
    case: str, named: int, ahead: int | None
) -> None:
    """The records themselves tell, from the minute's start on; without one in the next window, all are taken."""
    found = cut(log(end=named, ahead=ahead), AT, {0: 30})
    assert found == Cut((OffsetRange(0, 30, 100),), {0: EndRule(END, NOW)}), case


def test_a_record_that_came_since_the_log_was_looked_at_holds_back_nothing_that_was_there() -> None:
    assert cut(log(end=100, ahead=100), AT, {0: 30}) == closed(OffsetRange(0, 30, 100))


def test_nothing_is_read_for_a_cut_where_nothing_is_left_to_land() -> None:
    assert cut(log(end=10, ahead=10), AT, {0: 100}) == closed(OffsetRange(0, 100, 100))


def test_a_hole_with_a_record_of_the_future_ends_at_the_latest_where_the_sealed_minute_starts() -> None:
    found = cut(log(end=40, ahead=40), AT, {0: 30}, {0: 60})
    assert found == Cut((OffsetRange(0, 30, 60),), {0: EndRule(END, NOW)})


def test_a_record_that_was_there_before_its_date_does_not_hold_the_cut_when_its_minute_comes() -> None:
    """Forecasts: a record for each minute of the day ahead, sent at once, would be landed one record a minute."""
    seen = Seen({0: 80}, ms=END - 50)
    assert 0 in cut(log(end=50), Clock(END, NOW, seen), {0: 30}).open
    assert cut(log(end=80), Clock(END, NOW, seen), {0: 30}).open == {}, "it came after that"
    late = Seen({0: 80}, ms=END + 5)  # the minute before was sealed late: it saw what this window begins with
    assert cut(log(end=50), Clock(END, NOW, late, {0: 60}), {0: 30}) == closed(OffsetRange(0, 30, 50))
    assert 0 in cut(log(end=50), Clock(END, NOW, late, {0: 50}), {0: 30}).open


def test_the_minute_after_an_open_one_is_open_too_for_it_starts_where_that_ends() -> None:
    assert cut(log(), AT, {0: 100}, undecided=[0]) == Cut((OffsetRange(0, 100, 100),), {0: EndRule(END, NOW)})
    assert cut(log(), AT, {0: 60}, {0: 60}, True, undecided=[0]) == Cut((OffsetRange(0, 60, 60),), {0: None})


def test_the_end_is_the_first_record_of_the_next_windows_that_is_not_of_the_future() -> None:
    rule = EndRule(END, NOW)
    assert rule.find(range(5), [0, END - 1, NOW + 1, END, END]) == 3
    assert rule.find(range(2), [NOW, END]) == 0
    assert rule.find(range(3), [-1, END - 1, 2**62]) is None
    forecasts = EndRule(END, NOW, seen_end=7, seen_ms=END - 50)
    assert forecasts.find([5, 6, 7], [END, NOW, END]) == 2
    assert EndRule(END, NOW, seen_end=7, seen_ms=END + 5).find([5, 6], [END + 6, END + 5]) == 1


def test_a_cut_settles_on_what_reading_found() -> None:
    planned = Cut((OffsetRange(0, 30, 100, 100), OffsetRange(1, 7, 9, 9)), {0: EndRule(END, NOW)})
    assert planned.settled({0: 30, 1: 7}, {0: 44, 1: 9}) == (OffsetRange(0, 30, 44), OffsetRange(1, 7, 9))
    assert planned.settled({0: 44, 1: 7}, {0: 44, 1: 9}) == (OffsetRange(0, 44, 44), OffsetRange(1, 7, 9))
    assert planned.settled(None, {}) == planned.slices
    assert [s.log_end for s in planned.settled(None, {0: 44})] == [100, 9]


def test_what_retention_took_is_lost_and_the_rest_is_readable() -> None:
    slices = (OffsetRange(0, 10, 20), OffsetRange(1, 0, 5), OffsetRange(2, 3, 9), OffsetRange(3, 4, 4))
    low = {0: 15, 1: 8, 2: 0}
    assert lost(slices, low) == (OffsetRange(0, 10, 15), OffsetRange(1, 0, 5))
    rule = EndRule(END, NOW)
    held = Cut(slices, {3: rule}).readable(low)
    assert held == Cut((OffsetRange(0, 15, 20), OffsetRange(2, 3, 9), OffsetRange(3, 4, 4)), {3: rule})


@given(st.lists(st.integers(0, 9), max_size=40), st.permutations(range(8)), st.lists(st.integers(0, 40), min_size=8))
def test_minutes_landed_in_any_order_while_the_log_grows_touch_and_hold_each_offset_once(
    gaps: list[int], order: list[int], lengths: list[int]
) -> None:
    """Eight minutes of ten ticks; the log is at least as long at each run as at the one before."""
    times = sorted(gaps[i % len(gaps)] + 2 * i for i in range(40)) if gaps else []
    sealed: dict[int, OffsetRange] = {}
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
            at = Clock(10 * m + 10, 10**6)
            [sealed[m]] = cut(state, at, previous, following, bool(after) and min(after) == m + 1).slices
    landed = [sealed[m] for m in sorted(sealed)]
    assert sorted(sealed) == list(range(8))
    assert [s.start for s in landed[1:]] == [s.end for s in landed[:-1]]
    assert all(s.end <= high for s in landed)


def test_a_range_is_of_a_real_partition() -> None:
    with pytest.raises(ValueError, match="is not a range of offsets"):
        OffsetRange(-1, 0, 1)


def test_a_hole_ends_where_its_own_records_end_even_if_the_sealed_minute_starts_later() -> None:
    assert cut(log(end=50), AT, {0: 30}, {0: 60}) == closed(OffsetRange(0, 30, 50))


def test_before_any_minute_a_window_begins_at_its_own_record_though_a_sealed_one_comes_later() -> None:
    assert cut(log(start=20, end=50), AT, None, {0: 60}) == closed(OffsetRange(0, 20, 50))


def test_a_partition_that_the_following_minute_does_not_know_has_nothing_before_it() -> None:
    grown = LogState({0: 0, 1: 0}, {0: 100, 1: 7}, {}, {})
    assert cut(grown, AT, {0: 30}, {0: 60}) == closed(OffsetRange(0, 30, 60), OffsetRange(1, 0, 0))


def test_a_record_at_the_very_start_of_the_minute_ends_it_there() -> None:
    assert cut(log(end=30), AT, {0: 30}) == closed(OffsetRange(0, 30, 30))


def test_the_rule_of_an_open_end_knows_what_the_minute_before_saw_of_that_partition() -> None:
    seen = Clock(END, NOW, Seen({0: 40, 1: 50}, 900))
    assert seen.rule(1) == EndRule(END, NOW, 50, 900)
    assert seen.rule(2) == EndRule(END, NOW, 0, 900), "a partition added since: nothing of it was seen"
    assert Clock(END, NOW).rule(1) == EndRule(END, NOW)


def test_a_record_is_early_only_where_the_minute_before_saw_it() -> None:
    at = Clock(END, NOW, Seen({0: 40}, 900))
    assert at.came_early(0, 39)
    assert not at.came_early(0, 40)
    assert not at.came_early(1, 0), "a partition added since: nothing of it was seen"
    assert not Clock(END, NOW).came_early(0, 0)


def test_a_minute_that_ended_when_the_one_before_was_sealed_has_early_records_only_of_later_dates() -> None:
    at = Clock(END, NOW, Seen({0: 40}, END), {0: 30})
    assert at.came_early(0, 30), "dated after that seal"
    assert not at.came_early(0, 20), "dated before it: rightly left to this minute"


def test_each_open_partition_has_a_rule_of_its_own_and_the_cut_keeps_the_runs_clock() -> None:
    state = LogState({0: 0, 1: 0}, {0: 100, 1: 100}, {}, {0: 50, 1: 60}, {0: 50, 1: 60})
    made = cut(state, Clock(END, NOW, Seen({0: 40, 1: 45}, 900)), {0: 30, 1: 35})
    assert made.open == {0: EndRule(END, NOW, 40, 900), 1: EndRule(END, NOW, 45, 900)}
    assert made.now == NOW
    assert made.of(made.slices[:1]).now == NOW


def test_only_an_open_range_settles_on_what_reading_found() -> None:
    made = Cut((OffsetRange(0, 30, 100), OffsetRange(1, 5, 9)), {0: EndRule(END, NOW)})
    assert made.settled({0: 40, 1: 6}, {0: 70, 1: 8}) == (OffsetRange(0, 40, 70), OffsetRange(1, 5, 9))


def test_where_kafka_does_not_say_what_it_holds_it_holds_all() -> None:
    made = closed(OffsetRange(0, 0, 5))
    assert made.readable({}) == made
    assert lost(made.slices, {}) == ()


def test_the_largest_ranges_are_given_out_first() -> None:
    """By size, not by place in the log: offsets that begin late are not more work."""
    made = groups(closed(OffsetRange(0, 1000, 1001), OffsetRange(1, 0, 10), OffsetRange(2, 2000, 2009)), 2)
    assert [[s.partition for s in group.slices] for group in made] == [[1], [0, 2]]


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(1, 8))
def test_groups_hold_every_slice_once_and_none_is_larger_than_a_slice_above_the_others(
    sizes: list[int], count: int
) -> None:
    slices = [OffsetRange(p, 5, 5 + size) for p, size in enumerate(sizes)]
    rules = {p: EndRule(END, NOW) for p in range(0, len(sizes), 2)}
    made = groups(Cut(tuple(slices), rules), count)
    assert sorted(s for group in made for s in group.slices) == slices
    assert {p: rule for group in made for p, rule in group.open.items()} == rules
    assert all(group.open.keys() <= {s.partition for s in group.slices} for group in made)
    assert 1 <= len(made) <= count
    loads = [sum(s.end - s.start for s in group.slices) for group in made]
    assert max(loads) - max(sizes, default=0) <= sum(sizes) / count


moments = st.one_of(
    st.integers(-100, 900),  # seconds after the first minute's start; ten minutes are played
    st.integers(0, 12).map(lambda m: 60 * m),
    st.sampled_from([-(10**9), 0, 10**12, 2**62]),
)
arrivals = st.lists(st.tuples(st.integers(0, 599), moments), max_size=40)


@given(arrivals, st.lists(st.booleans(), min_size=12, max_size=12))
def test_whatever_the_dates_minutes_touch_and_nothing_waits_longer_than_two_runs(
    sent: list[tuple[int, int]], runs: list[bool]
) -> None:
    """A log of records (arrival, date) in seconds; each minute that is not skipped is landed two seconds after its end."""
    log = sorted(sent, key=lambda record: record[0])
    dates = [date for _, date in log]
    sealed: list[OffsetRange] = [OffsetRange(0, 0, 0, 0)]  # the minute before the first
    seen = Seen({0: 0}, 2)
    ran: list[int] = []
    for minute in (m for m, happens in enumerate(runs) if happens or m == len(runs) - 1):
        now = 60 * minute + 62
        high = sum(arrival <= now for arrival, _ in log)

        def by_time(moment: int, high: int = high) -> dict[int, int]:
            return next(({0: o} for o in range(high) if dates[o] >= moment), {})

        for m in range(len(sealed) - 1, minute + 1):
            state = LogState({0: 0}, {0: high}, {}, by_time(60 * m + 60), by_time(now + 1))
            found = cut(state, Clock(60 * m + 60, now, seen, by_time(seen.ms + 1)), {0: sealed[-1].end})
            [planned] = found.slices
            rule = found.open.get(0)
            offsets = range(planned.start, planned.end)
            end = rule.find(offsets, dates[planned.start : planned.end]) if rule else None
            [own] = found.settled({0: sealed[-1].end}, {} if end is None else {0: offsets[end]})
            assert own.start == sealed[-1].end
            # What the proof of timeliness asks of every manifest.
            assert own.log_end is not None
            assert all(60 * m + 60 <= dates[o] <= now for o in range(own.end, own.log_end)[:1])
            sealed.append(own)
        seen = Seen({0: high}, now)
        ran.append(minute)
        # Everything that the run before saw is landed now.
        before = 60 * ran[-2] + 62 if len(ran) > 1 else -1
        assert all(arrival > before for arrival, _ in log[sealed[-1].end :])
