"""Writes the objects of one minute: records in, gzip objects in the bucket, counts and checksums out."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ticklake.clients.s3 import Lake
from ticklake.core.keys import RAW, REJECTED, ObjectKey
from ticklake.core.manifest import StoredObject
from ticklake.core.minute import Minute
from ticklake.core.objects import Packed, Packer
from ticklake.core.records import Record, Splicer, UnfitError, rejected_line
from ticklake.core.slices import Slice

log = logging.getLogger(__name__)

_UPLOADS_AT_ONCE = 4
_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class Written:
    """What was written: objects in order of key, and the timestamps seen (ms since the epoch; None without records)."""

    objects: tuple[StoredObject, ...]
    rejected_objects: tuple[StoredObject, ...]
    min_timestamp: int | None
    max_timestamp: int | None
    early: int
    late: int


class MinuteWriter:
    """Takes a minute's records, slice by slice or mixed, and stores them.

    An object is uploaded when it is closed, since its key names its end; uploads go on while the next object fills.
    Memory: one compressed object per open slice and a few on their way.
    """

    def __init__(
        self, lake: Lake, table: str, minute: Minute, object_bytes: int, zones: Sequence[str] = (RAW, REJECTED)
    ) -> None:
        """Args: object_bytes: uncompressed size at which an object is closed; zones: what is written of the records."""
        self._lake = lake
        self._table = table
        self._minute = minute
        self._object_bytes = object_bytes
        self._zones = zones
        self._splicer = Splicer()
        self._open: dict[tuple[str, int], Packer] = {}
        self._pool = ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload")
        self._uploads: deque[Future[None]] = deque()
        self._stored: dict[str, list[StoredObject]] = {RAW: [], REJECTED: []}
        self._min: int | None = None
        self._max: int | None = None
        self._early = self._late = self._taken = 0
        self._told = time.monotonic()

    def begin(self, slices: Iterable[Slice]) -> None:
        """Open these slices; their records may come from now on."""
        for s in slices:
            for zone in (RAW, REJECTED):
                self._open[zone, s.partition] = Packer(s, self._object_bytes)

    def take(self, partition: int, records: Sequence[Record]) -> None:
        """Write records of one slice, in offset order."""
        rows, rejected, row = self._open[RAW, partition], self._open[REJECTED, partition], self._splicer.row
        for record in records:
            offset = record.offset()
            timestamp = record.timestamp()[1]
            self._see(timestamp)
            try:
                full = rows.add(row(record.value(), partition, offset, timestamp), offset)
                zone = RAW
            except UnfitError as unfit:
                full = rejected.add(rejected_line(record, partition, timestamp, str(unfit)), offset)
                zone = REJECTED
            if full:
                self._store(zone, partition, full)
        self._taken += len(records)
        self._tell()

    def end(self, slices: Iterable[Slice]) -> None:
        """Close these slices: all of their records have come."""
        for s in slices:
            for zone in (RAW, REJECTED):
                for last in self._open.pop((zone, s.partition)).finish():
                    self._store(zone, s.partition, last)

    def finish(self) -> Written:
        """Wait for the uploads; raises LakeError when one failed."""
        while self._uploads:
            self._uploads.popleft().result()
        self._pool.shutdown()
        return Written(
            tuple(sorted(self._stored[RAW])),
            tuple(sorted(self._stored[REJECTED])),
            self._min,
            self._max,
            self._early,
            self._late,
        )

    def abandon(self) -> None:
        """Stop uploading after an error; what is written already names its content and harms nothing."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _see(self, timestamp: int) -> None:
        if self._min is None or self._max is None:
            self._min = self._max = timestamp
        elif timestamp > self._max:
            self._max = timestamp
        elif timestamp < self._min:
            self._min = timestamp
        if timestamp >= self._minute.end_ms:
            self._early += 1
        elif timestamp < self._minute.start_ms:
            self._late += 1

    def _store(self, zone: str, partition: int, packed: Packed) -> None:
        if zone not in self._zones:
            return
        key = str(ObjectKey(zone, self._table, self._minute, partition, packed.start, packed.end))
        checksum = packed.checksum
        self._stored[zone].append(
            StoredObject(key, partition, packed.start, packed.end, packed.records, len(packed.body), checksum)
        )
        while len(self._uploads) >= _UPLOADS_AT_ONCE:
            self._uploads.popleft().result()
        self._uploads.append(self._pool.submit(self._lake.put, key, packed.body, checksum))

    def _tell(self) -> None:
        if time.monotonic() - self._told >= _PROGRESS_SECONDS:
            self._told = time.monotonic()
            log.info("%s: %s records so far", self._minute, f"{self._taken:,}")
