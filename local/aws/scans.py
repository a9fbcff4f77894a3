"""The objects behind a query: which partitions it needs, whether their lines can be read, and a view over them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from local.aws import catalog, column_types
from local.aws.catalog import NotEmulatedError, Partition, QueryError, Table
from local.aws.host import StoredObject
from local.aws.sql import Scan

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


@dataclass(frozen=True)
class Source:
    """What a scan reads: objects, each with its partition, and their bytes together."""

    scan: Scan
    found: tuple[tuple[StoredObject, Partition], ...]

    @property
    def files(self) -> list[tuple[StoredObject, tuple[str, ...]]]:
        """The objects, each with its partition's values."""
        return [(o, p.values) for o, p in self.found]

    @property
    def objects(self) -> list[tuple[str, str]]:
        """Bucket and key of each object."""
        return [(p.bucket, o.key) for o, p in self.found]

    @property
    def size(self) -> int:
        """Bytes as they lie in S3."""
        return sum(o.size for o, _ in self.files)


def plan(connection: Any, scan: Scan) -> Source:
    """The objects of the registered partitions that the scan's conditions leave."""
    partitions = scan.table.partitions()
    if scan.conditions:
        partitions = matching(connection, scan.table, partitions, " AND ".join(scan.conditions), scan.alias)
    found = catalog.objects(partitions)
    return Source(scan, tuple((o, partitions[i]) for i, o in found))


def matching(connection: Any, table: Table, partitions: list[Partition], condition: str, alias: str) -> list[Partition]:
    """Partitions whose values fulfil a condition in DuckDB's SQL."""
    values = {f"v{i}": [p.values[i] for p in partitions] for i in range(len(table.keys))}
    unnested = ", ".join(f"unnest(${name}) AS {name}" for name in values)
    typed = ", ".join(
        f"CAST(v{i} AS {duckdb_type(kind)}) AS {quote(name)}" for i, (name, kind) in enumerate(table.keys.items())
    )
    rows = connection.execute(
        f"SELECT n FROM (SELECT n, {typed} FROM (SELECT unnest($n) AS n, {unnested})) AS {quote(alias)} "  # noqa: S608
        f"WHERE {condition} ORDER BY n",
        {"n": list(range(len(partitions))), **values},
    ).fetchall()
    return [partitions[n] for (n,) in rows]


def make_view(connection: Any, source: Source) -> None:
    """Create the view that the translated query reads; raises QueryError when a line is not a JSON object."""
    view, table = source.scan.view, source.scan.table
    if not source.files:
        columns = ", ".join(f"CAST(NULL AS {duckdb_type(kind)}) AS {quote(n)}" for n, kind in table.kinds.items())
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {columns} WHERE false")
        return
    known = _inspect(connection, [o for o, _ in source.files])
    columns = ", ".join(f"{_extract(name, kind, known)} AS {quote(name)}" for name, kind in table.columns.items())
    keys = [f"v{i}" for i in range(len(table.keys))]
    typed = "".join(
        f", CAST({v} AS {duckdb_type(kind)}) AS {quote(name)}"
        for v, (name, kind) in zip(keys, table.keys.items(), strict=True)
    )
    unnested = "".join(f", unnest(${v}) AS {v}" for v in keys)
    values = {v: [vs[i] for _, vs in source.files] for i, v in enumerate(keys)}
    paths = [o.path for o, _ in source.files]
    connection.execute(
        f"CREATE TEMP TABLE {view}_files AS SELECT unnest($paths) AS path{unnested}",
        {"paths": paths, **values},
    )
    lines = " UNION ALL ".join(_lines(connection, f"{view}_{c}", c, source) for c in _compressions(source))
    connection.execute(
        f"CREATE TEMP VIEW {view} AS SELECT {columns}{typed} FROM ({lines}) JOIN {view}_files USING (path)"  # noqa: S608
    )


def _compressions(source: Source) -> list[str]:
    return sorted({_compression(o) for o, _ in source.files})


def _compression(found: StoredObject) -> str:
    suffix = found.key.rpartition("/")[2].rpartition(".")[2]
    if suffix in ("bz2", "snappy", "lzo", "zst", "deflate", "lz4"):
        raise NotEmulatedError(f"reading {found.key}: only gzip and plain text are read")
    return "gzip" if suffix == "gz" else "uncompressed"


def _lines(connection: Any, name: str, compression: str, source: Source) -> str:
    paths = [o.path for o, _ in source.files if _compression(o) == compression]
    connection.execute(f"SET VARIABLE {name} = $paths", {"paths": paths})
    return (
        f"SELECT line, filename AS path FROM read_json(getvariable('{name}'), format='newline_delimited', "  # noqa: S608
        f"records='false', columns={{line: 'JSON'}}, filename=true, compression='{compression}')"
    )


def _inspect(connection: Any, files: list[StoredObject]) -> frozenset[str]:
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
    rows = connection.execute(
        """
        SELECT filename,
               count(*) FILTER (line IS NULL OR trim(line) = ''),
               first(line) FILTER (CASE WHEN trim(line) = '' OR line IS NULL THEN false
                                        WHEN json_valid(line) THEN json_type(line) <> 'OBJECT' ELSE true END),
               list_distinct(flatten(list(DISTINCT CASE WHEN json_valid(line) THEN json_keys(line) END)))
        FROM read_csv($paths, auto_detect=false, header=false, columns={line: 'VARCHAR'}, delim='\x01', quote='',
                      escape='', comment='', filename=true, max_line_size=67108864, buffer_size=67108864,
                      compression=$compression)
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


def _extract(column: str, kind: str, keys: frozenset[str]) -> str:
    """A column's value from a line. The SerDe compares names without regard to case; a missing key is NULL."""
    same = sorted(k for k in keys if k.lower() == column)
    if not same:
        return f"CAST(NULL AS {duckdb_type(kind)})"
    paths = ['$."' + k.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + '"' for k in same]
    values = [f"json_extract(line, '{path}')" for path in paths]
    value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
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
