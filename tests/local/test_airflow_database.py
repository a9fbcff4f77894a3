"""Airflow's metadata database: made once; one that was left half made is replaced, one with runs in it never."""

import os
import sqlite3
import subprocess
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from local import airflow
from local.home import Home
from local.processes import PartError, stop
from local.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "airflow").mkdir()
    return Stack(Home(tmp_path, tmp_path / "tools", 20000))


@pytest.fixture
def migrations(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """`airflow db migrate` replaced by its effect; notes of each call whether it found a database."""
    calls: list[bool] = []
    database = stack.home.folder / "airflow" / "airflow.db"

    def migrate(command: list[str], **_: object) -> int:
        assert command[-2:] == ["db", "migrate"]
        calls.append(database.exists())
        database.write_text("whole")
        return 0

    monkeypatch.setattr(subprocess, "call", migrate)
    return calls


def test_it_is_migrated_once(stack: Stack, migrations: list[bool]) -> None:
    airflow.prepare(stack)
    airflow.prepare(stack)
    assert migrations == [False]


def test_a_first_migration_that_was_cut_off_starts_from_nothing(stack: Stack, migrations: list[bool]) -> None:
    (stack.home.folder / "airflow" / "airflow.db").write_text("half")
    airflow.prepare(stack)
    assert migrations == [False]


def test_a_new_airflow_migrates_the_database_that_is_there(stack: Stack, migrations: list[bool]) -> None:
    (stack.home.folder / "airflow" / "airflow.db").write_text("with runs")
    (stack.home.folder / "airflow" / "migrated").write_text("3.0.0")
    airflow.prepare(stack)
    assert migrations == [True]
    assert (stack.home.folder / "airflow" / "migrated").read_text() == version("apache-airflow")


def test_a_database_that_was_removed_is_made_again(stack: Stack, migrations: list[bool]) -> None:
    airflow.prepare(stack)
    (stack.home.folder / "airflow" / "airflow.db").unlink()
    airflow.prepare(stack)
    assert migrations == [False, False]


def test_a_failed_migration_is_named_and_tried_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, stdout, **__: object) -> int:
        stdout.write("sqlite3.OperationalError: disk I/O error\n")
        return 1

    monkeypatch.setattr(subprocess, "call", fail)
    with pytest.raises(PartError, match=r"(?s)`airflow db migrate` failed\. From .*migrate\.log:\n  .*disk I/O error"):
        airflow.prepare(stack)
    assert not (stack.home.folder / "airflow" / "migrated").exists()


def an_old_database(stack: Stack) -> Path:
    """As one was made before it could give space back."""
    database = stack.home.folder / "airflow" / "airflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE runs AS SELECT 'kept' AS run")
    (stack.home.folder / "airflow" / "migrated").write_text(version("apache-airflow"))
    return database


def gives_space_back(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT run FROM runs").fetchall() == [("kept",)]
        return bool(connection.execute("PRAGMA auto_vacuum").fetchone() == (2,))


def test_an_older_database_learns_to_give_space_back(stack: Stack) -> None:
    database = an_old_database(stack)
    assert not gives_space_back(database)
    airflow.prepare(stack)
    assert gives_space_back(database)


def test_a_database_in_use_is_not_rewritten(stack: Stack) -> None:
    """It would lock Airflow out for as long as it takes; the next start with Airflow down does it."""
    database = an_old_database(stack)
    part = stack.parts.start("airflow-scheduler", ["sleep", "60"], os.environ, stack.home.folder)
    try:
        airflow.prepare(stack)
    finally:
        stop([part])
    assert not gives_space_back(database)
