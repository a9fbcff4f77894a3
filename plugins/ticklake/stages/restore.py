"""Sees that the objects of a sealed minute are all there and whole; writes again those that are not, from the same offsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ticklake.clients.s3 import Lake
from ticklake.core.errors import KafkaError, LostOffsetsError
from ticklake.core.keys import RAW, REJECTED
from ticklake.core.manifest import Manifest, StoredObject
from ticklake.core.minute import Minute
from ticklake.core.slices import Slice, lost
from ticklake.stages.landing import Landing, delete_leftovers, require_same_topic
from ticklake.stages.minute_writer import MinuteWriter, pools

log = logging.getLogger(__name__)

_HEADS_AT_ONCE = 8


def restore(landing: Landing, manifest: Manifest, force: bool) -> tuple[str, ...]:
    """See that a sealed minute's objects are all there and whole; write again those that are not."""
    objects = (*manifest.objects, *manifest.rejected_objects)
    damaged = objects if force else tuple(_damaged(landing.lake, objects))
    if damaged:
        # Another topic's records at these offsets are other records.
        require_same_topic(landing, manifest)
        low = landing.reader.low()
        for stored in damaged:
            _rewrite(landing, manifest.minute, stored, low)
    # The attempt that sealed it may have died, or S3 failed, before that was done.
    delete_leftovers(landing, manifest)
    log.info(
        "%s is sealed (%s): %d objects, %s", manifest.minute, manifest.sealed_at, len(objects),
        f"{len(damaged)} written again" if damaged else "all there",
    )  # fmt: skip
    for gone in manifest.lost:
        log.warning("%s: offsets %d to %d of Kafka partition %d were lost before it was sealed",
                    manifest.minute, gone.start, gone.end - 1, gone.partition)  # fmt: skip
    return tuple(o.key for o in damaged)


def _damaged(lake: Lake, objects: tuple[StoredObject, ...]) -> Iterator[StoredObject]:
    with ThreadPoolExecutor(_HEADS_AT_ONCE) as pool:
        for stored, found in zip(objects, pool.map(lake.head, [o.key for o in objects]), strict=True):
            if found != (stored.bytes, stored.checksum):
                log.warning("%s is %s", stored.key, "missing" if found is None else "not as it was written")
                yield stored


def _rewrite(landing: Landing, minute: Minute, stored: StoredObject, low: dict[int, int]) -> None:
    """Read exactly the object's offsets again and write it."""
    offsets = Slice(stored.partition, stored.start, stored.end)
    if lost([offsets], low):
        raise LostOffsetsError(
            f"s3://{landing.lake.bucket}/{stored.key} is missing or damaged, and Kafka holds partition {stored.partition} "
            f"from offset {low[stored.partition]} on only: its offsets {stored.start} to {stored.end - 1} are gone.",
            "Restore the object from the bucket's versions.",
        )
    # One object, however large: the range is what an object held before.
    zones = (RAW,) if stored.key.startswith(f"{RAW}/") else (REJECTED,)
    with pools() as shared:
        writer = MinuteWriter(landing.lake, landing.table, minute, 2**62, shared, zones)
        writer.begin(stored.partition, stored.start)
        for batch in landing.reader.read([offsets]):
            writer.take(batch)
        writer.end(stored.partition, stored.end)
        written = writer.finish(time.monotonic())
    again = {o.key: o for o in (*written.objects, *written.rejected_objects)}.get(stored.key)
    if again is None or again.records != stored.records:
        raise KafkaError(
            f"{stored.key} held {stored.records} records; Kafka now gives {again.records if again else 0}."
        )
    if again.checksum != stored.checksum:
        log.warning(
            "%s: same records, other bytes than before (another isal, or another kind of processor)", stored.key
        )
