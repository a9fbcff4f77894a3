"""Ticks: reading them from the CSV, checking one that a person typed, and the JSON that goes to Kafka.

A tick is a dict with exactly the CSV's columns: prices are floats (also whole ones, so that the column's type never wavers),
Volume is an int where it is whole, a missing number is None.
"""

from __future__ import annotations

import csv
import json
import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ticklake.core.errors import InputError, SettingsError

Value = str | int | float | None
Tick = dict[str, Value]
T = TypeVar("T")

COLUMNS = ("Index", "Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "CloseUSD")
# Python's float() would also take `nan`, `1_000` and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# A row without blanks, quotes, exponents, missing or very long numbers.
_PLAIN = re.compile(r"[\w.^-]+,\d{4}-\d\d-\d\d(,-?\d{1,15}(\.\d{1,20})?){7}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass
class TickFile:
    """A CSV of ticks. Iterating reads it from the top, one row in memory at a time.

    Attributes:
        rows: ticks read by the latest iteration so far.
        blank: rows skipped by it because all their fields were empty.

    Raises (while iterating): InputError naming file, line and column.
    """

    path: Path
    rows: int = 0
    blank: int = 0

    def __iter__(self) -> Iterator[Tick]:
        self.rows = self.blank = 0
        lines = self._lines()
        _check_header(self.path, *next(lines, (1, [])))
        for line, fields in lines:
            tick = _plain_tick(fields) or _tick(f"{self.path}, line {line}", fields)
            self.rows += 1
            yield tick

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """(number of its first line, fields) of each row that is not blank."""
        line = 1
        try:
            # utf-8-sig drops a byte order mark; bytes that are not UTF-8 pass as surrogates, so that their line can be named.
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, strict=True)
                for fields in reader:
                    if (fields and fields[0].strip()) or any(field.strip() for field in fields):
                        yield line, fields
                    else:
                        self.blank += 1
                    line = reader.line_num + 1
        except csv.Error as e:
            raise InputError(f"{self.path}, line {line}: not CSV: {e}.") from e
        except OSError as e:
            raise InputError(f"{self.path} cannot be read: {e.strerror}.", "TICKLAKE_CSV says which file it is.") from e


def pool(items: Iterable[T], most: int, chance: random.Random) -> list[T]:
    """At most so many of the items, each as likely as any other (a reservoir): memory is bounded however many there are."""
    kept: list[T] = []
    for n, item in enumerate(items):
        if n < most:
            kept.append(item)
        elif (place := chance.randrange(n + 1)) < most:
            kept[place] = item
    return kept


def to_json(tick: Mapping[str, Value]) -> bytes:
    """The tick as a JSON object in UTF-8, without spaces or line ends."""
    try:
        return orjson.dumps(tick)
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(tick, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def check_typed(record: Any) -> Tick:
    """A record typed by a person as a tick: columns in the CSV's order, those left out are None.

    Raises SettingsError naming the field.
    """
    if not isinstance(record, dict):
        raise SettingsError(
            f"record: {record!r} is not a JSON object.", 'Such as {"Index": "HSI", "Date": "2021-05-31"}.'
        )
    for name in record:
        if name not in COLUMNS:
            raise SettingsError(f"record: {name!r} is not a column.", f"Columns are {', '.join(COLUMNS)}.")
    return {name: _typed(name, record.get(name)) for name in COLUMNS}


def _typed(name: str, value: Any) -> Value:
    if name in _TEXTS:
        if not isinstance(value, str):
            raise SettingsError(f"record: {name} = {value!r} is not a text.")
        try:
            return _TEXTS[name](value)
        except ValueError as e:
            raise SettingsError(f"record: {name} = {value!r} {e}.") from e
    if value is None:
        return None
    # The comparison is false for NaN, too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise SettingsError(
            f"record: {name} = {value!r} is not a number.", "Leave it out, or null, when it is missing."
        )
    return value if name == "Volume" else float(value)


def _check_header(path: Path, line: int, found: list[str]) -> None:
    if not found:
        raise InputError(f"{path} is empty.", f"Expected the columns {','.join(COLUMNS)}.")
    if tuple(name.strip() for name in found) != COLUMNS:
        raise InputError(
            f"{path}, line {line}: the columns are not those of a tick.\n"
            f"  expected: {','.join(COLUMNS)}\n  found:    {','.join(found)[:500]!r}"
        )


def _plain_tick(fields: list[str]) -> Tick | None:
    """A row as the data set writes nearly all of them, in a third of the time; None: look at it field by field."""
    if len(fields) != len(COLUMNS) or not _PLAIN.fullmatch(",".join(fields)):
        return None
    index, day, opened, high, low, close, adjusted, volume, usd = fields
    try:
        date.fromisoformat(day)
    except ValueError:
        return None
    return {
        "Index": index,
        "Date": day,
        "Open": float(opened),
        "High": float(high),
        "Low": float(low),
        "Close": float(close),
        "Adj Close": float(adjusted),
        "Volume": _volume(volume),
        "CloseUSD": float(usd),
    }


def _tick(where: str, fields: list[str]) -> Tick:
    if len(fields) != len(COLUMNS):
        raise InputError(f"{where}: {len(fields)} fields instead of {len(COLUMNS)}: {','.join(fields)[:200]!r}.")
    tick: Tick = {}
    for name, field in zip(COLUMNS, fields, strict=True):
        try:
            tick[name] = _READ[name](field.strip())
        except ValueError as e:
            raise InputError(f"{where}, column {name}: {field[:100]!r} {e}.") from e
    return tick


def _index(text: str) -> str:
    if not text:
        raise ValueError("is no index: it is missing")
    if not text.isprintable():  # also bytes that are not UTF-8
        raise ValueError("is no index: it holds bytes that are not printable text in UTF-8")
    return text


def _day(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise ValueError("is not a date YYYY-MM-DD")


def _price(text: str) -> float | None:
    if not text:
        return None
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError("is not a number")
    return number


def _volume(text: str) -> int | float | None:
    if text.isascii() and text.isdigit():
        return int(text)  # exact, also above 2**53
    number = _price(text)
    return int(number) if number is not None and number.is_integer() else number


_TEXTS: dict[str, Callable[[str], str]] = {"Index": _index, "Date": _day}
_READ: dict[str, Callable[[str], Value]] = {
    **_TEXTS,
    **dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close", "CloseUSD"), _price),
    "Volume": _volume,
}
