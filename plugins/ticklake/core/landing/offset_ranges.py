"""Which offsets a minute takes from each Kafka partition: *offsets are the truth; time only chooses the cut*.

The rules, for a minute that is not sealed yet:

* it starts where the newest sealed minute before it ended; without one, at the table's origin (``core.landing.origin``), and
  before the origin at the first record of its window;
* it ends at the first record of the next window; when there is none, at the end of the log;
* a minute directly before a sealed one, or before the origin, ends exactly where that one starts.

So consecutive manifests always touch, whatever the order of runs, twins or clocks.

Producers choose the dates of a topic with ``CreateTime``, and one record dated 2100 is what Kafka names as "the first of the
next window" until 2100. Such a record never holds the cut. Where Kafka's answer may be one, the cut is found in the records
themselves while they are read (``EndRule``): the first, from the minute's start on, that is dated after the window and not
after the run's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ticklake.core.errors import KafkaError

Offsets = Mapping[int, int]
"""Kafka partition -> offset."""


@dataclass(frozen=True, order=True)
class OffsetRange:
    """What a minute takes from one Kafka partition: the offsets [start, end).

    ``log_end`` is the last stable offset that was seen when the end was chosen (None: not known, or not a minute's slice).
    Between ``end`` and ``log_end`` lie the records that were there and were left to the next minute.
    """

    partition: int
    start: int
    end: int
    log_end: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.partition < 0 or not 0 <= self.start <= self.end or not self._seen_to_the_end():
            raise ValueError(f"{self!r} is not a range of offsets")

    def _seen_to_the_end(self) -> bool:
        return self.log_end is None or self.log_end >= self.end


@dataclass(frozen=True)
class Seen:
    """How far the log went when the minute before was sealed: offsets by Kafka partition, and that moment (ms)."""

    ends: Offsets
    ms: int


@dataclass(frozen=True)
class EndRule:
    """Which record ends a slice: the first dated in [``from_ms``, ``to_ms``], milliseconds since the epoch.

    Attributes:
        from_ms: the window's end.
        to_ms: the run's clock. A record dated later is no sign that the next window has begun.
        seen_end: how far the log went when the minute before was sealed.
        seen_ms: when that was. A record below ``seen_end`` that is dated later came before its date, too: without this, a
            topic of forecasts, a record for each minute of the day ahead, would be landed one record a minute.
    """

    from_ms: int
    to_ms: int
    seen_end: int = 0
    seen_ms: int = 0

    def find(self, offsets: Sequence[int], timestamps: Sequence[int]) -> int | None:
        """Position of the first such record among some; None when there is none."""
        for i, moment in enumerate(timestamps):
            if self.from_ms <= moment <= self.to_ms and not (moment > self.seen_ms and offsets[i] < self.seen_end):
                return i
        return None


@dataclass(frozen=True)
class Cut:
    """What a minute takes.

    Attributes:
        slices: one per Kafka partition, in order of partition.
        open: Kafka partitions whose slice is known for certain only once its records were read, and the rule that ends
            it; until then the slice goes as far as it can. Without a rule it goes that far, and only its start is open.
        now: the run's clock when it was chosen, ms since the epoch.
    """

    slices: tuple[OffsetRange, ...]
    open: Mapping[int, EndRule | None] = field(default_factory=dict)
    now: int = field(default=0, compare=False)

    def of(self, slices: Iterable[OffsetRange]) -> Cut:
        """A part of this cut: some of its slices, or of what is left of them."""
        some = tuple(slices)
        return Cut(some, {s.partition: self.open[s.partition] for s in some if s.partition in self.open}, self.now)

    def readable(self, low: Offsets) -> Cut:
        """What Kafka still holds of it; slices of which nothing is held are left out, unless they are open."""
        held = (replace(s, start=min(s.end, max(s.start, low.get(s.partition, 0)))) for s in self.slices)
        return self.of(h for h in held if h.end > h.start or h.partition in self.open)

    def settled(self, previous: Offsets | None, ends: Offsets) -> tuple[OffsetRange, ...]:
        """The slices once they were read: each starts where the minute before ended, and ends where reading found it."""
        starts = previous or {}
        return tuple(
            replace(s, start=starts.get(s.partition, s.start), end=ends.get(s.partition, s.end))
            if s.partition in self.open
            else s
            for s in self.slices
        )


@dataclass(frozen=True)
class LogState:
    """What Kafka says of the topic around a minute: per partition, offsets.

    Attributes:
        low: first offset that the log still holds.
        high: end of the log, read *before* ``by_time_end``: then no record of the window can be missed by it.
        by_time_start: first offset with a timestamp at or after the window's start; absent when there is none.
        by_time_end: the same for the window's end.
        ahead: the same for the moment after the run's clock; read after ``high``.
    """

    low: Offsets
    high: Offsets
    by_time_start: Offsets
    by_time_end: Offsets
    ahead: Offsets = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """The times that matter for a cut, in milliseconds since the epoch.

    Attributes:
        window_end: of the minute.
        now: of the run.
        seen: what the minute before it saw; None when that is not known.
        ahead_of_seen: per Kafka partition, the first offset dated after that; asked for where the window is older.
    """

    window_end: int
    now: int
    seen: Seen | None = None
    ahead_of_seen: Offsets = field(default_factory=dict)

    def rule(self, partition: int) -> EndRule:
        """How the partition's records tell where the minute ends."""
        if self.seen is None:
            return EndRule(self.window_end, self.now)
        return EndRule(self.window_end, self.now, self.seen.ends.get(partition, 0), self.seen.ms)

    def came_early(self, partition: int, named: int) -> bool:
        """Whether the first record of the next window was there before its date, when the minute before was sealed."""
        if self.seen is None or named >= self.seen.ends.get(partition, 0):
            return False
        return self.window_end > self.seen.ms or named == self.ahead_of_seen.get(partition)


def cut(
    log: LogState,
    clock: Clock,
    previous: Offsets | None,
    following: Offsets | None = None,
    adjacent: bool = False,
    undecided: Iterable[int] = (),
) -> Cut:
    """What an unsealed minute takes.

    Args:
        log: the state of the log.
        clock: the minute's end and the run's time.
        previous: end offsets of the newest sealed minute before; None when there never was one.
        following: start offsets of the oldest sealed minute after; None when there is none.
        adjacent: the following sealed minute is the very next one.
        undecided: Kafka partitions that are open in the minute before, which is to be read together with this one: their
            start is known only then.

    Raises:
        KafkaError: the log ends before offsets that were landed already: it is not the log that it was.
    """
    slices, still_open = [], {}
    for p in sorted(log.high):
        s, by_record = _slice(p, log, clock, previous, following, adjacent)
        slices.append(s)
        if by_record or p in undecided:
            still_open[p] = None if adjacent else clock.rule(p)
    return Cut(tuple(slices), still_open, clock.now)


def _slice(
    p: int, log: LogState, clock: Clock, previous: Offsets | None, following: Offsets | None, adjacent: bool
) -> tuple[OffsetRange, bool]:
    """The slice, and whether its end must be found among its records."""
    high = log.high[p]
    # A partition that the previous minute did not know was added since: from its very beginning.
    start = log.by_time_start.get(p, high) if previous is None else previous.get(p, 0)
    named = log.by_time_end.get(p, high)
    end = named
    # A record that came since the end of the log was read holds nothing back: all that is before it is taken.
    by_record = (
        start < high and named < high and (named < start or named == log.ahead.get(p) or clock.came_early(p, named))
    )
    if by_record:
        end = high
    log_end = max(high, end)
    if following is not None:
        # A partition that the following sealed minute does not know did not exist then: it has nothing for us either.
        limit = following.get(p, 0)
        end = limit if adjacent else min(end, limit)
        start = start if previous is not None else min(start, limit)
        log_end = max(start, end)  # what lies behind it is landed already, or the next minutes' up to there
    elif start > high and previous is not None:
        raise KafkaError(
            f"Kafka partition {p} ends at offset {high}, but offsets up to {start} were landed already.",
            "The topic was deleted and made again, or the connection leads to another cluster. "
            "Land it as another table, so that nothing is overwritten.",
        )
    end = max(start, end)
    return OffsetRange(p, start, end, max(log_end, end)), by_record and not adjacent


def lost(slices: Iterable[OffsetRange], low: Offsets) -> tuple[OffsetRange, ...]:
    """The parts of the slices that Kafka no longer holds (retention), empty ones left out."""
    gone = (OffsetRange(s.partition, s.start, max(s.start, min(s.end, low.get(s.partition, 0)))) for s in slices)
    return tuple(g for g in gone if g.end > g.start)


def groups(cut: Cut, count: int) -> tuple[Cut, ...]:
    """The cut in at most ``count`` parts of about as many offsets; at least one, which may be empty."""
    made: list[list[OffsetRange]] = [[] for _ in range(count)]
    sizes = [0] * count
    for s in sorted(cut.slices, key=lambda s: (s.start - s.end, s.partition)):
        least = sizes.index(min(sizes))
        made[least].append(s)
        sizes[least] += s.end - s.start
    return tuple(cut.of(sorted(group)) for group in made if group) or (cut.of(()),)
