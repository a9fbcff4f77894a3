"""Lines of JSON as columns of their table's types, as Hive's SerDe reads them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from local.aws import column_types
from local.aws.catalog import NotEmulatedError, QueryError
from local.aws.host import StoredObject

_REMEMBERED = 100_000
_keys_of: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()
_lock = threading.Lock()
_INT = "CAST(json_within(json_integer({0}), -2147483648, 2147483647, 'int') AS INTEGER)"
_SCALARS = {
    "boolean": "json_boolean({0})",
    "tinyint": "CAST(json_within(json_integer({0}), -128, 127, 'tinyint') AS TINYINT)",
    "smallint": "CAST(json_within(json_integer({0}), -32768, 32767, 'smallint') AS SMALLINT)",
    "int": _INT,
    "integer": _INT,
    "bigint": "json_integer({0})",
    "float": "CAST(json_double({0}) AS FLOAT)",
    "double": "json_double({0})",
    "string": "({0} ->> '$')",
    "date": "CAST({0} ->> '$' AS DATE)",
    "timestamp": "CAST({0} ->> '$' AS TIMESTAMP)",
}
_DUCKDB = {"int": "INTEGER", "string": "VARCHAR", "float": "FLOAT"}


def compressions(files: Iterable[StoredObject]) -> list[str]:
    """What the objects are packed with; raises NotEmulatedError when that cannot be read."""
    return sorted({_compression(o) for o in files})


def select(connection: Any, variable: str, columns: dict[str, str], files: list[StoredObject]) -> str:
    """A SELECT of the objects' lines: ``c0``, ``c1`` … for the columns, and ``path``; nothing for no objects.

    Args:
        connection: which the SELECT is for; its variables of a name that begins with ``variable`` are set.
        variable: see above.
        columns: Hive type of each column.
        files: the objects.

    Raises:
        QueryError: a line is not a JSON object.
    """
    paths, values = _extract(columns, _keys_in(connection, files))
    found = f"json_extract(line, [{', '.join(paths)}])" if paths else "NULL"
    return " UNION ALL ".join(
        f"SELECT {values}path FROM (SELECT {found} AS found, path FROM ({_lines(connection, variable, c, files)}))"  # noqa: S608
        for c in compressions(files)
    )


def _lines(connection: Any, variable: str, compression: str, files: list[StoredObject]) -> str:
    name = f"{variable}_{compression}"
    connection.execute(
        f"SET VARIABLE {name} = $paths", {"paths": [o.path for o in files if _compression(o) == compression]}
    )
    return (
        f"SELECT line, filename AS path FROM read_json(getvariable('{name}'), format='newline_delimited', "  # noqa: S608
        f"records='false', columns={{line: 'JSON'}}, filename=true, compression='{compression}')"
    )


def _compression(found: StoredObject) -> str:
    suffix = found.key.rpartition("/")[2].rpartition(".")[2]
    if suffix in ("bz2", "snappy", "lzo", "zst", "deflate", "lz4"):
        raise NotEmulatedError(f"reading {found.key}: only gzip and plain text are read")
    return "gzip" if suffix == "gz" else "uncompressed"


def _keys_in(connection: Any, files: list[StoredObject]) -> frozenset[str]:
    """All keys in the objects' lines; each object is looked through once."""
    new = [o for o in files if (o.path, o.etag) not in _keys_of]
    for compression in sorted({_compression(o) for o in new}):
        _look_through(connection, [o for o in new if _compression(o) == compression], compression)
    with _lock:
        found = [_keys_of[o.path, o.etag] for o in files]
        while len(_keys_of) > _REMEMBERED:
            _keys_of.popitem(last=False)
    return frozenset().union(*set(found))


def _look_through(connection: Any, files: list[StoredObject], compression: str) -> None:
    # Unless told, DuckDB takes 16 times the longest line for a buffer: a gigabyte for each thread.
    # A line with keys is a JSON object: only the others need a closer look.
    rows = connection.execute(
        """
        SELECT filename,
               count(*) FILTER (CASE WHEN len(keys) > 0 THEN false ELSE line IS NULL OR trim(line) = '' END),
               first(line) FILTER (CASE WHEN len(keys) > 0 OR line IS NULL OR trim(line) = '' THEN false
                                        WHEN json_valid(line) THEN json_type(line) <> 'OBJECT' ELSE true END),
               list_distinct(flatten(list(DISTINCT keys)))
        FROM (SELECT filename, line, TRY(json_keys(line)) AS keys
              FROM read_csv($paths, auto_detect=false, header=false, columns={line: 'VARCHAR'}, delim='\x01', quote='',
                            escape='', comment='', filename=true, max_line_size=67108864, buffer_size=67108864,
                            compression=$compression))
        GROUP BY filename
        """,
        {"paths": [o.path for o in files], "compression": compression},
    ).fetchall()
    seen = {path: (blank, wrong, keys) for path, blank, wrong, keys in rows}
    for one in files:
        blank, wrong, keys = seen.get(one.path, (0, None, []))
        if wrong is not None:
            raise QueryError(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - {wrong[:200]} in {one.key}")
        if blank:
            raise NotEmulatedError(f"the blank line in {one.key}")
        with _lock:
            _keys_of[one.path, one.etag] = frozenset(keys or [])


def _extract(columns: dict[str, str], keys: frozenset[str]) -> tuple[list[str], str]:
    """Paths to extract from a line at once, and the columns as what is ``found`` there.

    The SerDe compares names without regard to case; a missing key is NULL.
    """
    paths: list[str] = []
    values = ""
    for i, (column, kind) in enumerate(columns.items()):
        same = sorted(k for k in keys if k.lower() == column)
        found = [f"found[{len(paths) + n}]" for n in range(1, len(same) + 1)]
        paths += [_path(k) for k in same]
        values += f"{_typed(column, kind, found)} AS c{i}, "
    return paths, values


def _path(key: str) -> str:
    if key == "*":
        return "'/*'"  # the other notation takes it for all keys, in quotes, too
    return "'$.\"" + key.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + "\"'"


def _typed(column: str, kind: str, found: list[str]) -> str:
    if not found:
        return f"CAST(NULL AS {duckdb_type(kind)})"
    value = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    if kind in _SCALARS:
        return _SCALARS[kind].format(value)
    if kind.startswith("decimal"):
        return f"CAST({value} ->> '$' AS {kind})"
    if kind.startswith(("struct<", "array<")):
        return f"json_transform({value}, '{_structure(kind)}')"
    raise NotEmulatedError(f"columns of type {kind} ({column})")


def _structure(kind: str) -> str:
    if kind.startswith("struct<"):
        inner = ", ".join(f'"{name}": {_structure(k)}' for name, k in column_types.fields(kind).items())
        return "{" + inner + "}"
    if kind.startswith("array<"):
        return f"[{_structure(column_types.element(kind))}]"
    if kind in ("tinyint", "smallint", "int", "bigint", "integer"):
        return '"BIGINT"'
    return f'"{duckdb_type(kind)}"'


def duckdb_type(kind: str) -> str:
    """A Hive type in DuckDB's words."""
    if kind.startswith("struct<"):
        inner = ", ".join(f"{quote(n)} {duckdb_type(k)}" for n, k in column_types.fields(kind).items())
        return f"STRUCT({inner})"
    if kind.startswith("array<"):
        return f"{duckdb_type(column_types.element(kind))}[]"
    if kind in _SCALARS or kind.startswith("decimal"):
        return _DUCKDB.get(kind, kind.upper())
    raise NotEmulatedError(f"columns of type {kind}")


def quote(name: str) -> str:
    """An identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'
