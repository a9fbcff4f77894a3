"""Runs one statement: plan, scan, execute. In a worker thread, on a DuckDB of its own that can be interrupted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from local.aws import catalog, host, scans, sql, statements
from local.aws.catalog import QueryError
from local.aws.results import Column, Row, columns_of, csv_line, selected, text

_FUNCTIONS = (Path(__file__).parent / "trino.sql").read_text()
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


@dataclass
class Answer:
    """Columns and the result file's text."""

    columns: list[Column]
    body: str


def run(job: Job) -> Answer:
    """Run it; raises QueryError."""
    if job.tree is None:
        answer = statements.run(job.statement, job.database)
        return Answer([Column(answer.column, "string")], "".join(f"{r}\n" for r in answer.rows))
    query = sql.translate(job.tree, job.database, job.parameters, catalog.find, host.databases)
    with connect() as connection:
        job.connection = connection
        return _guarded(lambda: _execute(job, connection, query))


def connect() -> Any:
    """A DuckDB that knows Athena's functions and reaches for nothing on the network."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 2; SET TimeZone = 'UTC'; SET autoinstall_known_extensions = false;")
    connection.execute("SET ieee_floating_point_ops = true; SET autoload_known_extensions = false;")
    connection.execute(_FUNCTIONS)
    return connection


def _execute(job: Job, connection: Any, query: sql.Query) -> Answer:
    sources = [scans.plan(connection, s) for s in query.scans]
    size = sum(s.size for s in sources)
    if job.limit and size > job.limit:
        raise ScanLimitError("Query cancelled! : Bytes scanned limit was exceeded")
    for source in sources:
        scans.make_view(connection, source)
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
