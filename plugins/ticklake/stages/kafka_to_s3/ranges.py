"""The offset ranges of consecutive unsealed minutes: Kafka is asked here, the rules are `core.landing.offset_ranges`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.landing.offset_ranges import Clock, Cut, LogState, Offsets, Seen, cut
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.boundaries import Edge
from ticklake.stages.kafka_to_s3.time_index import TimeIndex


class Ranges:
    """What minutes take of the log as it is when this is made.

    Attributes:
        low: first offset that Kafka has, per Kafka partition.

    Args:
        reader: of the topic.
        minutes: all that may be asked for, oldest first.
        seen: how far the log went when the minute before them was sealed; None where that is not known.
        following: the sealed minute, or the origin, after them.
        now: the run's clock, ms since the epoch.
    """

    def __init__(
        self, reader: TopicReader, minutes: Sequence[Minute], seen: Seen | None, following: Edge | None, now: int
    ) -> None:
        self._reader = reader
        self._seen = seen
        self._following = following
        self._now = now
        # The end of the log is read before any time is looked up: see LogState.
        self._high, self.low = reader.high(), reader.low()
        self._ahead = reader.by_time(now + 1)
        self._index = TimeIndex(reader.by_time, minutes[-1].end_ms)
        # A run that came late has seen records dated in this one's windows, and rightly left them to it.
        late = seen is not None and minutes[0].end_ms <= seen.ms
        self._ahead_of_seen: Offsets = reader.by_time(seen.ms + 1) if seen and late else {}

    def cuts(self, minutes: Iterable[Minute], ends: Offsets | None) -> Iterator[tuple[Minute, Cut]]:
        """What each of consecutive minutes takes, when each is sealed as it is cut.

        Args:
            minutes: oldest first.
            ends: where the minute before them ended; None before a table's first minute.
        """
        following = self._following
        undecided: set[int] = set()
        for minute in minutes:
            log_state = LogState(
                low=self.low,
                high=self._high,
                by_time_start=self._reader.by_time(minute.start_ms) if ends is None else {},
                by_time_end=self._index.first_at(minute.end_ms),
                ahead=self._ahead,
            )
            clock = Clock(minute.end_ms, self._now, self._seen, self._ahead_of_seen)
            adjacent = following is not None and following.minute == minute.plus(1)
            found = cut(log_state, clock, ends, following.offsets if following else None, adjacent, undecided)
            yield minute, found
            undecided |= found.open.keys()
            ends = {s.partition: s.end for s in found.slices}
            # Records that came since the log was looked at may lie before the cut, where their time says so.
            self._high = {p: max(high, ends[p]) for p, high in self._high.items()}
