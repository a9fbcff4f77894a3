"""Runs one statement: plan, scan, execute. In a worker thread, on a DuckDB of its own that can be interrupted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import duckdb

from local.aws import catalog, duck, host, permissions, scans, sql, statements
from local.aws.catalog import NotEmulatedError, QueryError, Table
from local.aws.permissions import DeniedError, Identity
from local.aws.results import Column, Row, columns_of, csv_line, selected, text

_ROWS = 10_000


class ScanLimitError(QueryError):
    """The workgroup's limit of bytes scanned is reached; Athena cancels such a query."""


@dataclass
class Job:
    """A statement to run, and what can be known of it meanwhile.

    ``tree`` is None for a statement that is not a query; ``limit`` is BytesScannedCutoffPerQuery.
    """

    statement: str
    tree: Any
    database: str
    parameters: list[str]
    limit: int | None
    scanned: int = 0
    connection: Any = None
    stopped: bool = False

    def stop(self) -> None:
        """End it as soon as possible."""
        self.stopped = True
        if self.connection is not None:
            self.connection.interrupt()

    def check(self) -> None:
        """Raise QueryError when it was stopped."""
        if self.stopped:
            raise QueryError("Query cancelled by user")


@dataclass
class Answer:
    """Columns and the result file's text."""

    columns: list[Column]
    body: str


def run(job: Job) -> Answer:
    """Run it; raises QueryError."""
    caller = permissions.caller()
    if job.tree is None:
        if caller.policies is not None:
            raise NotEmulatedError("statements that are not queries, under a role")
        answer = statements.run(job.statement, job.database)
        return Answer([Column(answer.column, "string")], "".join(f"{r}\n" for r in answer.rows))
    query = sql.translate(job.tree, job.database, job.parameters, lambda d, n: _find(caller, d, n), host.databases)
    with duck.connect() as connection, ExitStack() as borrowed:
        job.connection = connection
        return _guarded(lambda: _execute(job, connection, borrowed, query, caller))


def _find(caller: Identity, database: str, name: str) -> Table | None:
    """The table, when the caller may look it and its partitions up."""
    wanted = permissions.of_tables(database, tables=[name])
    try:
        caller.require("glue:GetDatabase", wanted[:2])
        for action in ("glue:GetTable", "glue:GetPartitions"):
            caller.require(action, wanted)
    except DeniedError as e:
        raise QueryError(f"Insufficient permissions to execute the query. {e}") from e
    return catalog.find(database, name)


def _check_objects(caller: Identity, sources: list[scans.Source]) -> None:
    for source in sources:
        for bucket, key in source.objects:
            try:
                caller.require_listing(bucket, key)
                caller.require_objects("s3:GetObject", bucket, [key])
            except DeniedError as e:
                raise QueryError(f"Permission denied on S3 path: s3://{bucket}/{key}. {e}") from e


def _execute(job: Job, connection: Any, borrowed: ExitStack, query: sql.Query, caller: Identity) -> Answer:
    sources = [scans.plan(connection, s) for s in query.scans]
    if caller.policies is not None:
        _check_objects(caller, sources)
    size = sum(s.size for s in sources)
    if job.limit and size > job.limit:
        raise ScanLimitError("Query cancelled! : Bytes scanned limit was exceeded")
    for source in sources:
        scans.make_view(connection, source, borrowed, job.check)
    job.scanned = size
    described = connection.execute(f"DESCRIBE {query.sql}").fetchall()
    columns = columns_of([(name, kind) for name, kind, *_ in described])
    places = ", ".join(selected(i, c) for i, c in enumerate(columns))
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    result = connection.execute(f"SELECT {places} FROM ({query.sql}) AS result({names})")  # noqa: S608
    lines = [csv_line([c.name for c in columns])]
    while rows := result.fetchmany(_ROWS):
        lines += [csv_line(_texts(row, columns)) for row in rows]
    return Answer(columns, "".join(lines))


def _texts(row: tuple[Any, ...], columns: list[Column]) -> Row:
    for value, column in zip(row, columns, strict=True):
        if column.kind == "bigint" and value is not None and not -(2**63) <= value < 2**63:
            raise QueryError(f"NUMERIC_VALUE_OUT_OF_RANGE: bigint overflow: {value} in {column.name}")
    return [text(v) for v in row]


def _guarded(work: Callable[[], Answer]) -> Answer:
    """DuckDB's errors in Athena's words."""
    try:
        return work()
    except duckdb.Error as e:
        raise QueryError(_reason(e)) from e


def _reason(error: Exception) -> str:
    message = str(error).partition("\n\nLINE ")[0].strip()
    plain = re.sub(r"^[A-Za-z ]+ Error: ", "", message)
    if "not emulated by the local stand-in" in plain:
        return f"NOT_SUPPORTED: {plain}"
    if re.match(r"[A-Z_]+: ", plain):  # raised by trino.sql
        return plain
    if "Malformed JSON" in plain or isinstance(error, duckdb.IOException):
        return f"HIVE_CURSOR_ERROR: {os.path.basename(plain)}"  # noqa: PTH119 (a sentence, not a path)
    if "ivision by zero" in plain:
        return "DIVISION_BY_ZERO: Division by zero"
    if isinstance(error, duckdb.ConversionException):
        return f"INVALID_CAST_ARGUMENT: {plain}"
    if isinstance(error, duckdb.OutOfRangeException):
        return f"NUMERIC_VALUE_OUT_OF_RANGE: {plain}"
    if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
        return f"SYNTAX_ERROR: {plain}"
    if isinstance(error, duckdb.InvalidInputException) and "CSV" in plain:
        return f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - {plain.splitlines()[0]}"
    return f"GENERIC_INTERNAL_ERROR: {plain}"
