"""A CSV as a table: read once to decide what its columns hold, and again, as often as wanted, for its rows.

Both readings hold one batch of rows in memory, however long the file. What does not fit is found by the first, so before
anything is sent.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ticklake.core.errors import InputError, SettingsError, did_you_mean
from ticklake.core.sample.columns import Column, Problems, Watched, check_names
from ticklake.core.sample.form import Form, csv_reader, form_of, opened
from ticklake.core.sample.kinds import Value, values

_BATCH_ROWS = 500
_BATCH_BYTES = 1 << 22  # of rows that are longer than usual
_FIRST_ROWS = 16


@dataclass(frozen=True)
class CsvTable:
    """A CSV that was read once.

    Attributes:
        path: the file.
        form: how it is written.
        columns: in the header's order.
        rows: those that are not blank.
        blank: rows that were skipped because all their fields are.
        short: rows with fewer fields than the header; the missing ones are null.
        size: of the file, in bytes.
    """

    path: Path
    form: Form
    columns: tuple[Column, ...]
    rows: int
    blank: int
    short: int
    size: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def bytes_of_a_row(self) -> int:
        """About how much memory a row takes, as values or as JSON."""
        return self.size // max(self.rows, 1) + sum(len(name.encode()) + 52 for name in self.names) + 150

    def place_of(self, name: str, setting: str) -> int:
        """The place of a column, in whatever case; raises SettingsError that names the nearest, and where it was asked for."""
        places = {column.lower(): place for place, column in enumerate(self.names)}
        if name.lower() not in places:
            raise SettingsError(f"{setting} = {name!r} is not a column of {self.path}.", did_you_mean(name, self.names))
        return places[name.lower()]

    def batches(self) -> Iterator[list[tuple[Value, ...]]]:
        """The file's rows as values, some hundred at a time; raises InputError when it is no longer the file it was."""
        width = len(self.columns)
        for batch in _Reading(self.path, self.form, width).batches():
            try:
                columns = [
                    values(column.kind, texts, column.form)
                    for column, texts in zip(self.columns, zip(*batch.rows, strict=True), strict=True)
                ]
            except ValueError as e:
                raise InputError(
                    f"{self.path} has changed while it was read: {e}.", "The next try reads it again."
                ) from e
            yield list(zip(*columns, strict=True))

    def ticks(self) -> Iterator[dict[str, Value]]:
        """The file's rows, each as a dict."""
        names = self.names
        return (dict(zip(names, row, strict=True)) for batch in self.batches() for row in batch)


def read_table(
    path: Path, stop: Callable[[], bool] = lambda: False, progress: Callable[[int, float], None] = lambda *_: None
) -> CsvTable | None:
    """Read a CSV from its beginning to its end and decide what its columns hold.

    Args:
        path: the file.
        stop: asked for each batch; true ends the reading, and None is returned.
        progress: told for each batch how many rows, and which share of the file, were read.

    Raises: InputError naming file, line and column of what does not fit, or every name that cannot be a column's.
    """
    form = form_of(path)
    reading = _Reading(path, form)
    watched: list[Watched] = []
    for batch in reading.batches():
        if stop():
            return None
        watched = watched or [Watched(name) for name in reading.names]
        for column, texts in zip(watched, zip(*batch.rows, strict=True), strict=True):
            column.look(texts, batch.lines, reading.problems)
        progress(reading.rows, reading.share)
    reading.problems.raise_any()
    if not reading.rows:
        raise InputError(f"{path} has no rows but its header.", "TICKLAKE_CSV says which file it is.")
    columns = tuple(column.decide() for column in watched)
    return CsvTable(path, form, columns, reading.rows, reading.blank, reading.short, reading.size)


@dataclass(frozen=True)
class _Batch:
    """Rows as long as the header, and the line that each begins in."""

    lines: list[int]
    rows: list[list[str]]


class _Reading:
    """One reading of a file: counts, the header's names, batches of rows."""

    def __init__(self, path: Path, form: Form, width: int = 0) -> None:
        self.problems = Problems(path)
        self.names: tuple[str, ...] = ()
        self.rows = self.blank = self.short = 0
        self.size = 1
        self._path = path
        self._form = form
        self._width = width  # what it must be; 0 when it is not known
        self._raw: BinaryIO | None = None

    @property
    def share(self) -> float:
        """How much of the file was read."""
        return self._read / self.size

    @property
    def _read(self) -> int:
        return self.size if self._raw is None or self._raw.closed else self._raw.tell()

    def batches(self) -> Iterator[_Batch]:
        rows = self._rows()
        self._take_header(*next(rows, (1, [])))
        width, most, batch = len(self.names), _FIRST_ROWS, _Batch([], [])
        for line, fields in rows:
            if len(fields) != width and not self._fitted(line, fields, width):
                continue
            batch.lines.append(line)
            batch.rows.append(fields)
            if len(batch.rows) == most:
                yield self._counted(batch)
                most, batch = self._most_rows(), _Batch([], [])
        if batch.rows:
            yield self._counted(batch)

    def _counted(self, batch: _Batch) -> _Batch:
        self.rows += len(batch.rows)
        if self._width:
            self.problems.raise_any()
        return batch

    def _most_rows(self) -> int:
        """The rows of the next batch: fewer, where those before were long."""
        return max(1, min(_BATCH_ROWS, _BATCH_BYTES * self.rows // max(self._read, 1)))

    def _take_header(self, line: int, fields: Sequence[str]) -> None:
        if not fields:
            raise InputError(f"{self._path} is empty.", "Its first line is to name the columns.")
        self.names = tuple(name.strip() for name in fields)
        check_names(self._path, line, self.names)
        if self._width and self._width != len(self.names):
            raise InputError(f"{self._path} has changed while it was read.", "The next try reads it again.")

    def _fitted(self, line: int, fields: list[str], width: int) -> bool:
        """Make the row as long as the header; False, and a problem, when it holds more than the header has names for."""
        if len(fields) < width:
            fields += [""] * (width - len(fields))
            self.short += 1
            return True
        if any(field.strip() for field in fields[width:]):
            self.problems.add(line, f": {len(fields)} fields, and the header has {width}: {','.join(fields)[:100]!r}")
            return False
        del fields[width:]
        return True

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """(number of its first line, fields) of each row that is not blank."""
        line = 1
        with opened(self._path) as raw, io.TextIOWrapper(raw, self._form.encoding, newline="") as text:
            self._raw = raw
            self.size = max(self._path.stat().st_size, 1)
            reader = csv_reader(text, self._form.separator, self._form.skips_blanks, strict=True)
            try:
                for fields in reader:
                    if (fields and fields[0].strip()) or any(field.strip() for field in fields):
                        yield line, fields
                    else:
                        self.blank += 1
                    line = reader.line_num + 1
            except csv.Error as e:
                raise InputError(f"{self._path}, line {line}: not CSV: {e}.") from e
