"""What Airflow costs with all DAGs running, against one that has none; and how late tasks start.

Start the stack first (`./ticklake up`). An Airflow without DAGs is started beside it, both are watched. The unit is a minute:
`cpu us` is the CPU of scheduler, triggerer, DAG processor and API server in a minute, that of tasks included, and `cpu ratio`
is what all DAGs cost against none. *Late* is the time from a minute's end to the start of the task that lands it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._airflow import api
from benchmarks._common import Report, Run, parse, progress
from benchmarks._watch import cpu_seconds
from local import airflow
from local.down import down
from local.home import Home
from local.processes import Part
from local.stack import AIRFLOW, Stack
from ticklake.core.minute import Minute

_SETTLING = 90  # seconds after its start in which an Airflow does what it does once


@contextmanager
def without_dags(tools: Path, port_base: int) -> Iterator[list[Part]]:
    """An Airflow of its own, with an empty folder of DAGs."""
    with tempfile.TemporaryDirectory(prefix="ticklake-bench-") as folder:
        empty = Path(folder) / "dags"
        empty.mkdir()
        stack = Stack(Home(Path(folder) / "home", tools, port_base))
        try:
            airflow.prepare(stack)
            parts = airflow.start(stack, AIRFLOW__CORE__DAGS_FOLDER=str(empty))
            airflow.wait(stack, parts)
            yield parts
        finally:
            down(stack, wipe=True)


def minute_of(parts: Sequence[Part], before: float, seconds: float) -> Run:
    """What they have used since the sum ``before``, as a minute."""
    used = sum(map(cpu_seconds, parts)) - before
    return Run(seconds / 60, seconds, used, more={"cpu_seconds_a_minute": used / seconds * 60})


def late(stack: Stack, since: datetime) -> list[Run]:
    """Of each scheduled run since then: seconds from its minute's end to the start of its first task."""
    with api(stack) as airflow_api:
        query = {"start_date_gte": since.isoformat(), "limit": "100"}
        answer = airflow_api.get("/dags/kafka_to_s3/dagRuns/~/taskInstances", params=query).raise_for_status().json()
        runs = {run: airflow_api.get(f"/dags/kafka_to_s3/dagRuns/{run}").raise_for_status().json()
                for run in {t["dag_run_id"] for t in answer["task_instances"]}}  # fmt: skip
    found = []
    for task in answer["task_instances"]:
        run = runs[task["dag_run_id"]]
        if run["run_type"] == "scheduled" and task["start_date"]:
            end = Minute.parse(run["partition_key"]).end_ms / 1000
            found.append(Run(1, datetime.fromisoformat(task["start_date"]).timestamp() - end))
    return found


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=int, help="how long both are watched (default 10)")


def main() -> None:
    """Watch both, minute by minute."""
    options = parse(__doc__, _options)
    stack = Stack(Home.from_env())
    parts = [part for name in AIRFLOW if (part := stack.alive(name))]
    if len(parts) < len(AIRFLOW):
        raise SystemExit("The stack does not run, or not all of it. Start it: ./ticklake up")
    minutes = options.rest.minutes or (1 if options.quick else 10)
    report = Report("airflow_cost", __doc__, options, minutes=minutes)
    runs: dict[str, list[Run]] = {"an Airflow without a DAG": [], "all DAGs running": []}
    progress("starting an Airflow without DAGs")
    with without_dags(stack.home.tools, stack.home.port_base + 500) as empty:
        time.sleep(_SETTLING)
        since = datetime.now(UTC)
        for n in range(minutes):
            progress(f"minute {n + 1} of {minutes}")
            before, began = [sum(map(cpu_seconds, some)) for some in (empty, parts)], time.monotonic()
            time.sleep(60)
            took = time.monotonic() - began
            for row, some, used in zip(runs.values(), (empty, parts), before, strict=True):
                row.append(minute_of(some, used, took))
    report.add("a minute of Airflow", runs, unit="minutes")
    report.add("late", {"from a minute's end to its task's start": late(stack, since)}, unit="runs")
    report.finish()


if __name__ == "__main__":
    main()
