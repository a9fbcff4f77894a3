"""S3's side: every line of a Kafka partition's objects in order of offset, streamed; and whether a line is its record."""

from __future__ import annotations

import base64
import gzip
import hashlib
import heapq
import io
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError, FlexibleChecksumError

from ticklake.core.message_headers import Headers, headers_of
from ticklake.verify.keys import RAW, Key

_AHEAD = 8
_SMALL = 4 * 1024 * 1024
_COLUMNS = ("kafka_partition", "kafka_offset", "kafka_timestamp")


@dataclass(frozen=True)
class Object:
    """An object to read: its key, the key's parts, its size in bytes (0: not there)."""

    key: str
    named: Key
    size: int


@dataclass(frozen=True)
class Row:
    """One line: its offset, whether it stands in ``raw/``, its names and values as ``_pairs`` gives them."""

    offset: int
    raw: bool
    content: tuple[tuple[str, Any], ...]


@dataclass
class Read:
    """What reading found of one object: lines, and what went wrong; the SHA-256 of its bytes, the CRC-32 of its lines."""

    lines: int = 0
    problem: str = ""
    misplaced: int = 0
    checksum: str = ""
    crc32: int = 0


class _Hashed(io.RawIOBase):
    """A body that hashes what is read of it."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._body.read(size)
        self._sha256.update(piece)
        return piece

    @property
    def checksum(self) -> str:
        return base64.b64encode(self._sha256.digest()).decode()


class Reader:
    """Reads objects of a bucket, small ones some steps ahead."""

    def __init__(self, s3: Any, bucket: str, pool: Executor) -> None:
        self._s3, self._bucket, self._pool = s3, bucket, pool

    def rows(self, objects: Sequence[Object], done: Callable[[Object, Read], None]) -> Iterator[Row]:
        """Lines of all the objects merged by offset; ``done`` is called when an object was read to its end.

        Memory: as many objects as overlap, streamed, and a few small ones ahead.
        """
        waiting = deque(sorted(objects, key=lambda o: (o.named.start, o.key)))
        fetched: dict[str, Future[bytes]] = {}
        open_: list[tuple[int, int, Row, Iterator[Row]]] = []
        opened = 0
        while waiting or open_:
            while waiting and (not open_ or waiting[0].named.start <= open_[0][0]):
                for o in islice(waiting, _AHEAD):
                    if o.key not in fetched and o.size <= _SMALL:
                        fetched[o.key] = self._pool.submit(self._whole, o.key)
                current = waiting.popleft()
                lines = self._lines(current, fetched.pop(current.key, None), done)
                if (first := next(lines, None)) is not None:
                    opened += 1
                    heapq.heappush(open_, (first.offset, opened, first, lines))
            if open_:
                _, number, row, lines = open_[0]
                yield row
                following = next(lines, None)
                if following is None:
                    heapq.heappop(open_)
                else:
                    heapq.heapreplace(open_, (following.offset, number, following, lines))

    def _whole(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def _lines(self, o: Object, whole: Future[bytes] | None, done: Callable[[Object, Read], None]) -> Iterator[Row]:
        read, last = Read(), -1
        try:
            body = io.BytesIO(whole.result()) if whole else self._s3.get_object(Bucket=self._bucket, Key=o.key)["Body"]
            hashed = _Hashed(body)
            with gzip.GzipFile(fileobj=hashed) as lines:
                for line in lines:
                    read.lines += 1
                    read.crc32 = zlib.crc32(line, read.crc32)
                    content = _pairs(line)
                    offset = _offset(content)
                    if offset is None or offset < last or not o.named.start <= offset < o.named.end:
                        read.misplaced += 1  # in no order, so there is no place to compare it at
                        continue
                    last = offset
                    yield Row(offset, o.named.zone == RAW, content)
            read.checksum = hashed.checksum
        except (OSError, EOFError, zlib.error, ClientError, FlexibleChecksumError) as e:
            read.problem = f"{o.key} cannot be read: {e}"
        done(o, read)


def is_row_of(row: Row, partition: int, message: Any) -> bool:
    """Whether the row is the record's value, text for text in names and numbers, and the three right columns behind it."""
    columns = (partition, message.offset(), message.timestamp()[1])
    value = _pairs(message.value())
    return type(value) is tuple and row.content == (*value, *zip(_COLUMNS, (b"%d" % c for c in columns), strict=True))


def names_its_place(row: Row, partition: int) -> bool:
    """Whether a row whose record Kafka no longer holds at least names the Kafka partition of its object."""
    return dict(row.content).get("kafka_partition") == b"%d" % partition


def dated(row: Row) -> int | None:
    """The date (ms) of a row or a rejected line; None when it has none."""
    try:
        return int(dict(row.content)["kafka_timestamp"])
    except (KeyError, ValueError, TypeError):
        return None


def is_rejected_of(row: Row, partition: int, message: Any) -> bool:
    """Whether the rejected line keeps the record: payload, key, headers, place and time."""
    kept = dict(row.content)
    place = (partition, message.offset(), message.timestamp()[1])
    try:
        return (
            tuple(kept[name] for name in _COLUMNS) == tuple(b"%d" % number for number in place)
            and _decoded(kept["value"]) == message.value()
            and _decoded(kept["key"]) == message.key()
            and _headers(kept["headers"]) == headers_of(message)
            and bool(kept["reason"])
        )
    except (KeyError, ValueError, TypeError):
        return False


def _headers(kept: Any) -> Headers | None:
    return None if kept is None else tuple((name, _decoded(content)) for name, content in kept)


def _offset(content: Any) -> int | None:
    if type(content) is not tuple:
        return None
    text = next((value for name, value in reversed(content) if name == "kafka_offset"), None)
    return int(text) if type(text) is bytes and text.isdigit() else None


def _pairs(text: bytes | None) -> Any:
    """JSON with numbers as they are written (as bytes: none equals a string), objects with order and double keys kept.

    None for what is not JSON in UTF-8.
    """
    try:
        return json.loads(
            (text or b"").decode(),
            parse_int=str.encode,
            parse_float=str.encode,
            object_pairs_hook=lambda pairs: tuple(pairs),
        )
    except ValueError:
        return None


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
