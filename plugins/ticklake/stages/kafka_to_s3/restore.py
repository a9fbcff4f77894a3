"""Sees that the objects of a sealed minute are all there and whole; writes again those that are not.

Make, compare, then upload: an object is replaced only by what holds what its manifest says. In this order:

1. what Kafka gives of its offsets, when that has the manifest's bytes;
2. what lies there already, when that has them: it stays (``force``, or S3 knows no checksum of it);
3. the newest of the bucket's versions that has them;
4. what Kafka gives, when it holds the same rows in other bytes, since another encoder packs them: then the manifest gets the
   new size, checksum and encoder, after the object. A run that dies between the two finds the object differing, and goes
   through this again;
5. what lies there, when it holds the same rows: then the manifest gets its size and checksum.

Else the object stays as it is. One that cannot be restored keeps none of the others from it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import KafkaError, LakeError, NotRestoredError, TicklakeError
from ticklake.core.landing.gzip_writer import Packed
from ticklake.core.landing.manifest import Manifest, StoredObject, with_bytes_of
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.landing.object_reader import read_content
from ticklake.core.landing.offset_ranges import Cut, OffsetRange, Offsets
from ticklake.core.landing.rewrite import differs, has_rows_of, not_in_log
from ticklake.stages.kafka_to_s3.landing import Landing, require_same_topic
from ticklake.stages.kafka_to_s3.leftovers import delete_leftovers
from ticklake.stages.kafka_to_s3.versions import put_back
from ticklake.stages.kafka_to_s3.write import make

log = logging.getLogger(__name__)

_HEADS_AT_ONCE = 8


class How(StrEnum):
    """What was done about an object."""

    KAFKA = "written again from Kafka"
    VERSION = "restored from the bucket's versions"
    REPACKED = "written again from Kafka by another encoder: the same rows, its manifest names the new bytes"
    ADOPTED = "left as it is: its rows are those that were sealed, packed otherwise; its manifest names the new bytes"
    KEPT = "left as it is: whole, and Kafka no longer gives the same bytes"


@dataclass(frozen=True)
class Restored:
    """What became of the objects of a sealed minute that had to be looked after, by key.

    Attributes:
        how: what was done.
        failed: why nothing could be done.
    """

    how: Mapping[str, How]
    failed: Mapping[str, TicklakeError]

    @property
    def rewritten(self) -> tuple[str, ...]:
        """Keys that were written again."""
        return tuple(key for key, how in self.how.items() if how in (How.KAFKA, How.VERSION, How.REPACKED))

    @property
    def renamed(self) -> bool:
        """Whether the manifest was changed: some objects have other bytes now."""
        return any(how in (How.REPACKED, How.ADOPTED) for how in self.how.values())

    @property
    def restored(self) -> tuple[str, ...]:
        """Those of them that came from the bucket's versions."""
        return tuple(key for key, how in self.how.items() if how is How.VERSION)

    def require_whole(self) -> None:
        """Raise for what failed, naming all of it: NotRestoredError, or what may go better the next time."""
        if not self.failed:
            return
        errors = self.failed.values()
        problem, remedy = " ".join(e.problem for e in errors), " ".join(dict.fromkeys(e.remedy for e in errors))
        for e in errors:
            if not isinstance(e, NotRestoredError):
                raise type(e)(problem, remedy)
        raise NotRestoredError(problem, remedy, self.rewritten, self.restored)


def restore(landing: Landing, manifest: Manifest, force: bool = False, damaged: Collection[str] = ()) -> Restored:
    """See that a sealed minute's objects are all there and whole; write again those that are not.

    Args:
        landing: what to work with.
        manifest: of the minute.
        force: write all of them again.
        damaged: keys of objects that are known to be missing or damaged; none: S3 is asked for sizes and checksums.
    """
    objects = (*manifest.objects, *manifest.rejected_objects)
    if damaged:
        wanted = tuple(o for o in objects if o.key in damaged)
    else:
        wanted = objects if force else tuple(_damaged(landing.lake, objects))
    how: dict[str, How] = {}
    failed: dict[str, TicklakeError] = {}
    log_of_topic = _Log(landing, manifest)
    for stored in wanted:
        try:
            how[stored.key] = _again(landing, manifest, stored, log_of_topic)
        except TicklakeError as e:
            log.error("%s", e)
            failed[stored.key] = e
    # The attempt that sealed it may have died, or S3 failed, before that was done.
    delete_leftovers(landing, manifest)
    _tell(manifest, len(objects), how, failed)
    return Restored(how, failed)


def _damaged(lake: Lake, objects: tuple[StoredObject, ...]) -> Iterator[StoredObject]:
    with ThreadPoolExecutor(_HEADS_AT_ONCE) as pool:
        for stored, found in zip(objects, pool.map(lake.head, [o.key for o in objects]), strict=True):
            if found != (stored.bytes, stored.checksum):
                log.warning("%s is %s", stored.key, "missing" if found is None else "not as it was written")
                yield stored


def _again(landing: Landing, manifest: Manifest, stored: StoredObject, topic: _Log) -> How:
    """Put one object right. Raises NotRestoredError, or what kept Kafka or S3 from answering."""
    lake = landing.lake
    made, fault = topic.give(stored)
    try:
        if made and not fault and made.checksum == stored.checksum:
            lake.put(stored.key, made.body, made.checksum)
            return How.KAFKA
        chunks = lake.stream(stored.key)
        there = None if chunks is None else read_content(chunks)
        if there and there.checksum == stored.checksum:
            log.info(
                "%s stays as it is: it is whole, and %s",
                stored.key,
                fault or f"{landing.encoder.name} packs it otherwise",
            )
            return How.KEPT
        if written := put_back(lake, stored):
            log.warning(
                "%s: restored from its version of %s%s", stored.key, written, f", since {fault}" if fault else ""
            )
            return How.VERSION
        if made and not fault:
            lake.put(stored.key, made.body, made.checksum)
            now = replace(stored, bytes=made.size, checksum=made.checksum, encoder=made.encoder)
            _name_new_bytes(landing, manifest, now)
            return How.REPACKED
        if there and has_rows_of(there, stored):
            _name_new_bytes(
                landing, manifest, replace(stored, bytes=there.bytes, checksum=there.checksum, encoder=None)
            )
            return How.ADOPTED
    finally:
        if made:
            made.body.close()
    raise _not_restored(landing, manifest, stored, "damaged" if there else "missing", fault)


def _name_new_bytes(landing: Landing, manifest: Manifest, stored: StoredObject) -> None:
    """Write an object's new bytes into its manifest, unless somebody changed that meanwhile: then into theirs."""
    key = manifest_key(landing.table, manifest.minute)

    def change(body: bytes | None) -> bytes:
        if body is None:
            raise LakeError(f"s3://{landing.lake.bucket}/{key} was there and is gone.", "Nobody may delete manifests.")
        return with_bytes_of(body, [stored])

    landing.lake.update(key, change)
    log.warning(
        "%s: the same rows as before, packed by %s: its manifest names the new bytes", stored.key, stored.encoder
    )


def _not_restored(
    landing: Landing, manifest: Manifest, stored: StoredObject, state: str, fault: str | KafkaError | None
) -> TicklakeError:
    place = f"s3://{landing.lake.bucket}/{stored.key}"
    none = "no version of it in the bucket has the bytes that were sealed"
    if isinstance(fault, KafkaError):
        return KafkaError(f"{place} is {state}, {none}, and Kafka did not give it: {fault.problem}", fault.remedy)
    return NotRestoredError(
        f"{place} is {state} ({stored.records:,} rows): {fault}, and {none}.",
        f"Put the object back from a backup of the bucket, then run the DAG reland for {manifest.minute}. Without a backup "
        "these rows are gone: produce them again from their source, and they land in a later minute.",
    )


class _Log:
    """The topic, asked for the offsets of one minute's objects. Once it did not answer it is not asked again."""

    def __init__(self, landing: Landing, manifest: Manifest) -> None:
        self._landing, self._manifest = landing, manifest
        self._edges: tuple[Offsets, Offsets] | None = None
        self._fault: str | KafkaError | None = None

    def give(self, stored: StoredObject) -> tuple[Packed | None, str | KafkaError | None]:
        """An object as Kafka would have it now, and why it is not what was sealed; whoever gets its body closes it."""
        if self._fault is None and self._edges is None:
            try:
                # Another topic's records at these offsets are other records.
                require_same_topic(self._landing, self._manifest)
            except KafkaError as e:
                self._fault = e.problem.rstrip(".")
        if self._fault is not None:
            return None, self._fault
        try:
            return self._made(stored)
        except KafkaError as e:
            self._fault = e
            return None, e

    def _made(self, stored: StoredObject) -> tuple[Packed | None, str | None]:
        reader, minute = self._landing.reader, self._manifest.minute
        if self._edges is None:
            self._edges = reader.low(), reader.high()
        if fault := not_in_log(stored, *self._edges):
            return None, fault
        offsets = OffsetRange(stored.partition, stored.start, stored.end)
        kept: list[Packed] = []

        def keep(key: str, packed: Packed) -> None:
            if key == stored.key:
                kept.append(packed)
            else:
                packed.body.close()  # the other zone's

        # One object, however large: the range is what an object held before.
        [written] = make(self._landing, [(minute, Cut((offsets,)))], 2**62, keep)
        made = kept[0] if kept else None
        return made, differs(self._manifest, stored, made, (written.min_timestamp, written.max_timestamp))


def _tell(manifest: Manifest, objects: int, how: Mapping[str, How], failed: Collection[str]) -> None:
    said = [f"{sum(h is one for h in how.values())} {one}" for one in How if one in how.values()]
    if failed:
        said.append(f"{len(failed)} NOT RESTORED")
    log.info(
        "%s is sealed (%s): %d objects, %s",
        manifest.minute,
        manifest.sealed_at,
        objects,
        "; ".join(said) or "all there",
    )
    for gone in manifest.lost:
        log.warning("%s: offsets %d to %d of Kafka partition %d were lost before it was sealed",
                    manifest.minute, gone.start, gone.end - 1, gone.partition)  # fmt: skip
