"""`./ticklake sql`: one Athena query in the stack's workgroup, printed as a table or CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws_stand_in import client
from local.processes import PartError
from local.stack import Stack
from ticklake.clients.aws.athena import ended, result_pages
from ticklake.core.errors import LakeError
from ticklake.core.text_table import text_table
from ticklake.core.visible import visible


def run_query(stack: Stack, query: str, as_csv: bool) -> int:
    """Run the query and print its rows; raises LakeError with Athena's reason. Returns 0."""
    if not stack.alive("aws"):
        raise PartError("The AWS stand-in does not run.", "Start the stack: ./ticklake up")
    if not query.strip():
        raise LakeError("The query is empty.", "Give one statement, e.g.: ./ticklake sql 'SHOW TABLES'")
    try:
        _print(*answer(client(stack, "athena"), stack, query), as_csv)
    except ClientError as e:
        raise LakeError(f"Athena: {e.response['Error'].get('Message', e)}") from e
    except BotoCoreError as e:
        raise PartError(
            "The AWS stand-in does not answer.", f"See ./ticklake status and {stack.home.logs / 'aws.log'}"
        ) from e
    return 0


def _print(columns: list[str], rows: Iterator[list[str | None]], as_csv: bool) -> None:
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    elif columns:
        print(text_table(columns, ([*map(_shown, row)] for row in rows)))


def answer(athena: Any, stack: Stack, query: str) -> tuple[list[str], Iterator[list[str | None]]]:
    """Column names and rows; None is NULL. Raises LakeError with Athena's reason."""
    started = athena.start_query_execution(
        QueryString=query, WorkGroup=stack.workgroup, QueryExecutionContext={"Database": stack.database}
    )
    query_id = started["QueryExecutionId"]
    execution = ended(athena, query_id)
    state = execution["Status"]["State"]
    if state != "SUCCEEDED":
        reason = execution["Status"].get("StateChangeReason", "no reason given")
        raise LakeError(f"Athena: {state}: {visible(reason)}")
    pages = result_pages(athena, query_id)
    first = next(pages)
    columns = [c["Name"] for c in first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
    # Athena repeats the names as the first row of a SELECT, and of nothing else.
    skip = 1 if _rows(first)[:1] == [columns] and execution.get("StatementType", "DML") == "DML" else 0

    def rows() -> Iterator[list[str | None]]:
        yield from _rows(first)[skip:]
        for page in pages:
            yield from _rows(page)

    return columns, rows()


def _rows(page: dict[str, Any]) -> list[list[str | None]]:
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]


def _shown(value: str | None) -> str:
    return "" if value is None else value
