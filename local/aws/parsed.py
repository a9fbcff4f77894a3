"""Large objects as columns: parsed once, when a query first needs them, and kept as Parquet files while there is room.

An object never changes, so what was parsed stays right; one that is overwritten has another etag. Parsing takes every column
of the table. An object with a value that does not fit, or a line that is no JSON object, cannot be parsed: it is read line by
line as small objects are, and only a query that needs the wrong value fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

from local.aws import duck, lines
from local.aws.host import StoredObject
from local.aws.shelf import Make, Shelf

_LARGE = 64 * 1024  # bytes as stored; less is read faster than a file is made
_ROOM = 2 * 1024**3  # bytes; about twice an hour of 5,000 records/s
_shelf = Shelf(Path(tempfile.gettempdir()) / "ticklake-parsed", _ROOM)


def clear() -> None:
    """Remove what is kept, also by a process that was killed; only while no query runs."""
    _shelf.clear()


def lend(
    files: list[StoredObject], columns: dict[str, str], borrowed: ExitStack, check: Callable[[], None]
) -> dict[str, str]:
    """Parse what is large and was not parsed before.

    Args:
        files: the objects.
        columns: Hive type of each column.
        borrowed: until it is closed the Parquet files stay.
        check: called while it waits, to raise when nobody wants the files any longer.

    Returns:
        Path of an object -> path of its Parquet file, for the objects that have one.
    """
    wanted: dict[Hashable, Make] = {}
    paths: dict[Hashable, str] = {}
    for one in files:
        if one.size >= _LARGE and (written := _written(one.path)):
            # The etag is the listing's, the time the file's: an object may be overwritten between the two.
            key = (one.path, one.etag, written, tuple(columns.items()))
            wanted[key], paths[key] = partial(_parse, one, columns), one.path
    kept = borrowed.enter_context(_shelf.lend(wanted, check))
    return {paths[key]: str(path) for key, path in kept.items()}


def _written(path: str) -> int:
    """When a file was written, in nanoseconds; 0 for one that is not there any longer."""
    try:
        return Path(path).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def select(connection: Any, variable: str, files: list[str]) -> str:
    """A SELECT of Parquet files, of the same columns as ``lines.select``; ``variable`` is set, nothing for no files."""
    if not files:
        return ""
    connection.execute(f"SET VARIABLE {variable} = $files", {"files": files})
    return f"SELECT * FROM read_parquet(getvariable('{variable}'), hive_partitioning=false, filename='path')"  # noqa: S608


def _parse(one: StoredObject, columns: dict[str, str], path: Path) -> None:
    with _parser().cursor() as connection:
        rows = lines.select(connection, "lines", columns, [one])
        target = str(path).replace("'", "''")
        connection.execute(f"COPY (SELECT * EXCLUDE (path) FROM ({rows})) TO '{target}' (FORMAT parquet)")  # noqa: S608


@cache
def _parser() -> Any:
    """One DuckDB for all: to make another takes as long as to parse a small object."""
    return duck.connect()
