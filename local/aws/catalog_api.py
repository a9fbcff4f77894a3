"""GetPartitions as Glue answers it: filtered by ``Expression`` and in pages; ministack gives all, whatever is asked."""

from __future__ import annotations

from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from local.aws import host, scans
from local.aws.catalog import Partition, Table
from local.aws.duck import connect
from local.aws.host import Reply

_PAGE = 1000


def install() -> None:
    """Put it in the place of ministack's."""
    host.replace(host.glue, "_get_partitions", get_partitions)


def get_partitions(request: dict[str, Any]) -> Reply:
    """GetPartitions."""
    database, name = request.get("DatabaseName", ""), request.get("TableName", "")
    table = host.table(database, name)
    if table is None:
        return host.refuse("EntityNotFoundException", f"Table {name} not found.")
    found = host.partitions(database, name)
    try:
        if request.get("Expression"):
            found = _matching(table, found, request["Expression"])
    except (sqlglot.errors.SqlglotError, duckdb.Error, ValueError) as e:
        return host.refuse("InvalidInputException", f"Unsupported expression '{request['Expression']}': {e}")
    start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or _PAGE)
    page = found[start : start + size]
    if request.get("ExcludeColumnSchema"):
        page = [p | {"StorageDescriptor": p["StorageDescriptor"] | {"Columns": []}} for p in page]
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return host.reply({"Partitions": page, **more})


def _matching(table: dict[str, Any], found: list[dict[str, Any]], expression: str) -> list[dict[str, Any]]:
    tree = sqlglot.parse_one(expression, dialect="athena")
    keys = {k["Name"].lower(): k["Type"] for k in table["PartitionKeys"]}
    for node in tree.walk():
        if isinstance(node, exp.Column) and node.name.lower() not in keys:
            raise ValueError(f"{node.name} is not a partition column")
        if isinstance(node, exp.Func | exp.Query) and not isinstance(node, exp.And | exp.Or):
            raise ValueError(f"{node.sql()} is not supported")
    read = Table(table["DatabaseName"], table["Name"], {}, keys)
    numbered = [Partition(tuple(p["Values"]), "", str(i)) for i, p in enumerate(found)]
    with connect() as connection:
        kept = scans.matching(connection, read, numbered, tree.sql(dialect="duckdb", identify=True), "partitions")
    return [found[int(p.prefix)] for p in kept]
