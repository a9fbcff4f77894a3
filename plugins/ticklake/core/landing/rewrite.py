"""What may take the place of a sealed minute's object: only what holds the rows that were sealed.

Kafka may have compacted or dropped records since, the topic may be another one, a broker may answer short. So an object is made
first and compared with its manifest, and only then uploaded.
"""

from __future__ import annotations

from ticklake.core.landing.gzip_writer import Packed
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.offset_ranges import Offsets


def not_in_log(stored: StoredObject, low: Offsets, high: Offsets) -> str | None:
    """Why the log cannot give the object's offsets, in words; None when it spans them.

    Args:
        stored: the object, as its manifest lists it.
        low: first offset that the log holds, per Kafka partition.
        high: end of the log.
    """
    p = stored.partition
    if p not in high:
        return f"the topic has no partition {p} any more: its offsets {stored.start} to {stored.end - 1} are gone"
    if low[p] > stored.start:
        gone = min(stored.end, low[p]) - 1
        return (
            f"Kafka holds partition {p} from offset {low[p]} on only (retention): "
            f"its offsets {stored.start} to {gone} are gone"
        )
    if high[p] < stored.end:
        return (
            f"the log of partition {p} ends at offset {high[p]}, short of its end {stored.end}: the log was cut back, or the "
            "broker that answered is behind"
        )
    return None


def differs(
    manifest: Manifest, stored: StoredObject, made: Packed | None, span: tuple[int | None, int | None]
) -> str | None:
    """Why what was made does not hold the rows that were sealed, in words; None when it does, whatever packed it.

    Args:
        manifest: the sealed minute.
        stored: the object, as the manifest lists it.
        made: what was made of its offsets; None: no row.
        span: smallest and largest timestamp of the records read.
    """
    if made is None or made.records < stored.records:
        return (
            f"Kafka gives {made.records if made else 0:,} of its {stored.records:,} records: the topic was compacted since, or "
            "a broker answered short"
        )
    if made.records > stored.records:
        more = f"Kafka gives {made.records:,} rows where {stored.records:,} were sealed"
        return f"{more}: other rules made them, or it is another topic"
    if made.checksum == stored.checksum:
        return None
    if stored.crc32 is not None:
        same = made.crc32 == stored.crc32
    else:
        # Written before rows had a checksum. The same encoder would have made the same bytes of the same rows.
        same = made.encoder != stored.encoder and _within(span, (manifest.min_timestamp, manifest.max_timestamp))
    if same:
        return None
    return "Kafka gives as many records, but other ones: other rules made its rows, or it is another topic"


def _within(inner: tuple[int | None, int | None], outer: tuple[int | None, int | None]) -> bool:
    (first, last), (begin, end) = inner, outer
    if first is None or last is None or begin is None or end is None:
        return False
    return begin <= first <= last <= end


def has_rows_of(content: Content, stored: StoredObject) -> bool:
    """Whether an object holds the very rows that were sealed, packed in another way."""
    return stored.crc32 is not None and (content.lines, content.crc32) == (stored.records, stored.crc32)
