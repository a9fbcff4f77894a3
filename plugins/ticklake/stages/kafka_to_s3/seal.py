"""Sealing: the manifest of a minute is put, and what does not belong beside it goes. The first writer wins."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.kafka_to_s3.leftovers import delete_leftovers
from ticklake.stages.kafka_to_s3.restore import restore
from ticklake.stages.kafka_to_s3.written import Written
from ticklake.stages.manifest_store import manifest_of

log = logging.getLogger(__name__)


def manifest_for(
    landing: Landing, minute: Minute, slices: tuple[OffsetRange, ...], gone: tuple[OffsetRange, ...], written: Written
) -> Manifest:
    """The manifest of a minute whose objects are stored; it is sealed when it is put.

    Args:
        landing: what to work with.
        minute: the minute.
        slices: what it took.
        gone: those of its offsets that Kafka no longer had.
        written: its objects.
    """
    return Manifest(
        table=landing.table,
        topic=landing.reader.topic,
        cluster_id=landing.reader.cluster_id,
        topic_id=landing.topic_id,
        minute=minute,
        sealed_at="",
        run_id=landing.run_id,
        slices=slices,
        objects=written.objects,
        rejected_objects=written.rejected_objects,
        lost=gone,
        min_timestamp=written.min_timestamp,
        max_timestamp=written.max_timestamp,
        early=written.early,
        late=written.late,
        seconds={"write": round(written.seconds, 3)},
    )


def put_manifest(landing: Landing, manifest: Manifest, found: set[str] | None, now: int) -> tuple[Manifest, bool]:
    """Put the manifest unless there is one; returns the one that counts, and whether it is ours.

    Args:
        landing: what to work with.
        manifest: of the minute.
        found: keys that lie under the minute's prefix; None: they are listed once it is sealed.
        now: the clock of the run that chose the slices, ms since the epoch. Another worker's may be behind it, and what was
            left to the next minute is dated by then: the seal is not before that.
    """
    minute = manifest.minute
    sealed_at = max(landing.clock(), datetime.fromtimestamp(now / 1000, UTC))
    manifest = replace(manifest, sealed_at=sealed_at.isoformat(timespec="milliseconds"))
    if landing.lake.put_if_absent(manifest_key(landing.table, minute), manifest.to_json()):
        delete_leftovers(landing, manifest, found)
        _tell(manifest)
        return manifest, True
    winner = manifest_of(landing.lake, landing.table, minute)
    if winner is None:
        raise LakeError(f"The manifest of {minute} was there and is gone.", "Nobody may delete manifests.")
    delete_leftovers(landing, winner, None if found is None else found | manifest.keys)
    _undo(landing, winner, manifest)
    log.info("%s was sealed meanwhile by run %s; its objects stand", minute, winner.run_id)
    return winner, False


def _undo(landing: Landing, winner: Manifest, loser: Manifest) -> None:
    """Restore those of the winner's objects over which we wrote other bytes: by another encoder, or after a compaction."""
    ours = {o.key: o.checksum for o in (*loser.objects, *loser.rejected_objects)}
    theirs = {o.key: o.checksum for o in (*winner.objects, *winner.rejected_objects)}
    if replaced := [key for key, checksum in theirs.items() if ours.get(key, checksum) != checksum]:
        restore(landing, winner, damaged=replaced).require_whole()


def _tell(manifest: Manifest) -> None:
    log.info(
        "Sealed %s: %s rows, %s rejected, %d objects, %s bytes, %d early, %d late, written in %.2f s",
        manifest.minute, f"{manifest.records:,}", f"{manifest.rejected:,}", len(manifest.keys),
        f"{sum(o.bytes for o in (*manifest.objects, *manifest.rejected_objects)):,}",
        manifest.early, manifest.late, manifest.seconds["write"],
    )  # fmt: skip
