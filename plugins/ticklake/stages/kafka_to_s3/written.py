"""What was written of a minute: its objects, and what the manifest says of their records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ticklake.core.landing.manifest import StoredObject


@dataclass(frozen=True)
class Written:
    """What was written of a minute.

    Attributes:
        objects: in order of key.
        rejected_objects: likewise.
        min_timestamp: the smallest seen, ms since the epoch; None without records.
        max_timestamp: the largest.
        early: records with a timestamp at or after the window's end.
        late: records with a timestamp before the window's start.
        ends: Kafka partition -> end offset, as far as something was read of it.
        size: bytes before packing.
        seconds: how long it took; minutes written together began together.
    """

    objects: tuple[StoredObject, ...]
    rejected_objects: tuple[StoredObject, ...]
    min_timestamp: int | None
    max_timestamp: int | None
    early: int
    late: int
    ends: dict[int, int]
    size: int
    seconds: float


def merge(parts: Iterable[Written]) -> Written:
    """What several tasks have written of one minute, as one."""
    some = list(parts)
    return Written(
        tuple(sorted(o for w in some for o in w.objects)),
        tuple(sorted(o for w in some for o in w.rejected_objects)),
        min((w.min_timestamp for w in some if w.min_timestamp is not None), default=None),
        max((w.max_timestamp for w in some if w.max_timestamp is not None), default=None),
        sum(w.early for w in some),
        sum(w.late for w in some),
        {p: end for w in some for p, end in w.ends.items()},
        sum(w.size for w in some),
        max((w.seconds for w in some), default=0.0),
    )
