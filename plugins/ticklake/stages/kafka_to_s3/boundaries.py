"""What lies on either side of an unsealed minute, and which minutes before it are unsealed, too."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import Offsets, Seen
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Minute
from ticklake.core.moment import milliseconds
from ticklake.stages.kafka_to_s3.landing import Landing, require_same_topic
from ticklake.stages.manifest_store import agreed_origin, newest_before, oldest_after, origin_of


@dataclass(frozen=True)
class Edge:
    """Offsets at which a minute ends (before the one to land) or starts (after it), per Kafka partition."""

    minute: Minute
    offsets: Offsets
    sealed: Manifest | None = None

    @property
    def seen(self) -> Seen | None:
        """How far the log went when the minute was sealed; None where its manifest does not say."""
        if self.sealed is None:
            return None
        ends = {s.partition: s.log_end for s in self.sealed.slices if s.log_end is not None}
        return Seen(ends, milliseconds(self.sealed.sealed_at))


def edges_of(landing: Landing, minute: Minute) -> tuple[Edge | None, Edge | None]:
    """What lies before and after an unsealed minute: sealed ones, or the table's origin where that is nearer."""
    lake, table = landing.lake, landing.table
    sealed, origin, after = (
        newest_before(lake, table, minute),
        origin_of(lake, table),
        oldest_after(lake, table, minute),
    )
    for known in (sealed, origin, after):
        if known is not None:
            require_same_topic(landing, known)
    if sealed is None:
        origin = agreed_origin(lake, table, lambda: _begin(landing, minute, after))
    previous = Edge(sealed.minute, sealed.ends, sealed) if sealed else None
    if previous is None and origin and origin.minute <= minute:
        previous = Edge(origin.minute.plus(-1), origin.starts)
    if previous and origin and origin.minute > minute:
        previous = _behind_quiet(landing, previous, minute)
    following = Edge(after.minute, after.starts) if after else None
    if origin and origin.minute > minute and (following is None or origin.minute < following.minute):
        following = Edge(origin.minute, origin.starts)
    return previous, following


def _behind_quiet(landing: Landing, previous: Edge, minute: Minute) -> Edge:
    """The edge, moved over the minutes after it in which nothing was written; it ends at the same offsets.

    Before the origin no outage lies between two minutes: they were landed by hand. One of 2020, by mistake, would have the next
    backfill land millions of empty minutes.
    """
    reader = landing.reader
    high, low = reader.high(), reader.low()

    def written_by(end: int) -> bool:
        found = high | reader.by_time(end)
        return any(found[p] > max(previous.offsets.get(p, 0), low[p]) for p in found)

    between = range(previous.minute.minutes_to(minute) - 1)
    quiet = bisect_left(between, True, key=lambda n: written_by(previous.minute.plus(n + 1).end_ms))
    return Edge(previous.minute.plus(quiet), previous.offsets, previous.sealed)


def _begin(landing: Landing, minute: Minute, after: Manifest | None) -> Origin:
    """The origin of a table that has none; where minutes are sealed, it was removed: the oldest of them was the first."""
    if after is not None:
        return Origin(after.minute, after.starts, after.topic_id)
    # The end of the log is read first: a record that comes in between is taken, not skipped.
    high = landing.reader.high()
    return Origin(minute, high | landing.reader.by_time(minute.start_ms), landing.topic_id)


def minutes_to_land(previous: Edge | None, minute: Minute, limit: int) -> list[Minute]:
    """The minute and the unsealed ones before it, oldest first, at most ``limit``."""
    first = minute if previous is None else previous.minute.plus(1)
    return [first.plus(n) for n in range(min(first.minutes_to(minute) + 1, limit))]
