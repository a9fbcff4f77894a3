"""Open transactions that hold records of a topic back: by Kafka's own tool, since no Python client can ask for them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local.jars import class_path
from local.kafka import tool
from local.kafka_tools import TOOLS
from local.stack import Stack
from ticklake.core.moment import moment

_PARTITIONS = 3  # each is a call of the tool, which takes seconds
_SECONDS = 60


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction under way.

    Attributes:
        partition: the Kafka partition that it holds back; offset: its first record there.
        producer_id: of its producer, as Kafka numbers it.
        transactional_id: of its producer; None where no coordinator knows it: the transaction hangs.
        since: when it began or, where no coordinator knows it, when its producer last wrote; ISO 8601.
    """

    partition: int
    offset: int
    producer_id: int
    transactional_id: str | None
    since: str | None


def open_transactions(stack: Stack, topic: str, partitions: Iterable[int]) -> tuple[OpenTransaction, ...]:
    """Those that hold these Kafka partitions back, at most three of them; empty when the tool does not answer."""
    some = sorted(partitions)[:_PARTITIONS]
    with ThreadPoolExecutor(_PARTITIONS + 1) as pool:
        ids = pool.submit(_rows, stack, ["list"])
        asked = [
            pool.submit(_rows, stack, ["describe-producers", "--topic", topic, "--partition", str(p)]) for p in some
        ]
        names = {row["ProducerId"]: row["TransactionalId"] for row in ids.result() if row["TransactionalId"]}
        found = [
            (p, row)
            for p, answer in zip(some, asked, strict=True)
            for row in answer.result()
            if row["CurrentTransactionStartOffset"].isdigit()
        ]
        known = sorted({names[row["ProducerId"]] for _, row in found if row["ProducerId"] in names})
        starts = dict(zip(known, pool.map(lambda name: _began(stack, name), known), strict=True))
    return tuple(
        OpenTransaction(
            p,
            int(row["CurrentTransactionStartOffset"]),
            int(row["ProducerId"]),
            name := names.get(row["ProducerId"]),
            (starts.get(name) if name else None) or _date(row["LastTimestamp"]),
        )
        for p, row in found
    )


def _began(stack: Stack, transactional_id: str) -> str | None:
    rows = _rows(stack, ["describe", "--transactional-id", transactional_id])
    return next((_date(row["CurrentTransactionStartTimeMs"]) for row in rows), None)


def _rows(stack: Stack, arguments: Sequence[str]) -> list[dict[str, str]]:
    """The tool's table, a line each; empty when it fails."""
    settings = ["--command-config", str(stack.security.tool_settings())] if stack.security else []
    command = ["--bootstrap-server", stack.bootstrap, *settings, *arguments]
    try:
        done = subprocess.run(
            tool(class_path(stack.home), TOOLS["transactions"].main, command),
            capture_output=True, text=True, timeout=_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return parsed(done.stdout)


def parsed(table: str) -> list[dict[str, str]]:
    """Lines of a table with tabs between padded cells, by the names in its first line; what comes before that is left out."""
    lines = [[cell.strip() for cell in line.split("\t")] for line in table.splitlines() if "\t" in line]
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def _date(ms: str) -> str | None:
    return moment(int(ms)) if ms.isdigit() else None
