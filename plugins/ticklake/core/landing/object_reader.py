"""What an object really holds: its bytes are read once, its lines counted, in bounded memory."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 1 << 20  # uncompressed bytes at a time, however well they were compressed


@dataclass(frozen=True)
class Content:
    """An object as it was read.

    Attributes:
        bytes: compressed size.
        checksum: SHA-256 of the compressed bytes in base64.
        lines: lines; None when it is not whole gzip.
        first: (offset, timestamp in ms) of the first line; None without lines.
        last: the same of the last line.
        crc32: CRC-32 of the lines; None when it is not whole gzip.
    """

    bytes: int
    checksum: str
    lines: int | None
    first: tuple[int, int] | None
    last: tuple[int, int] | None
    crc32: int | None = None


def read_content(chunks: Iterable[bytes]) -> Content:
    """Read an object's compressed bytes. Memory: one chunk, 1 MiB of text, the first and the last line."""
    digest, size, crc32 = hashlib.sha256(), 0, 0

    def passing() -> Iterator[bytes]:
        nonlocal size
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    def text() -> Iterator[bytes]:
        nonlocal crc32
        for piece in _unpacked(through):
            crc32 = zlib.crc32(piece, crc32)
            yield piece

    through = passing()
    try:
        lines, first, last = _lines(text())
        places = _place(first), _place(last)
    except (zlib.error, EOFError, ValueError, KeyError, TypeError):
        for _ in through:  # its size and checksum are wanted all the same
            pass
        return Content(size, _base64(digest.digest()), None, None, None)
    return Content(size, _base64(digest.digest()), lines, *places, crc32)


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(_GZIP)
    for chunk in chunks:
        rest = chunk
        while rest:
            if unpack.eof:  # another gzip member follows
                unpack = zlib.decompressobj(_GZIP)
            yield unpack.decompress(rest, _PIECE)
            rest = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    while not unpack.eof:
        # Text may still wait inside, when the last piece was cut at its limit.
        piece = unpack.decompress(b"", _PIECE)
        if not piece and not unpack.eof:
            raise EOFError("the gzip stream is cut short")
        yield piece


def _lines(pieces: Iterable[bytes]) -> tuple[int, bytes, bytes]:
    """Number of lines, the first, the last; a last line without its newline counts as well."""
    lines, first, last, unfinished = 0, b"", b"", b""
    for piece in pieces:
        found = piece.count(b"\n")
        if not found:
            unfinished += piece
            continue
        begin, _, rest = piece.partition(b"\n")
        first = first if lines else unfinished + begin
        last = rest.rsplit(b"\n", 2)[-2] if found > 1 else unfinished + begin
        unfinished = piece[piece.rindex(b"\n") + 1 :]
        lines += found
    if unfinished:
        return lines + 1, first or unfinished, unfinished
    return lines, first, last


def _place(line: bytes) -> tuple[int, int] | None:
    if not line:
        return None
    row = json.loads(line)
    return row["kafka_offset"], row["kafka_timestamp"]


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
