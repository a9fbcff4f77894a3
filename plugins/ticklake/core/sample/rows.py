"""Rows of the file as Kafka records: the value is a JSON object, the key one of its columns, or none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import orjson

from ticklake.core.sample.kinds import Value
from ticklake.core.sample.table import CsvTable

T = TypeVar("T")
Record = tuple[bytes | None, bytes]  # key, value


def key_of(table: CsvTable, wanted: str | None, usual: str) -> int | None:
    """The place of the key's column.

    Args:
        table: the file's.
        wanted: the column that TICKLAKE_CSV_KEY names; None: it does not.
        usual: the stream's.

    Returns: the place; None where the file does not have the stream's column: its records have no key.
    Raises: SettingsError when the wanted column is not there.
    """
    if wanted is not None:
        return table.place_of(wanted, "TICKLAKE_CSV_KEY")
    return table.place_of(usual, "") if usual.lower() in map(str.lower, table.names) else None


def record_maker(table: CsvTable, key: int | None) -> Callable[[Sequence[Value]], Record]:
    """A function that makes a record of a row of the table; the key is the value of the column at that place."""
    names = table.names

    def make(row: Sequence[Value]) -> Record:
        return None if key is None else _text(row[key]), to_json(dict(zip(names, row, strict=True)))

    return make


def to_json(row: dict[str, Value]) -> bytes:
    """The row as a JSON object in UTF-8, without spaces or line ends."""
    return orjson.dumps(row)


def compact(record: Record) -> Record:
    """The record in as much memory as it needs, to be kept: orjson's bytes hold on to the kilobytes they were written in."""
    key, value = record
    return key, bytes(memoryview(value))


def pool(items: Iterable[T], most: int, chance: random.Random) -> list[T]:
    """At most so many of the items, each as likely as any other (a reservoir): memory is bounded however many there are."""
    kept: list[T] = []
    for n, item in enumerate(items):
        if n < most:
            kept.append(item)
        elif (place := chance.randrange(n + 1)) < most:
            kept[place] = item
    return kept


def _text(value: Value) -> bytes | None:
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value)).encode()
