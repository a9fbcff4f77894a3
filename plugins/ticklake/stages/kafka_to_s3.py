"""Lands minutes of a topic in S3, each exactly once. Write, then seal: the manifest is the last thing written.

Offsets are the truth; time only chooses the cut (``core.slices``). An object's key names its offsets, so a retry, a twin or a
zombie can only rewrite what is there. The first writer of a minute's manifest wins (``If-None-Match``); a loser deletes those
of its objects that the winner does not list, and goes on from the winner's end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ticklake.clients.kafka import TopicReader
from ticklake.clients.s3 import Lake
from ticklake.core.errors import KafkaError, LakeError, LostOffsetsError, NotOverError
from ticklake.core.keys import RAW, REJECTED, ObjectKey, hour_prefix, manifest_key, minute_prefix
from ticklake.core.manifest import Manifest, StoredObject
from ticklake.core.minute import Minute
from ticklake.core.origin import Origin
from ticklake.core.settings import Stream
from ticklake.core.slices import LogState, Offsets, Slice, cut, lost, readable
from ticklake.core.topic_identity import require_same_topic
from ticklake.stages.minute_writer import MinuteWriter, Written
from ticklake.stages.sealed import agreed_origin, manifest_of, newest_before, oldest_after, origin_of

log = logging.getLogger(__name__)

# Of each partition librdkafka queues some megabytes: more of them at once cost memory and gain nothing on one process.
_PARTITIONS_AT_ONCE = 4
_HEADS_AT_ONCE = 8
_COMMIT_SECONDS = 5.0


@dataclass(frozen=True)
class Landed:
    """What a run did: minutes that it sealed or found sealed by a twin, oldest first; keys that it wrote again."""

    manifests: tuple[Manifest, ...]
    rewritten: tuple[str, ...] = ()


@dataclass(frozen=True)
class Landing:
    """What the stage works with: the topic, the bucket, the stream's settings, the run's name, Kafka's id of the topic."""

    reader: TopicReader
    lake: Lake
    stream: Stream
    run_id: str
    topic_id: str | None

    @property
    def table(self) -> str:
        """Name of the table."""
        return self.stream.table.name


def land(landing: Landing, minute: Minute, now: datetime, force: bool = False) -> Landed:
    """Land a minute, and before it every unsealed minute since the newest sealed one.

    Args:
        landing: what to work with.
        minute: the run's minute.
        now: the time; a minute that is not over cannot be landed.
        force: write all objects of a sealed minute again.

    Raises:
        NotOverError: the minute is not over.
        LostOffsetsError: sealed, but Kafka no longer had some offsets; which ones stands in the manifest.
        KafkaError, LakeError: nothing is sealed but what was; a retry goes on there.
    """
    if minute.plus(1).start > now:
        raise NotOverError(f"The minute {minute} is not over yet.", "A minute can be landed once it has ended.")
    sealed = manifest_of(landing.lake, landing.table, minute)
    if sealed is not None:
        return Landed((sealed,), _restore(landing, sealed, force))
    previous, following = _edges(landing, minute)
    if previous and previous.sealed:
        # Once more, a minute later: a loser of that seal, or one that slept, may have died before it cleaned up.
        _delete_leftovers(landing, previous.sealed)
    wanted = _minutes(previous, minute, landing.stream.landing.catch_up_minutes)
    if len(wanted) > 1:
        log.info("Catching up %d unsealed minutes, %s to %s", len(wanted), wanted[0], wanted[-1])
    manifests = tuple(_land_all(landing, wanted, previous, following))
    _complain_of_losses(manifests)
    if wanted[-1] != minute:
        raise LakeError(
            f"Landed {len(wanted)} minutes up to {wanted[-1]}, the limit of one run; {minute} comes after them.",
            "The next run goes on there; `catch_up_minutes` in the stream file is the limit.",
        )
    return Landed(manifests)


@dataclass(frozen=True)
class _Edge:
    """Offsets at which a minute ends (before the one to land) or starts (after it), per Kafka partition."""

    minute: Minute
    offsets: Offsets
    sealed: Manifest | None = None


def _edges(landing: Landing, minute: Minute) -> tuple[_Edge | None, _Edge | None]:
    """What lies before and after an unsealed minute: sealed ones, or the table's origin where that is nearer."""
    lake, table, lookback = landing.lake, landing.table, landing.stream.landing.lookback_hours
    sealed, origin, after = (
        newest_before(lake, table, minute, lookback),
        origin_of(lake, table),
        oldest_after(lake, table, minute),
    )
    for known in (sealed, origin, after):
        if known is not None:
            _require_same_topic(landing, known)
    if sealed is None:
        origin = agreed_origin(lake, table, minute, lambda: _begin(landing, minute), lookback)
    previous = _Edge(sealed.minute, sealed.ends, sealed) if sealed else None
    if previous is None and origin and origin.minute <= minute:
        previous = _Edge(origin.minute.plus(-1), origin.starts)
    following = _Edge(after.minute, after.starts) if after else None
    if origin and origin.minute > minute and (following is None or origin.minute < following.minute):
        following = _Edge(origin.minute, origin.starts)
    return previous, following


def _begin(landing: Landing, minute: Minute) -> Origin:
    # The end of the log is read first: a record that comes in between is taken, not skipped.
    high = landing.reader.high()
    return Origin(minute, high | landing.reader.by_time(minute.start_ms), landing.topic_id)


def _require_same_topic(landing: Landing, known: Manifest | Origin) -> None:
    require_same_topic(landing.reader.topic, landing.topic_id, known.topic_id, f"{landing.table} at {known.minute}")


def _minutes(previous: _Edge | None, minute: Minute, limit: int) -> list[Minute]:
    first = minute if previous is None else previous.minute.plus(1)
    count = int((minute.start - first.start).total_seconds()) // 60 + 1
    return [first.plus(n) for n in range(min(count, limit))]


def _land_all(
    landing: Landing, minutes: Sequence[Minute], previous: _Edge | None, following: _Edge | None
) -> Iterator[Manifest]:
    # The end of the log is read before any time is looked up: see LogState.
    high, low = landing.reader.high(), landing.reader.low()
    committed = time.monotonic()
    leftovers: dict[Minute, set[str]] = {}
    for minute in minutes:
        last = minute == minutes[-1]
        if not last and minute not in leftovers:
            leftovers = _leftovers_by_minute(landing, minute)
        log_state = LogState(
            low=low,
            high=high,
            by_time_start=landing.reader.by_time(minute.start_ms) if previous is None else {},
            by_time_end=landing.reader.by_time(minute.end_ms),
        )
        slices = cut(
            log_state,
            previous.offsets if previous else None,
            following.offsets if following else None,
            adjacent=following is not None and following.minute == minute.plus(1),
        )
        manifest, ours = _land_one(landing, minute, slices, low, None if last else leftovers[minute])
        if last or time.monotonic() - committed > _COMMIT_SECONDS:
            landing.reader.commit(manifest.ends)
            committed = time.monotonic()
        previous = _Edge(minute, manifest.ends)
        if not ours:
            # The winner may have seen more of the log than we had when we began.
            high, low = landing.reader.high(), landing.reader.low()
        yield manifest


def _land_one(
    landing: Landing, minute: Minute, slices: tuple[Slice, ...], low: dict[int, int], leftovers: set[str] | None
) -> tuple[Manifest, bool]:
    """Write and seal one minute; returns the manifest that counts, and whether it is ours.

    ``leftovers`` are the keys under its prefix before; None when more minutes do not follow: then they are listed afterwards.
    """
    began = time.monotonic()
    written = _write(landing, minute, readable(slices, low))
    wrote = time.monotonic()
    manifest = Manifest(
        table=landing.table,
        topic=landing.reader.topic,
        cluster_id=landing.reader.cluster_id,
        topic_id=landing.topic_id,
        minute=minute,
        sealed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        run_id=landing.run_id,
        slices=slices,
        objects=written.objects,
        rejected_objects=written.rejected_objects,
        lost=lost(slices, low),
        min_timestamp=written.min_timestamp,
        max_timestamp=written.max_timestamp,
        early=written.early,
        late=written.late,
        seconds={"write": round(wrote - began, 3)},
    )
    if landing.lake.put_if_absent(manifest_key(landing.table, minute), manifest.to_json()):
        _delete_leftovers(landing, manifest, leftovers)
        _tell(manifest, time.monotonic() - began)
        return manifest, True
    winner = manifest_of(landing.lake, landing.table, minute)
    if winner is None:
        raise LakeError(f"The manifest of {minute} was there and is gone.", "Nobody may delete manifests.")
    landing.lake.delete(manifest.keys - winner.keys)
    log.info("%s was sealed meanwhile by run %s; its objects stand", minute, winner.run_id)
    return winner, False


def _write(landing: Landing, minute: Minute, slices: tuple[Slice, ...]) -> Written:
    writer = MinuteWriter(landing.lake, landing.table, minute, landing.stream.landing.object_bytes)
    try:
        for i in range(0, len(slices), _PARTITIONS_AT_ONCE):
            some = slices[i : i + _PARTITIONS_AT_ONCE]
            writer.begin(some)
            for batch in landing.reader.read(some):
                writer.take(batch)
            writer.end(some)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def _delete_leftovers(landing: Landing, manifest: Manifest, found: set[str] | None = None) -> None:
    """Remove what attempts that were killed have left under a minute's prefix; only after sealing: a twin might win."""
    if found is None:
        prefixes = [minute_prefix(zone, landing.table, manifest.minute) for zone in (RAW, REJECTED)]
        found = {entry.key for prefix in prefixes for entry in landing.lake.list(prefix)}
    leftovers = found - manifest.keys
    if leftovers:
        log.warning("%s: removing leftovers of an attempt that ended early: %s", manifest.minute, sorted(leftovers))
        landing.lake.delete(leftovers)


def _leftovers_by_minute(landing: Landing, minute: Minute) -> dict[Minute, set[str]]:
    """What lies under the prefixes of this hour's minutes: in a catch-up two listings an hour, not a minute."""
    found: dict[Minute, set[str]] = {m: set() for m in minute.hour.minutes()}
    for zone in (RAW, REJECTED):
        for entry in landing.lake.list(hour_prefix(zone, landing.table, minute.hour)):
            with suppress(LakeError):  # a stranger's: reconcile tells of it
                found[ObjectKey.parse(entry.key).minute].add(entry.key)
    return found


def _restore(landing: Landing, manifest: Manifest, force: bool) -> tuple[str, ...]:
    """See that a sealed minute's objects are all there and whole; write again those that are not."""
    objects = (*manifest.objects, *manifest.rejected_objects)
    damaged = objects if force else tuple(_damaged(landing.lake, objects))
    if damaged:
        # Another topic's records at these offsets are other records.
        _require_same_topic(landing, manifest)
        low = landing.reader.low()
        for stored in damaged:
            _rewrite(landing, manifest.minute, stored, low)
    # The attempt that sealed it may have died, or S3 failed, before that was done.
    _delete_leftovers(landing, manifest)
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
    writer = MinuteWriter(landing.lake, landing.table, minute, object_bytes=2**62, zones=zones)
    writer.begin([offsets])
    for batch in landing.reader.read([offsets]):
        writer.take(batch)
    writer.end([offsets])
    written = writer.finish()
    again = {o.key: o for o in (*written.objects, *written.rejected_objects)}.get(stored.key)
    if again is None or again.records != stored.records:
        raise KafkaError(
            f"{stored.key} held {stored.records} records; Kafka now gives {again.records if again else 0}."
        )
    if again.checksum != stored.checksum:
        log.warning(
            "%s: same records, other bytes than before (another isal, or another kind of processor)", stored.key
        )


def _complain_of_losses(manifests: Iterable[Manifest]) -> None:
    gone = [f"{m.minute}: partition {s.partition} offsets {s.start} to {s.end - 1}" for m in manifests for s in m.lost]
    if gone:
        raise LostOffsetsError(
            f"Kafka no longer had these offsets when their minute was landed: {'; '.join(gone)}.",
            "The minutes are sealed with the loss written in their manifests; raise the topic's retention.",
        )


def _tell(manifest: Manifest, seconds: float) -> None:
    log.info(
        "Sealed %s: %s rows, %s rejected, %d objects, %s bytes, %d early, %d late, %.2f s",
        manifest.minute, f"{manifest.records:,}", f"{manifest.rejected:,}", len(manifest.keys),
        f"{sum(o.bytes for o in (*manifest.objects, *manifest.rejected_objects)):,}",
        manifest.early, manifest.late, seconds,
    )  # fmt: skip
