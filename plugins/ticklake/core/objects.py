"""Rows of one slice become gzip objects: cut at a fixed uncompressed size in offset order, so always the same way."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ticklake.core.slices import Slice

_LEVEL = 1
# Magic, deflate, no flags (no name), no time, no extra flags, system unknown: nothing in it that differs between runs.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class Packed:
    """A finished object before it is stored: offsets [start, end), so many records, the gzip bytes."""

    start: int
    end: int
    records: int
    body: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 in base64, the form in which S3 checks and reports it."""
        return base64.b64encode(hashlib.sha256(self.body).digest()).decode("ascii")


class Packer:
    """Packs the lines of one slice. Memory: one object's compressed bytes."""

    def __init__(self, of: Slice, object_bytes: int) -> None:
        """Args: of: the slice; object_bytes: uncompressed size at which an object is closed."""
        self._end = of.end
        self._object_bytes = object_bytes
        self._open(of.start)

    def add(self, line: bytes, offset: int) -> Packed | None:
        """Take a line; returns the object that it filled, if it did."""
        self._size += len(line)
        self._records += 1
        self._lines.append(line)
        if len(self._lines) >= 256:
            self._compress()
        if self._size >= self._object_bytes:
            packed = self._close(offset + 1)
            self._open(offset + 1)
            return packed
        return None

    def finish(self) -> Iterator[Packed]:
        """The last object, reaching to the slice's end; nothing when no line is left for one."""
        if self._records:
            yield self._close(self._end)

    def _open(self, start: int) -> None:
        self._start = start
        self._size = 0
        self._records = 0
        self._crc = 0
        self._lines: list[bytes] = []
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._body = bytearray(_HEADER)

    def _compress(self) -> None:
        block = b"".join(self._lines)
        self._lines.clear()
        self._crc = zlib.crc32(block, self._crc)
        self._body += self._deflate.compress(block)

    def _close(self, end: int) -> Packed:
        self._compress()
        self._body += self._deflate.flush()
        self._body += self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        return Packed(self._start, end, self._records, bytes(self._body))
