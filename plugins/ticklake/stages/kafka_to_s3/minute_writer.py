"""Makes the objects of one minute: records in, gzip objects to a store, counts and checksums out."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from ticklake.clients.aws.s3 import Lake
from ticklake.core.formats.dead_letters import rejected_line
from ticklake.core.formats.json_rows import Batch, Splicer, UnfitError
from ticklake.core.landing.gzip_writer import Encoder, Packed, Packer
from ticklake.core.landing.manifest import StoredObject
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.written import Written

log = logging.getLogger(__name__)

_UPLOADS_AT_ONCE = 2
_PROGRESS_SECONDS = 10.0
# A second thread gains only when it is woken for milliseconds of work: some thousand records, not one.
_LINES_AT_ONCE = 1 << 19  # bytes
_PACKS_AT_ONCE = 4
_ONE_BY_ONE = 16  # records
# The reading thread gives up Python's lock once a batch, for less time than it takes to wake another thread. That one then asks
# for it after Python's 5 ms at the earliest, for each block it packs: so the reader ended up waiting for the packer.
_SWITCH_SECONDS = 0.0002
_COLLECT_AFTER = 20_000  # objects: at Python's 700 each batch of records would set the collector going

_Parts = list[tuple[bytes, Sequence[int]]]

Store = Callable[[str, Packed], None]
"""Takes an object under its key, and its body with it; called from several threads."""


def to_lake(lake: Lake) -> Store:
    """The store that uploads at once: for a minute that is not sealed, whose keys nobody has promised anything of."""

    def upload(key: str, packed: Packed) -> None:
        with packed.body:
            lake.put(key, packed.body, packed.checksum)

    return upload


@dataclass(frozen=True)
class Pools:
    """The threads that writers share: one packs, some upload."""

    packing: ThreadPoolExecutor
    uploads: ThreadPoolExecutor


@contextmanager
def pools() -> Iterator[Pools]:
    """Threads that are there while the block runs."""
    with (
        _paced(),
        ThreadPoolExecutor(1, thread_name_prefix="pack") as packing,
        ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as uploads,
    ):
        yield Pools(packing, uploads)


@contextmanager
def _paced() -> Iterator[None]:
    """Python's lock and garbage collector at a pace that suits thousands of records at once, while the block runs."""
    interval, (young, *older) = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(_COLLECT_AFTER, *older)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(young, *older)


@dataclass
class _Lines:
    """Lines that wait to be packed, with their offsets, and who packs them; whether he was given some before."""

    packer: Packer
    parts: _Parts = field(default_factory=list)
    size: int = 0
    begun: bool = False


class MinuteWriter:
    """Takes a minute's records, slice by slice or mixed, and gives them to the store as objects.

    Rows are made in the caller's thread, packed in a second one (compression and checksums leave Python's lock alone),
    stored in a few more. An object is stored when it is closed, since its key names its end.
    Memory: a few blocks of rows per open slice; what is packed waits in temporary files.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        minute: Minute,
        object_bytes: int,
        encoder: Encoder,
        shared: Pools,
    ) -> None:
        """Args: object_bytes: uncompressed size at which an object is closed; encoder: what packs it."""
        self._store = store
        self._table = table
        self._minute = minute
        self._object_bytes = object_bytes
        self._encoder = encoder
        self._splicer = Splicer()
        self._open: dict[tuple[str, int], _Lines] = {}
        self._ends: dict[int, int] = {}
        self._packers: set[Packer] = set()
        self._pools = shared
        self._packing: deque[Future[None]] = deque()
        self._uploads: deque[Future[None]] = deque()
        self._bodies: set[BinaryIO] = set()
        self._stored: dict[str, list[StoredObject]] = {RAW: [], REJECTED: []}
        self._min: int | None = None
        self._max: int | None = None
        self._early = self._late = self._taken = self._size = 0
        self._told = time.monotonic()

    def begin(self, partition: int, start: int) -> None:
        """Open a slice; its records may come from now on."""
        for zone in (RAW, REJECTED):
            packer = Packer(start, self._object_bytes, self._encoder)
            self._packers.add(packer)
            self._open[zone, partition] = _Lines(packer)

    def take(self, batch: Batch) -> None:
        """Write the next records of one slice."""
        self._see(batch.timestamps)
        self._rows(batch)
        self._taken += len(batch)
        self._tell()

    def end(self, partition: int, end: int) -> None:
        """Close a slice at its end offset: all of its records have come."""
        self._ends[partition] = end
        for zone in (RAW, REJECTED):
            lines = self._open.pop((zone, partition))
            if lines.parts or lines.begun:
                self._pack(zone, partition, lines, end)

    def finish(self, began: float) -> Written:
        """Wait for the uploads; raises LakeError when one failed. ``began``: by the monotonic clock, for ``seconds``."""
        for waiting in (self._packing, self._uploads):
            while waiting:
                waiting.popleft().result()
        return Written(
            tuple(sorted(self._stored[RAW])),
            tuple(sorted(self._stored[REJECTED])),
            self._min,
            self._max,
            self._early,
            self._late,
            self._ends,
            self._size,
            time.monotonic() - began,
        )

    def abandon(self) -> None:
        """Stop after an error; what is written already names its content and harms nothing."""
        for waiting in (self._packing, self._uploads):
            wait([future for future in waiting if not future.cancel()])
        for packer in self._packers:
            packer.close()
        for body in self._bodies:
            body.close()

    def _see(self, timestamps: Sequence[int]) -> None:
        # They hardly ever descend: then this is one pass at the speed of C, a third of what min and max take.
        ordered = sorted(timestamps)
        first, last = ordered[0], ordered[-1]
        self._min = first if self._min is None else min(self._min, first)
        self._max = last if self._max is None else max(self._max, last)
        if last >= self._minute.end_ms:
            self._early += sum(t >= self._minute.end_ms for t in timestamps)
        if first < self._minute.start_ms:
            self._late += sum(t < self._minute.start_ms for t in timestamps)

    def _rows(self, batch: Batch) -> None:
        """All at once where that is proven to be right, else half by half, at last one by one."""
        rows = self._splicer.rows(batch)
        if rows is not None:
            self._add(RAW, batch.partition, rows, batch.offsets)
        elif len(batch) > _ONE_BY_ONE:
            half = len(batch) // 2
            self._rows(batch.part(0, half))
            self._rows(batch.part(half, len(batch)))
        else:
            self._one_by_one(batch)

    def _one_by_one(self, batch: Batch) -> None:
        p = batch.partition
        for record, value, offset, time_ms in zip(
            batch.records, batch.values, batch.offsets, batch.timestamps, strict=True
        ):
            try:
                self._add(RAW, p, self._splicer.row(value, p, offset, time_ms), [offset])
            except UnfitError as unfit:
                self._add(REJECTED, p, rejected_line(record, p, time_ms, str(unfit)), [offset])
        self._splicer.learn()

    def _add(self, zone: str, partition: int, lines: bytes, offsets: Sequence[int]) -> None:
        collected = self._open[zone, partition]
        collected.parts.append((lines, offsets))
        collected.size += len(lines)
        self._size += len(lines)
        if collected.size >= _LINES_AT_ONCE:
            self._pack(zone, partition, collected)
            collected.parts, collected.size = [], 0

    def _pack(self, zone: str, partition: int, lines: _Lines, end: int | None = None) -> None:
        """Have lines packed; with ``end``, they are the slice's last."""
        while len(self._packing) >= _PACKS_AT_ONCE:
            self._packing.popleft().result()
        self._packing.append(
            self._pools.packing.submit(self._pack_now, zone, partition, lines.packer, lines.parts, end)
        )
        lines.begun = True

    def _pack_now(self, zone: str, partition: int, packer: Packer, parts: _Parts, end: int | None) -> None:
        for lines, offsets in parts:
            for packed in packer.add(lines, offsets):
                self._hand_over(zone, partition, packed)
        if end is not None:
            for packed in packer.finish(end):
                self._hand_over(zone, partition, packed)
            self._packers.discard(packer)

    def _hand_over(self, zone: str, partition: int, packed: Packed) -> None:
        key = str(ObjectKey(zone, self._table, self._minute, partition, packed.start, packed.end))
        self._stored[zone].append(
            StoredObject(
                key, partition, packed.start, packed.end, packed.records,
                packed.size, packed.checksum, packed.crc32, packed.encoder,
            )
        )  # fmt: skip
        while len(self._uploads) >= _UPLOADS_AT_ONCE:
            self._uploads.popleft().result()
        self._bodies.add(packed.body)
        self._uploads.append(self._pools.uploads.submit(self._upload, key, packed))

    def _upload(self, key: str, packed: Packed) -> None:
        self._store(key, packed)
        self._bodies.discard(packed.body)

    def _tell(self) -> None:
        if time.monotonic() - self._told >= _PROGRESS_SECONDS:
            self._told = time.monotonic()
            log.info("%s: %s records so far", self._minute, f"{self._taken:,}")
