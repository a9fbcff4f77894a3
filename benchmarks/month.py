"""What a month of running costs: a stack with 30 days behind it against one with an hour behind it, side by side.

Both are made here, with one broker each, and removed afterwards; their past is written straight into their folders
(`benchmarks/_past.py`): 43,200 sealed minutes of six objects, 130,000 runs with all that belongs to them, none of it cleaned.
Then both run: `up`, `status`, the UI's list of runs, the start of each minute's task, the CPU of the scheduler, landing,
`reconcile` of an hour. At last the housekeeper cleans. `--days N` is the past of the older one. Half an hour, 4 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks import _past
from benchmarks._airflow import api
from benchmarks._common import ROOT, Contender, Report, Run, measured, parse, progress
from benchmarks._watch import cpu_seconds
from benchmarks.airflow_cost import late
from local import airflow, aws_stand_in
from local.down import down
from local.home import Home
from local.housekeeper import ROUND
from local.lake import sealed
from local.stack import Stack
from local.up import _start_aws
from ticklake.clients.aws.s3 import Lake
from ticklake.core.minute import Minute
from ticklake.core.proof.broker_health import topic_config
from ticklake.core.settings.stream import Stream

HOUR = 60
_SETTLING = 60  # seconds after a start in which an Airflow does what it does once
_PATIENCE = 600.0
Stacks = Mapping[str, Stack]


def ticklake(stack: Stack, *arguments: str) -> Run:
    """Run a command of the launcher against a stack, to its end."""
    ours = {"TICKLAKE_HOME": stack.home.folder, "TICKLAKE_TOOLS": stack.home.tools}
    env = os.environ | {name: str(folder) for name, folder in ours.items()}
    env |= {"TICKLAKE_PORT_BASE": str(stack.home.port_base), "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    return measured([sys.executable, "-P", "-m", "local", *arguments], 1, env, cwd=ROOT)[0]


def make(stack: Stack, minutes: int) -> None:
    """A stack with so many minutes behind it, running."""
    stream = Stream.from_toml(stack.stream)
    progress(f"{stack.home.folder.name}: a topic whose first {minutes:,} minutes are gone from Kafka")
    stack.claim_cluster(1, False)
    cluster = stack.cluster(1)
    cluster.wait(cluster.start(stack.parts))
    drop_records(stack, stream, minutes)
    _start_aws(stack)
    down(stack, wipe=False)
    progress(f"{stack.home.folder.name}: {minutes:,} sealed minutes")
    bucket = stack.home.folder / "aws" / "s3" / "000000000000" / stack.bucket
    first = Minute.containing(datetime.now(UTC)).plus(-minutes)
    cluster_id = (stack.home.folder / "kafka" / "kafka-1" / "formatted").read_text()
    _past.land(bucket, stream.table.name, stream.topic.partitions, first, minutes, cluster_id)
    ticklake(stack, "up", "--no-wait", "--brokers", "1")
    wait_for(lambda: has_finished(stack), f"no run of {stack.home.folder.name} to make copies of")
    down(stack, wipe=False)
    made = _past.run(stack.home.folder / "airflow" / "airflow.db", minutes)
    progress(f"{stack.home.folder.name}: {made:,} runs")


def drop_records(stack: Stack, stream: Stream, minutes: int) -> None:
    """Create the topic, and have its first offsets given and gone: those that the past has landed."""
    topic, partitions = stream.topic, range(stream.topic.partitions)
    admin = AdminClient(stack.kafka())
    new = NewTopic(topic.name, topic.partitions, 1, config=topic_config(topic, 1))
    admin.create_topics([new])[topic.name].result(30)
    producer = Producer({**stack.kafka(), "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for _ in range(minutes * _past.RECORDS):
        for partition in partitions:
            producer.produce(topic.name, b"", partition=partition)
        producer.poll(0)
    producer.flush()
    gone = [TopicPartition(topic.name, p, minutes * _past.RECORDS) for p in partitions]
    for future in admin.delete_records(gone).values():
        future.result(30)


def has_finished(stack: Stack) -> bool:
    """Whether each DAG that runs every minute has done so once."""
    with api(stack) as airflow_api:
        found = [
            airflow_api.get(f"/dags/{dag}/dagRuns", params={"state": "success", "limit": 1}).raise_for_status().json()
            for dag in _past.EACH_MINUTE
        ]
    return all(answer["total_entries"] for answer in found)


def landed(stack: Stack) -> Minute:
    """The newest sealed minute."""
    stream = Stream.from_toml(stack.stream)
    newest = sealed(Lake(aws_stand_in.client(stack, "s3"), stack.bucket), stack, stream.table.name).newest
    return Minute.parse(newest or "2000-01-01T00:00")


def wait_for(condition: Callable[[], bool], problem: str) -> None:
    """Return when it is so; raises RuntimeError after ten minutes."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with suppress(httpx.HTTPError):  # an Airflow that has just started may be too busy to answer
            if condition():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{problem} within {_PATIENCE:.0f} s")
        time.sleep(1)


def timed(action: Callable[[], Any]) -> Run:
    """One call."""
    began = time.monotonic()
    action()
    return Run(1, time.monotonic() - began)


def starts(stacks: Stacks, runs: int) -> dict[str, list[Run]]:
    """`up` of each stack alone on the machine, in turns; all run afterwards."""
    took: dict[str, list[Run]] = {name: [] for name in stacks}
    for _ in range(runs):
        for name, stack in stacks.items():
            took[name].append(ticklake(stack, "up", "--no-wait"))
            down(stack, wipe=False)
    for stack in stacks.values():
        ticklake(stack, "up", "--no-wait")
    return took


def watch(stacks: Stacks, minutes: int) -> tuple[dict[str, list[Run]], dict[str, list[Run]], dict[str, list[Run]]]:
    """Of each stack while it runs: CPU of the scheduler and its tasks, lateness of tasks, seconds of landing."""
    cpu: dict[str, list[Run]] = {name: [] for name in stacks}
    since = datetime.now(UTC)
    for n in range(minutes):
        progress(f"minute {n + 1} of {minutes}")
        before = {name: scheduler(stack) for name, stack in stacks.items()}
        began = time.monotonic()
        time.sleep(60)
        for name, stack in stacks.items():
            took = time.monotonic() - began
            cpu[name].append(Run(took / 60, took, scheduler(stack) - before[name]))
    lateness = {name: late(stack, since) for name, stack in stacks.items()}
    return cpu, lateness, {name: durations(stack, "kafka_to_s3", since) for name, stack in stacks.items()}


def scheduler(stack: Stack) -> float:
    """CPU-seconds of the scheduler so far, its tasks included."""
    part = stack.alive("airflow-scheduler")
    if part is None:
        raise RuntimeError(f"the scheduler of {stack.home.folder.name} does not run")
    return cpu_seconds(part)


def durations(stack: Stack, dag: str, since: datetime) -> list[Run]:
    """Seconds of each finished task of a DAG that began since then."""
    with api(stack) as airflow_api:
        query = {"start_date_gte": since.isoformat(), "state": "success", "limit": "100"}
        found = airflow_api.get(f"/dags/{dag}/dagRuns/~/taskInstances", params=query).raise_for_status().json()
    return [Run(1, task["duration"]) for task in found["task_instances"]]


def reconciled(stack: Stack, hour: str) -> Run:
    """One run of `reconcile` for an hour: the seconds of its task."""
    with api(stack) as airflow_api:
        asked = {"logical_date": None, "partition_key": hour}
        run = airflow_api.post("/dags/reconcile/dagRuns", json=asked).raise_for_status().json()["dag_run_id"]
        path = f"/dags/reconcile/dagRuns/{run}"
        wait_for(
            lambda: airflow_api.get(path).raise_for_status().json()["state"] in ("success", "failed"),
            f"reconcile of {stack.home.folder.name} does not end",
        )
        if airflow_api.get(path).json()["state"] == "failed":
            raise RuntimeError(f"reconcile of {hour} failed in {stack.home.folder.name}")
        tasks = airflow_api.get(f"{path}/taskInstances").raise_for_status().json()["task_instances"]
    return Run(1, sum(task["duration"] for task in tasks))


def list_runs(stack: Stack) -> None:
    """What the UI asks for its list of runs."""
    with api(stack) as airflow_api:
        airflow_api.get("/dags/~/dagRuns", params={"limit": 50, "order_by": "-run_after"}).raise_for_status()


@dataclass(frozen=True)
class Disk:
    """Megabytes on the disk, by what they are for."""

    database: float
    task_logs: float
    parts_logs: float
    bucket: float

    @classmethod
    def of(cls, stack: Stack) -> Disk:
        """Now."""
        home = stack.home.folder
        database = sum(_blocks(file) for file in (home / "airflow").glob("airflow.db*"))
        return cls(database, *(_tree(home / n) for n in ("airflow/logs", "logs", "aws/s3")))


def _blocks(file: Path) -> float:
    try:
        return file.lstat().st_blocks * 512 / 1e6
    except FileNotFoundError:
        return 0.0


def _tree(folder: Path) -> float:
    return sum(_blocks(Path(path) / name) for path, _, names in os.walk(folder) for name in names)


def clean(stack: Stack) -> Run:
    """A round of the housekeeper, while all runs."""
    env = airflow.environment(stack) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    return measured([sys.executable, *ROUND], 1, env, cwd=ROOT)[0]


def compare(report: Report, stacks: Stacks, minutes: int, starts_wanted: int) -> None:
    """All that is measured side by side."""

    def each(what: Callable[[Stack], Any]) -> dict[str, Contender]:
        return {name: lambda stack=stack: timed(lambda: what(stack)) for name, stack in stacks.items()}  # type: ignore[misc]

    report.add("up, until all DAGs are known", starts(stacks, starts_wanted), unit="starts")
    time.sleep(_SETTLING)
    for what in (lambda stack: ticklake(stack, "status", "--json"), list_runs):
        for stack in stacks.values():
            what(stack)  # what is read once and then remembered
    report.compare("status", each(lambda stack: ticklake(stack, "status", "--json")), unit="calls")
    report.compare("list of runs in the UI", each(list_runs), unit="calls")
    hours = {name: landed(stack).plus(-2 * HOUR).hour for name, stack in stacks.items()}
    for name, stack in stacks.items():
        reconciled(stack, hours[name].key)  # the first also has the hour crawled
    report.compare(
        "reconcile of an hour",
        {name: lambda name=name: reconciled(stacks[name], hours[name].key) for name in stacks},  # type: ignore[misc]
        unit="hours",
    )
    cpu, lateness, landing = watch(stacks, minutes)
    report.add("scheduler and tasks, a minute", cpu, unit="minutes")
    report.add("task's start after its minute's end", lateness, unit="tasks")
    report.add("landing a minute", landing, unit="minutes")


def _sizes(disk: Disk, days: float) -> dict[str, float]:
    return {f"{name.replace('_', ' ')}, MB": round(size / days, 2) for name, size in vars(disk).items()}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=float, help="the past of the older stack (default 30)")
    parser.add_argument("--minutes", type=int, help="how long both are watched (default 10)")


def main() -> None:
    """Make both stacks, compare, clean."""
    options = parse(__doc__, _options)
    days = options.rest.days or (0.25 if options.quick else 30)
    minutes = options.rest.minutes or (2 if options.quick else 10)
    report = Report("month", __doc__, options, days=days, minutes_watched=minutes, brokers=1)
    home = Home.from_env()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ticklake-bench-")))
        stacks: dict[str, Stack] = {}
        pasts: Sequence[tuple[str, int]] = (("an hour old", 3 * HOUR), (f"{days:g} days old", int(days * 24 * HOUR)))
        for n, (name, past) in enumerate(pasts, 1):
            stacks[name] = Stack(Home(folder / name.replace(" ", "-"), home.tools, home.port_base + 1000 * n))
            stack.callback(down, stacks[name], True)
            make(stacks[name], past)
        compare(report, stacks, minutes, 1 if options.quick else 3)
        aged = stacks[pasts[1][0]]
        before = Disk.of(aged)
        since = datetime.now(UTC)
        took = clean(aged)
        cleaning = [*late(aged, since)]
        report.add("task's start while a month is cleaned at once", {"cleaning": cleaning or [took]}, unit="tasks")
        report.tables.append({
            "title": "disk",
            "before cleaning": _sizes(before, 1),
            "after cleaning": _sizes(Disk.of(aged), 1),
            "before cleaning, a day": _sizes(before, days),
            "seconds of cleaning": round(took.seconds, 1),
        })  # fmt: skip
        print(report.tables[-1])
    report.finish()


if __name__ == "__main__":
    main()
