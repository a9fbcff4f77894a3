"""One Kafka record becomes one row, or a rejected record with the reason: never dropped, never blocking.

A row is the record's value as it came, on one line, plus three columns spliced in before the closing brace::

    {"Index":"HSI", … ,"kafka_partition":3,"kafka_offset":123456,"kafka_timestamp":1795391863986}

Splicing keeps the value's own text (number formats, key order, escapes); a real parser has accepted it before. What a
parser of JSON accepts but Glue, Hive's types or the table's SerDe would refuse (a key twice, a key that cannot be the name of
a column) is rejected here, since one such row fails every query over its object or its table. The rules and where AWS
states them: ``docs/records.md``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import orjson

from ticklake.core.formats.json_shapes import Shapes

RESERVED = frozenset({"kafka_partition", "kafka_offset", "kafka_timestamp", "dt", "hr"})
"""Names that a record must not use: the three columns, and the table's partition columns."""

# A row or a column of more than 32 MB is beyond Athena; the three columns fit into what lies between 32 MB and 32 MiB.
_MAX_BYTES = 32_000_000
_BLANK = b" \t\n\r"
_MAX_SHAPES = 1000
_MAX_ENDINGS = 10_000
_WITHOUT_BRACE = itemgetter(slice(None, -1))
# A fixed depth, not what the interpreter's stack happens to bear: a replay must decide the same.
_MAX_DEPTH = 100
# Of a name in Glue: at most 255 bytes, no control characters but the tab; and Hive lists columns with commas between.
_MAX_NAME_BYTES = 255
_NO_COLUMN = re.compile("[\\x00-\\x08\\x0a-\\x1f,\\ufffe\\uffff]")
# Of a name within `struct<…>`: all that Hive's parser of types takes, which knows letters of the first 65,536 code points.
_FIELD = re.compile(r"[\w.$ ]+", re.ASCII)
_LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})


class Record(Protocol):
    """What landing needs of a consumed record; ``confluent_kafka.Message`` is one."""

    def value(self) -> Any:
        """The payload, bytes; None is a tombstone."""

    def key(self) -> Any:
        """The key, bytes or None."""

    def headers(self) -> Any:
        """List of (name, bytes or None), or None."""

    def offset(self) -> Any:
        """Its offset."""

    def timestamp(self) -> Any:
        """(kind of timestamp, milliseconds since the epoch)."""


@dataclass(frozen=True)
class Batch:
    """Consecutive records of one Kafka partition, column by column: all columns are as long and in offset order.

    Attributes:
        partition: the Kafka partition.
        records: the records.
        values: their payloads; None is a tombstone.
        offsets: their offsets, a ``range`` when there is no gap in them.
        timestamps: milliseconds since the epoch.
    """

    partition: int
    records: Sequence[Record]
    values: Sequence[bytes | None]
    offsets: Sequence[int]
    timestamps: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, end: int) -> Batch:
        """The records from position ``start`` up to ``end``, exclusive."""
        s = slice(start, end)
        return Batch(self.partition, self.records[s], self.values[s], self.offsets[s], self.timestamps[s])


class UnfitError(Exception):
    """The record cannot become a row; the text is the reason kept with it."""


class Splicer:
    """Makes rows; remembers the shapes that it has found fit, since a stream has few."""

    def __init__(self) -> None:
        self._fit: set[tuple[str, ...]] = set()
        self._latest: dict[str, Any] = {}
        self._shapes = Shapes()
        self._endings = _Endings()

    def rows(self, batch: Batch) -> bytes | None:
        """The rows of a batch, one after the other as ``row`` makes them, when all are proven fit at once; else None."""
        values = self._shapes.proven(batch.values)
        if values is None:
            return None
        # Four pieces a record, each kind put in its places at once: no Python step a record, and none over tuples of pieces.
        pieces: list[bytes] = [b""] * (4 * len(batch))
        pieces[0::4] = map(_WITHOUT_BRACE, map(bytes.strip, values))
        pieces[1::4], pieces[2::4] = _numbers(batch.partition, batch.offsets)
        pieces[3::4] = map(self._endings.__getitem__, batch.timestamps)
        return b"".join(pieces)

    def learn(self) -> None:
        """Take the latest record that ``row`` found fit as an example of those that will come."""
        self._shapes.learn(self._latest)

    def row(self, value: bytes | None, partition: int, offset: int, timestamp: int) -> bytes:
        """The row for a record, ending in a newline.

        Args:
            value: the record's payload; None for a tombstone.
            partition: Kafka partition.
            offset: its offset.
            timestamp: milliseconds since the epoch.

        Raises:
            UnfitError: with the reason.
        """
        if value is None:
            raise UnfitError("tombstone")
        if len(value) > _MAX_BYTES:
            raise UnfitError(f"larger than 32 MB: {len(value)} bytes")
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError as e:
            raise UnfitError(f"not JSON: {e}") from None
        if type(parsed) is not dict:
            raise UnfitError(f"not a JSON object: {_KINDS[type(parsed)]}")
        text = value.strip(_BLANK)
        if tuple(parsed) not in self._fit or not _plain(text, len(parsed)):
            self._check(text, parsed)
        self._latest = parsed
        if b"\n" in text or b"\r" in text:
            # Inside a JSON string a line break is always escaped, so any that is left is blank space between tokens.
            text = text.replace(b"\n", b" ").replace(b"\r", b" ")
        comma = b"," if parsed else b""
        return b'%b%b"kafka_partition":%d,"kafka_offset":%d,"kafka_timestamp":%d}\n' % (
            text[:-1],
            comma,
            partition,
            offset,
            timestamp,
        )

    def _check(self, text: bytes, parsed: dict[str, Any]) -> None:
        levels = _levels(parsed)
        json.loads(text, object_pairs_hook=_unique)
        for name in parsed:
            check_column(name)
        for level in levels[1:]:
            for value in level:
                if isinstance(value, dict):
                    _check_fields(value)
        if len(self._fit) < _MAX_SHAPES:
            self._fit.add(tuple(parsed))


class _Endings(dict[int, bytes]):
    """The end of a row by its timestamp: those of neighbours, also in other Kafka partitions, are often the same."""

    def __missing__(self, timestamp: int) -> bytes:
        if len(self) >= _MAX_ENDINGS:
            self.clear()
        self[timestamp] = ending = b',"kafka_timestamp":%d}\n' % timestamp
        return ending


def _numbers(partition: int, offsets: Sequence[int]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """``,"kafka_partition":…,"kafka_offset":`` with the offset, in two pieces a record.

    In a run without a gap the offsets' last three digits come from a table, and what stands before them changes once in a
    thousand records: half the cost of printing each.
    """
    head = b',"kafka_partition":%d,"kafka_offset":' % partition
    if not isinstance(offsets, range):
        return [head] * len(offsets), [b"%d" % offset for offset in offsets]
    heads: list[bytes] = []
    digits: list[bytes] = []
    for thousands in range(offsets.start // 1000, (offsets.stop - 1) // 1000 + 1):
        first = max(offsets.start - 1000 * thousands, 0)
        some = (_PADDED if thousands else _PLAIN)[first : offsets.stop - 1000 * thousands]
        digits += some
        heads += [head + b"%d" % thousands if thousands else head] * len(some)
    return heads, digits


_PLAIN = [b"%d" % n for n in range(1000)]
_PADDED = [b"%03d" % n for n in range(1000)]
_KINDS = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def _plain(text: bytes, keys: int) -> bool:
    """Whether it is sure without parsing again that no key stands twice: flat, and as many keys in the text as parsed.

    The quote and colon of a key stand together unless blanks part them; a string with that pair inside only makes the
    count larger, and then the slow way decides.
    """
    return (
        text.count(b'":') == keys
        and text.count(b"{") == 1
        and text.count(b"[") < _MAX_DEPTH
        and b" :" not in text
        and b"\n" not in text
        and b"\t" not in text
        and b"\r" not in text
    )


def _levels(parsed: dict[str, Any]) -> list[list[Any]]:
    """All objects and arrays, by depth; raises UnfitError beyond the deepest that is allowed."""
    levels: list[list[Any]] = [[parsed]]
    while level := [
        inner
        for outer in levels[-1]
        for inner in (outer.values() if isinstance(outer, dict) else outer)
        if isinstance(inner, dict | list)
    ]:
        if len(levels) == _MAX_DEPTH:
            raise UnfitError(f"nested more than {_MAX_DEPTH} deep")
        levels.append(level)
    return levels


def check_column(name: str) -> None:
    """Raise UnfitError when this cannot be the name of a column of the table."""
    lowered = name.lower()
    if lowered in RESERVED:
        raise UnfitError(f"reserved column: {name}")
    if not lowered or len(lowered.encode()) > _MAX_NAME_BYTES or _NO_COLUMN.search(name):
        raise UnfitError(f"not a column name: {name[:_MAX_NAME_BYTES]!r}")


def _check_fields(value: dict[str, Any]) -> None:
    for name in value:
        if not _is_field(name):
            raise UnfitError(f"not a column name: {name[:_MAX_NAME_BYTES]!r}, within another column")


def _is_field(name: str) -> bool:
    if name.isascii():
        return bool(_FIELD.fullmatch(name))
    return all(c in "_.$ " or (c <= "\uffff" and unicodedata.category(c) in _LETTERS_AND_DIGITS) for c in name)


def _unique(pairs: Iterable[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        lowered = name.lower()
        if lowered in seen:
            raise UnfitError(f"key twice: {name} (Athena does not tell upper from lower case)")
        seen.add(lowered)
