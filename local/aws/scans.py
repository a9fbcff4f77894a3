"""The objects behind a query: which partitions it needs, and a view over them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from local.aws import catalog, lines, parsed
from local.aws.catalog import Partition, Table
from local.aws.host import StoredObject
from local.aws.lines import duckdb_type, quote
from local.aws.sql import Scan


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


def make_view(connection: Any, source: Source, borrowed: ExitStack, check: Callable[[], None]) -> None:
    """Create the view that the translated query reads.

    Args:
        connection: of the query.
        source: what the view shows.
        borrowed: closed when the view is no longer read; until then parsed objects stay where they are.
        check: called while it waits for objects to be parsed, to raise when the query was stopped.

    Raises:
        QueryError: a line is not a JSON object.
    """
    view, table = source.scan.view, source.scan.table
    if not source.files:
        columns = ", ".join(f"CAST(NULL AS {duckdb_type(kind)}) AS {quote(n)}" for n, kind in table.kinds.items())
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {columns} WHERE false")
        return
    files = [o for o, _ in source.files]
    instead = parsed.lend(files, table.columns, borrowed, check)
    rows = [
        lines.select(connection, f"{view}_lines", table.columns, [o for o in files if o.path not in instead]),
        parsed.select(connection, f"{view}_parsed", [instead[o.path] for o in files if o.path in instead]),
    ]
    keys = [f"v{i}" for i in range(len(table.keys))]
    unnested = "".join(f", unnest(${v}) AS {v}" for v in keys)
    values = {v: [vs[i] for _, vs in source.files] for i, v in enumerate(keys)}
    connection.execute(
        f"CREATE TEMP TABLE {view}_files AS SELECT unnest($paths) AS path{unnested}",
        {"paths": [instead.get(o.path, o.path) for o in files], **values},
    )
    columns = ", ".join(f"c{i} AS {quote(name)}" for i, name in enumerate(table.columns))
    typed = "".join(
        f", CAST({v} AS {duckdb_type(kind)}) AS {quote(name)}"
        for v, (name, kind) in zip(keys, table.keys.items(), strict=True)
    )
    connection.execute(
        f"CREATE TEMP VIEW {view} AS SELECT {columns}{typed} FROM ({' UNION ALL '.join(r for r in rows if r)}) "  # noqa: S608
        f"JOIN {view}_files USING (path)"
    )
