"""Which offsets a minute takes from each Kafka partition: *offsets are the truth; time only chooses the cut*.

The rules, for a minute that is not sealed yet:

* it starts where the newest sealed minute before it ended; without one, at the table's origin (``core.origin``), and
  before the origin at the first record of its window;
* it ends at the first record of the next window; when there is none, at the end of the log;
* a minute directly before a sealed one, or before the origin, ends exactly where that one starts.

So consecutive manifests always touch, whatever the order of runs, twins or clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ticklake.core.errors import KafkaError

Offsets = Mapping[int, int]
"""Kafka partition -> offset."""


@dataclass(frozen=True, order=True)
class Slice:
    """What a minute takes from one Kafka partition: the offsets [start, end)."""

    partition: int
    start: int
    end: int

    def __post_init__(self) -> None:
        if self.partition < 0 or not 0 <= self.start <= self.end:
            raise ValueError(f"{self!r} is not a range of offsets")


@dataclass(frozen=True)
class LogState:
    """What Kafka says of the topic around a minute: per partition, offsets.

    Attributes:
        low: first offset that the log still holds.
        high: end of the log, read *before* ``by_time_end``: then no record of the window can be missed by it.
        by_time_start: first offset with a timestamp at or after the window's start; absent when there is none.
        by_time_end: the same for the window's end.
    """

    low: Offsets
    high: Offsets
    by_time_start: Offsets
    by_time_end: Offsets


def cut(log: LogState, previous: Offsets | None, following: Offsets | None, adjacent: bool) -> tuple[Slice, ...]:
    """The slices of an unsealed minute, one per Kafka partition, in order of partition.

    Args:
        log: the state of the log.
        previous: end offsets of the newest sealed minute before; None when there is none within the look-back.
        following: start offsets of the oldest sealed minute after; None when there is none.
        adjacent: the following sealed minute is the very next one.

    Raises:
        KafkaError: the log ends before offsets that were landed already: it is not the log that it was.
    """
    return tuple(_slice(p, log, previous, following, adjacent) for p in sorted(log.high))


def _slice(p: int, log: LogState, previous: Offsets | None, following: Offsets | None, adjacent: bool) -> Slice:
    # A partition that the previous minute did not know was added since: from its very beginning.
    start = log.by_time_start.get(p, log.high[p]) if previous is None else previous.get(p, 0)
    end = log.by_time_end.get(p, log.high[p])
    if following is not None:
        # A partition that the following sealed minute does not know did not exist then: it has nothing for us either.
        limit = following.get(p, 0)
        end = limit if adjacent else min(end, limit)
        start = start if previous is not None else min(start, limit)
    elif start > log.high[p]:
        raise KafkaError(
            f"Kafka partition {p} ends at offset {log.high[p]}, but offsets up to {start} were landed already.",
            "The topic was deleted and made again, or the connection leads to another cluster. "
            "Land it as another table, so that nothing is overwritten.",
        )
    # Records out of order in time (CreateTime) can put the time's cut before the previous end: then the slice is empty.
    return Slice(p, start, max(start, end))


def lost(slices: Iterable[Slice], low: Offsets) -> tuple[Slice, ...]:
    """The parts of the slices that Kafka no longer holds (retention), empty ones left out."""
    gone = (Slice(s.partition, s.start, max(s.start, min(s.end, low.get(s.partition, 0)))) for s in slices)
    return tuple(g for g in gone if g.end > g.start)


def readable(slices: Iterable[Slice], low: Offsets) -> tuple[Slice, ...]:
    """The parts of the slices that Kafka still holds, empty ones left out."""
    held = (Slice(s.partition, min(s.end, max(s.start, low.get(s.partition, 0))), s.end) for s in slices)
    return tuple(h for h in held if h.end > h.start)


def groups(slices: Iterable[Slice], count: int) -> tuple[tuple[Slice, ...], ...]:
    """The slices in at most ``count`` groups of about as many offsets; at least one, which may be empty."""
    made: list[list[Slice]] = [[] for _ in range(count)]
    sizes = [0] * count
    for s in sorted(slices, key=lambda s: (s.start - s.end, s.partition)):
        least = sizes.index(min(sizes))
        made[least].append(s)
        sizes[least] += s.end - s.start
    return tuple(tuple(sorted(group)) for group in made if group) or ((),)
