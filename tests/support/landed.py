"""Landed minutes without Kafka: objects and manifest as `kafka_to_s3` leaves them."""

import gzip
import json
from collections.abc import Mapping, Sequence

from ticklake.clients.aws.s3 import Lake
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import RAW, ObjectKey, manifest_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute

INDICES = ("HSI", "NYA", "J203.JO")


def tick(partition: int, offset: int, minute: Minute) -> dict[str, object]:
    """One row of the table."""
    return {
        "Index": INDICES[partition % len(INDICES)],
        "Date": "1987-01-02",
        "Open": 100.5,
        "Close": 100 + offset / 4,
        "Adj Close": 100 + offset / 4,
        "Volume": offset,
        "kafka_partition": partition,
        "kafka_offset": offset,
        "kafka_timestamp": minute.start_ms + offset % 1000,
    }


def put_object(lake: Lake, table: str, minute: Minute, partition: int, start: int, end: int) -> StoredObject:
    """An object with these offsets, whether or not a manifest will ever list it."""
    key = str(ObjectKey(RAW, table, minute, partition, start, end))
    rows = [json.dumps(tick(partition, offset, minute)) for offset in range(start, end)]
    body = gzip.compress("".join(f"{row}\n" for row in rows).encode(), mtime=0)
    lake.put(key, body)
    return StoredObject(key, partition, start, end, len(rows), len(body), "")


def seal(
    lake: Lake, table: str, minute: Minute, slices: Sequence[OffsetRange], objects: Sequence[StoredObject]
) -> None:
    """The minute's manifest."""
    manifest = Manifest(
        table, "topic", "cluster", None, minute, "2026-11-22T10:06:00+00:00", "run", tuple(slices), tuple(objects), (), (),
        None, None, 0, 0, {},
    )  # fmt: skip
    lake.put(manifest_key(table, minute), manifest.to_json())


def land(lake: Lake, table: str, minute: str, offsets: Mapping[int, tuple[int, int]]) -> None:
    """Objects and manifest of a minute: Kafka partition -> [first, end) offsets."""
    at = Minute.parse(minute)
    slices = [OffsetRange(p, start, end) for p, (start, end) in offsets.items()]
    objects = [put_object(lake, table, at, s.partition, s.start, s.end) for s in slices if s.end > s.start]
    seal(lake, table, at, slices, objects)
