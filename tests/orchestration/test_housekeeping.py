"""Housekeeping against a real metadata database: what is old goes, what runs, waits or was landed stays."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from local import airflow
from local.home import PROJECT, Home
from local.stack import Stack

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ARCHIVE = "_airflow_deleted__dag_run__20261101000000"  # of somebody who kept what he removed
MANY = 700  # more than one step of removing


@dataclass(frozen=True)
class Kept:
    """An Airflow home after one round of housekeeping, and what the round said."""

    stack: Stack
    said: str
    size_before: int

    def runs(self, dag: str) -> list[str]:
        return [str(run) for (run,) in self.ask("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY run_id", dag)]

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(database(self.stack))) as connection:
            return connection.execute(query, values).fetchall()

    @property
    def logs(self) -> Path:
        return self.stack.home.folder / "airflow" / "logs"


def database(stack: Stack) -> Path:
    return stack.home.folder / "airflow" / "airflow.db"


def insert(connection: sqlite3.Connection, table: str, **row: object) -> int:
    columns, marks = ", ".join(row), ", ".join("?" for _ in row)
    values = [f"{v:%Y-%m-%d %H:%M:%S.%f}" if isinstance(v, datetime) else v for v in row.values()]
    return connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values).lastrowid or 0


def run(connection: sqlite3.Connection, dag: str, name: str, age: timedelta, state: str = "success") -> int:
    """A run with a task that answered and an event."""
    at = NOW - age
    ours = {"dag_id": dag, "run_id": name}
    end = at if state == "success" else None
    number = insert(
        connection, "dag_run", **ours, start_date=at, end_date=end, run_after=at, state=state, run_type="scheduled"
    )
    task = {"task_id": "work", "map_index": -1}
    insert(
        connection, "task_instance", **ours, **task, id=uuid4().hex, start_date=at, end_date=end, state=state,
        try_number=1, pool="default_pool", pool_slots=1, updated_at=at,
    )  # fmt: skip
    insert(connection, "xcom", **ours, **task, dag_run_id=number, key="answer", value="1" * 500, timestamp=at)
    insert(connection, "log", **ours, task_id="work", event="success", dttm=at)
    insert(connection, "asset_event", asset_id=1, extra="{}", source_dag_id=dag, source_run_id=name, timestamp=at)
    return number


def pending(connection: sqlite3.Connection, age: timedelta, created_run: int | None = None) -> int:
    """A partitioned run that waits for more events (or has become a run), and the key that it has seen."""
    at = NOW - age
    number = insert(
        connection, "asset_partition_dag_run", target_dag_id="hourly", partition_key="2026-11-01T00",
        created_dag_run_id=created_run, created_at=at, updated_at=at,
    )  # fmt: skip
    insert(
        connection, "partitioned_asset_key_log", asset_id=1, asset_event_id=1, asset_partition_dag_run_id=number,
        source_partition_key="2026-11-01T00:00", target_dag_id="hourly", target_partition_key="2026-11-01T00",
        created_at=at,
    )  # fmt: skip
    return number


def task_log(stack: Stack, name: str, age: timedelta) -> Path:
    file = stack.home.folder / "airflow" / "logs" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a line\n")
    os.utime(file, times=((NOW - age).timestamp(),) * 2)
    return file


def fill(stack: Stack) -> None:
    with closing(sqlite3.connect(database(stack))) as connection, connection:
        insert(connection, "asset", id=1, name="landed", uri="landed", extra="{}", created_at=NOW, updated_at=NOW,
               **{'"group"': "asset"})  # fmt: skip
        for n in range(MANY):
            run(connection, "minutely", f"old-{n:04}", 8 * DAY + timedelta(minutes=n))
        run(connection, "minutely", "young", 6 * DAY)
        run(connection, "long", "runs", 9 * DAY, "running")
        run(connection, "long", "over", 10 * DAY)
        run(connection, "rare", "older", 30 * DAY)
        run(connection, "rare", "newest", 20 * DAY)
        pending(connection, 9 * DAY)
        pending(connection, 9 * DAY, created_run=run(connection, "hourly", "counted", 9 * DAY))
        run(connection, "hourly", "young", 1 * DAY)
        connection.execute(f"CREATE TABLE {ARCHIVE} AS SELECT * FROM dag_run")
    task_log(stack, "dag_id=minutely/run_id=old/task_id=work/attempt=1.log", 8 * DAY)
    task_log(stack, "dag_id=minutely/run_id=young/task_id=work/attempt=1.log", 6 * DAY)
    task_log(stack, "dag_processor/2026-11-01/dags-folder/minutely.py.log", 8 * DAY)
    task_log(stack, "notes.txt", 99 * DAY)


def housekeeping(stack: Stack, **more: str) -> "subprocess.CompletedProcess[str]":
    env = airflow.environment(stack) | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"} | more
    command = [sys.executable, "-P", "-m", "ticklake.orchestration.housekeeping"]
    return subprocess.run(command, env=env, cwd=PROJECT, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    stack = Stack(Home(folder, folder / "tools", 20000))
    airflow.prepare(stack)
    fill(stack)
    size = database(stack).stat().st_size
    done = housekeeping(stack)
    assert done.returncode == 0, done.stdout + done.stderr
    return Kept(stack, done.stdout + done.stderr, size)


def test_runs_older_than_the_days_go_with_all_that_belongs_to_them(kept: Kept) -> None:
    assert kept.runs("minutely") == ["young"]
    for table in ("task_instance", "xcom", "log"):
        assert kept.ask(f"SELECT DISTINCT run_id FROM {table} WHERE dag_id = 'minutely'") == [("young",)]
    assert kept.ask("SELECT source_run_id FROM asset_event WHERE source_dag_id = 'minutely'") == [("young",)]


def test_a_task_that_runs_for_longer_than_the_days_keeps_its_row(kept: Kept) -> None:
    """`airflow db clean` alone removes it, since it began long ago; its next heartbeat would end the task."""
    assert kept.runs("long") == ["over", "runs"]
    assert ("runs",) in kept.ask("SELECT run_id FROM task_instance WHERE dag_id = 'long'")
    assert "a run that began before is not over: long" in kept.said


def test_the_newest_run_of_a_dag_stays_so_that_its_schedule_goes_on_from_there(kept: Kept) -> None:
    assert kept.runs("rare") == ["newest"]


def test_a_partitioned_run_that_still_waits_keeps_what_it_has_seen(kept: Kept) -> None:
    """The rows from which the scheduler decides when that run starts; those of a run that is gone go."""
    waiting = kept.ask("SELECT id FROM asset_partition_dag_run")
    assert len(waiting) == 1
    assert waiting[0] in kept.ask("SELECT asset_partition_dag_run_id FROM partitioned_asset_key_log")


def test_no_archive_is_left_and_the_space_is_given_back(kept: Kept) -> None:
    assert kept.ask("SELECT name FROM sqlite_master WHERE name LIKE '_airflow_deleted%'") == [(ARCHIVE,)]
    assert kept.ask("PRAGMA freelist_count") == [(0,)]
    assert database(kept.stack).stat().st_size < kept.size_before


def test_old_task_logs_go_with_their_folders_and_nothing_else(kept: Kept) -> None:
    left = sorted(str(file.relative_to(kept.logs)) for file in kept.logs.rglob("*"))
    assert left == [
        "dag_id=minutely",
        "dag_id=minutely/run_id=young",
        "dag_id=minutely/run_id=young/task_id=work",
        "dag_id=minutely/run_id=young/task_id=work/attempt=1.log",
        "notes.txt",
    ]


def test_it_says_what_went(kept: Kept) -> None:
    assert f"{MANY + 2} DAG runs and 2 log files" in kept.said


def test_a_step_that_fails_is_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Rows go by way of a table of their own: left behind by each failure, these would fill the disk."""
    stack = Stack(Home(tmp_path, tmp_path / "tools", 20000))
    airflow.prepare(stack)
    with closing(sqlite3.connect(database(stack))) as connection, connection:
        run(connection, "minutely", "old", 8 * DAY)
        run(connection, "minutely", "young", 1 * DAY)
        connection.execute("CREATE TRIGGER no BEFORE DELETE ON xcom BEGIN SELECT no_such_function(); END")
    done = housekeeping(stack)
    assert done.returncode == 1
    assert "airflow db clean encountered errors on the following tables" in done.stdout + done.stderr
    with closing(sqlite3.connect(database(stack))) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '_airflow_del%'").fetchall() == []


def test_a_wrong_number_of_days_removes_nothing(kept: Kept) -> None:
    done = housekeeping(kept.stack, TICKLAKE_KEEP_DAYS="0")
    assert done.returncode == 1
    assert "TICKLAKE_KEEP_DAYS = '0' is not a whole number of days from 1 to 3650" in done.stdout + done.stderr
    assert kept.runs("minutely") == ["young"]
