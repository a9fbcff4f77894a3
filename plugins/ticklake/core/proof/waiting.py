"""What waits in Kafka to be sealed: a difference of offsets, and since when the oldest record waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ticklake.core.errors import KafkaError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import Offsets
from ticklake.core.landing.topic_identity import another_topic, log_cut_back
from ticklake.core.moment import milliseconds

Place = tuple[int, int]
"""Offset and timestamp (ms since the epoch) of a record."""


@dataclass(frozen=True)
class LogEnds:
    """A topic's log, by Kafka partition.

    Attributes:
        topic: its name; topic_id: Kafka's id of it, None where Kafka gives none.
        low: first offset that the log holds.
        stable: last stable offset: what lies before is committed, or no transaction's.
        high: high watermark; what lies between is held back by an open transaction.
    """

    topic: str
    topic_id: str | None
    low: Offsets
    stable: Offsets
    high: Offsets


def not_the_topic(log: LogEnds, newest: Manifest | None) -> KafkaError | None:
    """What to say when the newest sealed minute is of another topic of that name; None when it is of this one."""
    if newest is None:
        return None
    landed = f"{newest.table} at {newest.minute}"
    return another_topic(log.topic, log.topic_id, newest.topic_id, landed) or log_cut_back(
        log.topic, newest.ends, log.high, landed
    )


def lag(log: LogEnds, newest: Manifest | None) -> dict[int, int]:
    """Offsets that are committed and in no sealed minute, by Kafka partition; what retention took does not wait any more."""
    return {p: max(0, end - start) for p, (start, end) in unsealed(log, newest).items()}


def unsealed(log: LogEnds, newest: Manifest | None) -> dict[int, tuple[int, int]]:
    """Kafka partition -> [start, end) of the offsets that wait."""
    ends = newest.ends if newest else {}
    return {p: (max(ends.get(p, 0), log.low.get(p, 0)), stable) for p, stable in log.stable.items()}


def held_back(log: LogEnds) -> dict[int, int]:
    """Offsets behind an open transaction's first record, by Kafka partition; those without any are left out."""
    return {p: high - log.stable[p] for p, high in log.high.items() if high > log.stable.get(p, high)}


def waiting_since(partition: int, first: Place, newest: Manifest | None, now_ms: int) -> int:
    """Since when (ms) the first record that is not sealed waits: by its own date, as far as that can be true.

    A producer may date it as it likes. What was there at the newest seal waits since then at least; what was not cannot have
    come before that minute's end.
    """
    offset, ms = first
    if newest is None:
        return min(ms, now_ms)
    log_ends: Mapping[int, int | None] = {s.partition: s.log_end for s in newest.slices}
    log_end = log_ends.get(partition, 0)
    if log_end is None:
        return min(ms, now_ms)
    if offset < log_end:
        return min(ms, milliseconds(newest.sealed_at))
    return min(max(ms, newest.minute.end_ms), now_ms)
