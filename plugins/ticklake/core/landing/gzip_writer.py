"""Rows of one slice become gzip objects: cut at a fixed uncompressed size in offset order, so always the same way.

The compressor is ISA-L's (`isal`), level 1: four times as fast as zlib's and denser. It gets blocks of a fixed size, whatever
the batches that Kafka gave, so that nothing but the rows decides the bytes. Which processors agree on them:
`docs/decisions`.
"""

from __future__ import annotations

import base64
import hashlib
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Any, BinaryIO, cast

import isal
from isal import isal_zlib

from ticklake.core.errors import DiskError

_LEVEL = 1
_GZIP = 16 + isal_zlib.MAX_WBITS  # with gzip's header, which then holds neither a time nor a name, and its trailer
_BLOCK = 1 << 20  # bytes
_MACHINES = {"AMD64": "x86_64", "aarch64": "arm64"}  # each kind has several names


@dataclass(frozen=True)
class Encoder:
    """What turns rows into an object's bytes.

    Attributes:
        name: all that decides the bytes besides the rows: the same name, the same bytes.
        start: begins a gzip stream; has ``compress`` and ``flush``, as zlib's.
    """

    name: str
    start: Callable[[], Any]


IGZIP = Encoder(
    f"isal {isal.__version__} level {_LEVEL} {_MACHINES.get(platform.machine(), platform.machine())}",
    lambda: isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP),
)
"""Its bytes differ between kinds of processor: ``docs/decisions/0013-igzip.md``."""


@dataclass(frozen=True)
class Packed:
    """A finished object before it is stored: offsets [start, end), so many records, the gzip bytes and how many.

    ``checksum`` is their SHA-256 in base64, the form in which S3 checks and reports it. ``crc32`` is that of the rows, as in
    gzip's trailer: the same whatever packed them. Whoever has the body closes it.
    """

    start: int
    end: int
    records: int
    size: int
    checksum: str
    crc32: int
    encoder: str
    body: BinaryIO


class Packer:
    """Packs the lines of one slice. Memory: a block; what is packed goes to a temporary file once it is as large as that."""

    def __init__(self, start: int, object_bytes: int, encoder: Encoder = IGZIP) -> None:
        """Args: start: the slice's; object_bytes: uncompressed size at which an object is closed; encoder: who compresses."""
        self._object_bytes = object_bytes
        self._encoder = encoder
        self._open(start)

    def add(self, lines: bytes, offsets: Sequence[int]) -> list[Packed]:
        """Take lines, one per offset, each ending in a newline; returns the objects that they filled."""
        if self._size + len(lines) < self._object_bytes:
            self._take(lines, len(offsets))
            return []
        full = []
        for line, offset in zip(lines.splitlines(keepends=True), offsets, strict=True):
            self._take(line, 1)
            if self._size >= self._object_bytes:
                full.append(self._finished(offset + 1))
                self._open(offset + 1)
        return full

    def finish(self, end: int) -> list[Packed]:
        """The last object, reaching to ``end``, the slice's; none when no line is left for one."""
        if self._records:
            return [self._finished(end)]
        self.close()
        return []

    def close(self) -> None:
        """Give up what is not finished."""
        if self._gzip is not None:
            self._body.close()

    def _open(self, start: int) -> None:
        self._start = start
        self._size = 0
        self._records = 0
        self._waiting: list[bytes] = []
        self._waits = 0
        self._gzip: Any = None

    def _take(self, lines: bytes, count: int) -> None:
        self._size += len(lines)
        self._records += count
        self._waiting.append(lines)
        self._waits += len(lines)
        if self._waits >= _BLOCK:
            self._begin()
            self._compress()

    def _begin(self) -> None:
        """Take what packing needs, some hundred kilobytes, when there is something to pack: many slices may be open."""
        if self._gzip is None:
            self._gzip = self._encoder.start()
            self._body = cast(BinaryIO, SpooledTemporaryFile(max_size=_BLOCK))  # noqa: SIM115 - closed by who gets it
            self._sha256 = hashlib.sha256()

    def _compress(self) -> None:
        whole = memoryview(b"".join(self._waiting))
        for i in range(0, len(whole) - _BLOCK + 1, _BLOCK):
            self._write(self._gzip.compress(whole[i : i + _BLOCK]))
        rest = whole[len(whole) // _BLOCK * _BLOCK :]
        self._waiting, self._waits = [bytes(rest)], len(rest)

    def _write(self, packed: bytes) -> None:
        try:
            self._body.write(packed)
        except OSError as e:
            raise DiskError(
                f"A packed object does not fit into {gettempdir()}: {e.strerror}.",
                "Make room on the worker, or let TMPDIR name a larger disk; nothing is lost, the next run lands the minute.",
            ) from e
        self._sha256.update(packed)

    def _finished(self, end: int) -> Packed:
        self._begin()
        rest = self._gzip.compress(b"".join(self._waiting)) + self._gzip.flush()
        self._write(rest)
        size = self._body.tell()
        self._body.seek(0)
        checksum = base64.b64encode(self._sha256.digest()).decode("ascii")
        # gzip's trailer: CRC-32 and length of what was packed, four bytes each.
        crc32 = int.from_bytes(rest[-8:-4], "little")
        return Packed(self._start, end, self._records, size, checksum, crc32, self._encoder.name, self._body)
