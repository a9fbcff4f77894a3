"""Reconcile's rule of timeliness: no minute stopped short of a record that was due.

A manifest keeps how far the log went when its minute was sealed (``log_end`` of a slice). Of the offsets that a slice left,
the first record is dated from the minute's end to the seal: it is the next minutes'. A later date means that a record from the
future held the minute's end, an earlier one that a record waited without a reason.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_reader import Content
from ticklake.core.minute import Minute
from ticklake.core.moment import milliseconds, moment
from ticklake.core.proof.reconcile import Finding, Kind, Place, stored

Candidate = tuple[int, int | None]
"""Offset and timestamp of what may be a record behind a slice; None: there is something, and it cannot be read."""


@dataclass(frozen=True)
class Left:
    """Offsets [end, log_end) of a Kafka partition that a minute left to the next ones, and when (ms) it was sealed."""

    minute: Minute
    partition: int
    end: int
    log_end: int
    sealed_ms: int


@dataclass
class Timeliness:
    """What is known of the ends of some minutes, one a Kafka partition.

    Attributes:
        timely: ends that are proven.
        unproven: those that are not, and cannot be.
        open: what is not decided yet.
        short: what stopped short, each with the record that waited.
    """

    timely: int = 0
    unproven: int = 0
    open: list[Left] = field(default_factory=list)
    short: list[tuple[Left, Place]] = field(default_factory=list)

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> Timeliness:
        """What the manifests say: undecided where something was left, unproven where they do not say it."""
        found = cls()
        for m in manifests:
            sealed_ms = milliseconds(m.sealed_at)
            for s in m.slices:
                if s.log_end is None:
                    found.unproven += 1
                elif s.log_end == s.end:
                    found.timely += 1
                else:
                    found.open.append(Left(m.minute, s.partition, s.end, s.log_end, sealed_ms))
        return found

    def decide(self, candidates: Mapping[int, Sequence[Candidate]]) -> None:
        """Decide by records, by Kafka partition in order of offset; open stays what none of them lies behind.

        The first record behind an end is among them when any record behind that end is.
        """
        still = []
        for left in self.open:
            some = candidates.get(left.partition, ())
            at = bisect_left(some, left.end, key=lambda candidate: candidate[0])
            if at == len(some):
                still.append(left)
                continue
            offset, ms = some[at]
            if offset >= left.log_end or (ms is not None and left.minute.end_ms <= ms <= left.sealed_ms):
                self.timely += 1
            elif ms is not None and offset == left.end:
                self.short.append((left, (offset, ms)))
            else:
                # Another record may have stood at the end itself, which ended the minute rightly, and be gone (compaction,
                # retention); or what stands there is a transaction's marker.
                self.unproven += 1
        self.open = still

    def nothing_lies_behind(self, partitions: Iterable[int]) -> None:
        """In these Kafka partitions no record lies where the open ones left offsets: transaction markers only."""
        known = set(partitions)
        self.timely += sum(left.partition in known for left in self.open)
        self.open = [left for left in self.open if left.partition not in known]

    def give_up(self) -> None:
        """Nothing more is known: what is open stays unproven."""
        self.unproven += len(self.open)
        self.open = []

    def findings(self) -> Iterator[Finding]:
        """A finding for each record that waited, with all the minutes that stopped short of it."""
        order = sorted(self.short, key=lambda found: (found[0].partition, found[0].minute))
        for (partition, place), some in groupby(order, key=lambda found: (found[0].partition, found[1])):
            minutes = [left for left, _ in some]
            first, last = minutes[0], minutes[-1]
            subject = f"{first.minute}" if first is last else f"{first.minute} to {last.minute}"
            future = place[1] > first.sealed_ms
            why = "after the seal" if future else "before the minute's end"
            bound = moment(first.sealed_ms if future else first.minute.end_ms)
            yield Finding(
                Kind.WAITING,
                f"{subject} Kafka partition {partition}",
                f"stopped short at offset {first.end} of {last.log_end}: the first record left, offset {place[0]}, is dated"
                f" {moment(place[1])}, {why} ({bound})",
                "The record comes with a later minute; a sealed one does not change. Is every worker of this version? The"
                " topic's message.timestamp.type=LogAppendTime keeps such dates out.",
            )


def rows_by_offset(manifests: Sequence[Manifest], contents: Mapping[str, Content]) -> dict[int, list[Candidate]]:
    """The first row of each object, by Kafka partition: the first record behind a slice is one of them.

    Slices touch and objects do not cross them. What an object that is missing or damaged holds is not known.
    """
    found: defaultdict[int, list[Candidate]] = defaultdict(list)
    for o in stored(manifests):
        content = contents.get(o.key)
        found[o.partition].append(content.first if content and content.first else (o.start, None))
    return {
        p: sorted(some, key=lambda candidate: (candidate[0], candidate[1] is not None)) for p, some in found.items()
    }
