"""Athena: several questions asked at once, answered in typed rows, refused in words.

boto3 sends a ``ClientRequestToken`` of its own with every query, the same again when it repeats a call that got no answer: so
a lost answer never starts a query twice, and asking again later never gets an old answer.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ticklake.core.errors import LakeError
from ticklake.core.proof.row_counts import Answer, Value
from ticklake.core.visible import visible

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds
_FAILED = frozenset({"FAILED", "CANCELLED"})
_WHOLE = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})
_FLOATING = frozenset({"float", "real", "double"})

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A SQL statement and the texts and whole numbers that stand for its ``?``, in order."""

    sql: str
    parameters: tuple[str | int, ...] = ()


class Athena:
    """A workgroup of Athena and the database that its queries read.

    Args:
        client: a boto3 Athena client.
        database: name of the Glue database.
        workgroup: name of the workgroup.
        output: ``s3://…/`` where the results lie; a workgroup may enforce its own.
        patience: seconds after which a question is given up.
    """

    def __init__(self, client: Any, database: str, workgroup: str, output: str, patience: float = 600) -> None:
        self._client = client
        self._database = database
        self._workgroup = workgroup
        self._output = output
        self._patience = patience

    def ask(self, questions: Mapping[str, Question]) -> dict[str, Answer]:
        """Ask all questions at once and collect the answers, by the questions' names.

        Raises:
            LakeError: a query was refused, failed or took too long; the others are stopped.
        """
        started: dict[str, str] = {}
        try:
            for name, question in questions.items():
                started[name] = self._start(name, question)
            deadline = time.monotonic() + self._patience
            return {name: self._collect(name, questions[name], id_, deadline) for name, id_ in started.items()}
        except BaseException:
            # Nobody will read the others' answers: they must not go on costing.
            for query_id in started.values():
                with contextlib.suppress(ClientError, BotoCoreError):
                    self._client.stop_query_execution(QueryExecutionId=query_id)
            raise

    def _start(self, name: str, question: Question) -> str:
        parameters = [_literal(p) for p in question.parameters]
        extra = {"ExecutionParameters": parameters} if parameters else {}
        answer = self._call(
            name,
            question,
            self._client.start_query_execution,
            QueryString=question.sql,
            QueryExecutionContext={"Database": self._database},
            ResultConfiguration={"OutputLocation": self._output},
            WorkGroup=self._workgroup,
            **extra,
        )
        return str(answer["QueryExecutionId"])

    def _collect(self, name: str, question: Question, query_id: str, deadline: float) -> Answer:
        execution = self._call(name, question, ended, self._client, query_id, deadline)
        status = execution["Status"]
        if status["State"] in _FAILED:
            reason = status.get("StateChangeReason") or "no reason given"
            raise _refused(name, question, f"{status['State']}: {reason} (query {query_id})")
        if status["State"] != "SUCCEEDED":
            raise _refused(name, question, f"no answer within {self._patience:g} s (query {query_id})")
        columns, rows = self._call(name, question, self._read, query_id)
        scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
        return Answer(columns, rows, int(scanned), query_id)

    def _read(self, query_id: str) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
        columns: tuple[str, ...] = ()
        rows: list[tuple[Value, ...]] = []
        for number, page in enumerate(result_pages(self._client, query_id)):
            info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            columns = tuple(c["Name"] for c in info)
            types = [c["Type"] for c in info]
            rows += (
                tuple(_value(cell.get("VarCharValue"), kind) for cell, kind in zip(row["Data"], types, strict=True))
                # The first row of the first page repeats the columns' names.
                for row in page["ResultSet"]["Rows"][0 if number else 1 :]
            )
        return columns, tuple(rows)

    def _call(self, name: str, question: Question, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        try:
            return call(*arguments, **named)
        except (ClientError, BotoCoreError) as e:
            raise _refused(name, question, str(e)) from e


def ended(client: Any, query_id: str, deadline: float = math.inf) -> dict[str, Any]:
    """The execution of a query once it has ended, however; as it is at the deadline (of the monotonic clock) otherwise.

    Args:
        client: a boto3 Athena client.
        query_id: the query's id.
        deadline: when the wait is over.
    """
    pause = _FIRST_PAUSE
    while True:
        execution: dict[str, Any] = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if execution["Status"]["State"] in {"SUCCEEDED", *_FAILED} or time.monotonic() > deadline:
            return execution
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def result_pages(client: Any, query_id: str) -> Iterator[dict[str, Any]]:
    """Pages of a query's result, as the API gives them; the first row of a SELECT repeats the names of the columns."""
    yield from client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)


def _refused(name: str, question: Question, why: str) -> LakeError:
    return LakeError(
        f"Athena did not answer {name!r}: {visible(why)}", f"It was asked, with {question.parameters}:\n{question.sql}"
    )


def _literal(value: str | int) -> str:
    # Athena puts the values in as they are written: a string needs its quotes.
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _value(text: str | None, kind: str) -> Value:
    if text is None:
        return None
    if kind in _WHOLE:
        return int(text)
    if kind in _FLOATING:
        return float(text)
    if kind == "boolean":
        return text == "true"
    return text  # strings, dates and decimals stay as Athena writes them
