"""Athena: several questions asked at once, answered in typed rows, refused in words.

boto3 sends a ``ClientRequestToken`` of its own with every query, the same again when it repeats a call that got no answer: so
a lost answer never starts a query twice, and asking again later never gets an old answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ticklake.core.errors import LakeError
from ticklake.core.proof.row_counts import Answer, Value
from ticklake.core.visible import visible

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds
_WHOLE = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})
_FLOATING = frozenset({"float", "real", "double"})


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
        pause = _FIRST_PAUSE
        while True:
            execution = self._call(name, question, self._client.get_query_execution, QueryExecutionId=query_id)
            status = execution["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                break
            if status["State"] in {"FAILED", "CANCELLED"}:
                reason = status.get("StateChangeReason") or "no reason given"
                raise _refused(name, question, f"{status['State']}: {reason} (query {query_id})")
            if time.monotonic() > deadline:
                raise _refused(name, question, f"no answer within {self._patience:g} s (query {query_id})")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        scanned = execution["QueryExecution"].get("Statistics", {}).get("DataScannedInBytes", 0)
        return self._read(name, question, query_id, int(scanned))

    def _read(self, name: str, question: Question, query_id: str, scanned: int) -> Answer:
        columns: tuple[str, ...] = ()
        rows: list[tuple[Value, ...]] = []
        more: dict[str, str] = {}
        while True:
            page = self._call(name, question, self._client.get_query_results, QueryExecutionId=query_id, **more)
            info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            listed = page["ResultSet"]["Rows"]
            if not more:
                columns = tuple(c["Name"] for c in info)
                listed = listed[1:]  # the first row of the first page repeats the columns' names
            types = [c["Type"] for c in info]
            rows += (
                tuple(_value(cell.get("VarCharValue"), kind) for cell, kind in zip(row["Data"], types, strict=True))
                for row in listed
            )
            if not page.get("NextToken"):
                return Answer(columns, tuple(rows), scanned, query_id)
            more = {"NextToken": page["NextToken"]}

    def _call(
        self, name: str, question: Question, call: Callable[..., dict[str, Any]], **arguments: Any
    ) -> dict[str, Any]:
        try:
            return call(**arguments)
        except (ClientError, BotoCoreError) as e:
            raise _refused(name, question, str(e)) from e


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
    return text  # texts, dates and decimals stay as Athena writes them
