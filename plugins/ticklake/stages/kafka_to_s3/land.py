"""Lands minutes of a topic in S3, each exactly once. Write, then seal: the manifest is the last thing written.

Offsets are the truth; time only chooses the cut (``offset_ranges``). An object's key names its offsets, so a retry, a twin or a
zombie can only rewrite what is there. The first writer of a minute's manifest wins (``If-None-Match``); a loser deletes those
of its objects that the winner does not list, and goes on from the winner's end.

``land`` does it all. ``prepare``, ``write_part`` and ``seal`` do the same in steps, so that several tasks can write a minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from ticklake.core.errors import LostOffsetsError, NotOverError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import Cut, OffsetRange, Offsets, groups, lost
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.boundaries import Edge, edges_of, minutes_to_land
from ticklake.stages.kafka_to_s3.landing import Landed, Landing
from ticklake.stages.kafka_to_s3.leftovers import delete_late_leftovers, leftovers_by_minute
from ticklake.stages.kafka_to_s3.ranges import Ranges
from ticklake.stages.kafka_to_s3.restore import restore
from ticklake.stages.kafka_to_s3.seal import manifest_for, put_manifest
from ticklake.stages.kafka_to_s3.write import LARGEST_RECORD, within, write
from ticklake.stages.kafka_to_s3.written import Written, merge
from ticklake.stages.manifest_store import manifest_of, newest_before

log = logging.getLogger(__name__)

_COMMIT_SECONDS = 5.0


@dataclass(frozen=True)
class Prepared:
    """A minute that several may write now.

    Attributes:
        landed: unsealed minutes before it, landed already; the minute itself when it was sealed before.
        cut: what the minute takes; without slices when it was sealed before, or lies beyond the limit of one run.
        lost: those of its offsets that Kafka no longer has.
        parts: what is to be read of the cut, in parts of about as many offsets; at least one.
    """

    landed: Landed
    cut: Cut
    lost: tuple[OffsetRange, ...]
    parts: tuple[Cut, ...]


def land(landing: Landing, minute: Minute, now: datetime, force: bool = False) -> Landed:
    """Land a minute, and before it every unsealed minute since the newest sealed one, as many as one run may.

    Args:
        landing: what to work with.
        minute: the run's minute.
        now: the time; a minute that is not over cannot be landed.
        force: write all objects of a sealed minute again.

    Raises:
        NotOverError: the minute is not over.
        LostOffsetsError: sealed, but Kafka no longer had some offsets; which ones stands in the manifest.
        NotRestoredError: sealed, and some of its objects are missing or damaged for good; all others are whole.
        KafkaError, LakeError: nothing is sealed but what was; a retry goes on there.
    """
    sealed = _sealed_before(landing, minute, now, force)
    if sealed is not None:
        return sealed
    unsealed = _unsealed(landing, minute, now)
    manifests = tuple(unsealed.land(len(unsealed.minutes)))
    _raise_for_losses(manifests)
    unsealed.reaches(minute)
    return Landed(manifests)


def prepare(landing: Landing, minute: Minute, now: datetime, parts: int, force: bool = False) -> Prepared:
    """Do all of ``land`` but the minute's own objects and seal. Raises as ``land`` does.

    Args:
        landing: what to work with.
        minute: the run's minute.
        now: the time.
        parts: in how many parts the minute shall be written.
        force: write all objects of a sealed minute again.
    """
    sealed = _sealed_before(landing, minute, now, force)
    if sealed is not None:
        return Prepared(sealed, Cut(()), (), (Cut(()),))
    unsealed = _unsealed(landing, minute, now)
    before = [m for m in unsealed.minutes if m != minute]
    manifests = tuple(unsealed.land(len(before)))
    _raise_for_losses(manifests)
    if not unsealed.reaches(minute):
        return Prepared(Landed(manifests), Cut(()), (), (Cut(()),))
    own = unsealed.next_cut(minute)
    return Prepared(Landed(manifests), own, lost(own.slices, unsealed.low), groups(own.readable(unsealed.low), parts))


def write_part(landing: Landing, minute: Minute, part: Cut) -> Written:
    """Write the objects of a part of the minute's cut; seals nothing. The same keys and bytes, whatever the parts."""
    [written] = write(landing, [(minute, part)])
    return written


def seal(landing: Landing, minute: Minute, own: Cut, gone: tuple[OffsetRange, ...], parts: Iterable[Written]) -> Landed:
    """Seal a minute whose parts are written; the first writer wins. Raises LostOffsetsError as ``land`` does."""
    written = merge(parts)
    manifest, _ = put_manifest(
        landing, manifest_for(landing, minute, own.settled(None, written.ends), gone, written), None, own.now
    )
    landing.reader.commit(manifest.ends)
    _raise_for_losses([manifest])
    return Landed((manifest,))


def _sealed_before(landing: Landing, minute: Minute, now: datetime, force: bool) -> Landed | None:
    """Look after a minute that is sealed; None when it is not."""
    if minute.plus(1).start > now:
        raise NotOverError(f"The minute {minute} is not over yet.", "A minute can be landed once it has ended.")
    sealed = manifest_of(landing.lake, landing.table, minute)
    if sealed is None:
        return None
    restored = restore(landing, sealed, force)
    restored.require_whole()
    if restored.renamed:
        sealed = manifest_of(landing.lake, landing.table, minute) or sealed
    return Landed((sealed,), restored.rewritten, restored.restored)


def _unsealed(landing: Landing, minute: Minute, now: datetime) -> _Unsealed:
    previous, following = edges_of(landing, minute)
    if previous and previous.sealed:
        delete_late_leftovers(landing, previous.sealed)
    wanted = minutes_to_land(previous, minute, landing.stream.landing.catch_up_minutes)
    if len(wanted) > 1:
        log.info("Catching up %d unsealed minutes, %s to %s", len(wanted), wanted[0], wanted[-1])
    return _Unsealed(landing, wanted, previous, following, int(now.timestamp() * 1000))


class _Unsealed:
    """Minutes to land, oldest first, and how far that has come."""

    def __init__(
        self, landing: Landing, minutes: Sequence[Minute], previous: Edge | None, following: Edge | None, now: int
    ) -> None:
        self._landing = landing
        self.minutes = minutes
        self._previous = previous
        self._following = following
        self._now = now
        self._seen = previous.seen if previous else None
        self._leftovers: dict[Minute, set[str]] = {}
        self._ranges = self._look_at_log()

    def land(self, count: int) -> Iterator[Manifest]:
        """Land the first so many; several small ones are read and written together, each is sealed on its own."""
        todo = list(self.minutes[:count])
        record_bytes = LARGEST_RECORD  # until known
        committed = time.monotonic()
        while todo:
            cuts = within(self._ranges.cuts(todo, self._ends), record_bytes)
            offsets, size = 0, 0
            with closing(write(self._landing, [(m, c.readable(self.low)) for m, c in cuts])) as stored:
                for (minute, planned), written in zip(cuts, stored, strict=True):
                    slices = planned.settled(self._ends, written.ends)
                    offsets += sum(s.end - s.start for s in slices)
                    size += written.size
                    manifest, ours = self._seal(minute, slices, written)
                    self._previous = Edge(minute, manifest.ends)
                    todo.remove(minute)
                    if not todo or time.monotonic() - committed > _COMMIT_SECONDS:
                        self._landing.reader.commit(manifest.ends)
                        committed = time.monotonic()
                    yield manifest
                    if not ours:
                        # What follows was cut at our end, not at the winner's, who may have seen more of the log than we.
                        # What of it was written under other names is found as leftovers.
                        yield from self._follow_winner(todo)
                        break
            record_bytes = size // offsets + 1 if offsets else record_bytes

    def _follow_winner(self, todo: list[Minute]) -> Iterator[Manifest]:
        """Go on behind what the winner has sealed meanwhile: beside a twin that catches up, too, each minute would be lost."""
        newest = newest_before(self._landing.lake, self._landing.table, todo[-1].plus(1)) if todo else None
        if newest and newest.minute >= todo[0]:
            self._previous = Edge(newest.minute, newest.ends, newest)
            todo[:] = [m for m in todo if m > newest.minute]
            yield newest
        self._leftovers = {}
        self._ranges = self._look_at_log()

    def next_cut(self, minute: Minute) -> Cut:
        """What a minute takes, directly after what is landed."""
        [(_, own)] = self._ranges.cuts([minute], self._ends)
        return own

    def reaches(self, minute: Minute) -> bool:
        """Whether the minute lies within the limit of one run; says so when it does not."""
        last = self.minutes[-1]
        if last != minute:
            log.warning(
                "Landed %s minutes up to %s, the limit of one run (`catch_up_minutes` in the stream file). "
                "%s comes after them: the next run goes on there",
                f"{len(self.minutes):,}", last, minute,
            )  # fmt: skip
        return last == minute

    @property
    def low(self) -> Offsets:
        """First offset that Kafka has, per Kafka partition."""
        return self._ranges.low

    @property
    def _ends(self) -> Offsets | None:
        """Where what is landed ends; None before a table's first minute."""
        return self._previous.offsets if self._previous else None

    def _look_at_log(self) -> Ranges:
        return Ranges(self._landing.reader, self.minutes, self._seen, self._following, self._now)

    def _seal(self, minute: Minute, slices: tuple[OffsetRange, ...], written: Written) -> tuple[Manifest, bool]:
        """Seal it; what an attempt that ended early has left under its prefix goes."""
        last = minute == self.minutes[-1]
        if not last and minute not in self._leftovers:
            self._leftovers = leftovers_by_minute(self._landing, minute)
        manifest = manifest_for(self._landing, minute, slices, lost(slices, self.low), written)
        return put_manifest(self._landing, manifest, None if last else self._leftovers[minute], self._now)


def _raise_for_losses(manifests: Iterable[Manifest]) -> None:
    gone = [f"{m.minute}: partition {s.partition} offsets {s.start} to {s.end - 1}" for m in manifests for s in m.lost]
    if gone:
        raise LostOffsetsError(
            f"Kafka no longer had these offsets when their minute was landed: {'; '.join(gone)}.",
            "The minutes are sealed with the loss written in their manifests; raise the topic's retention.",
        )
