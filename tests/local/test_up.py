"""`./ticklake up` around the parts: a dead one is named, Ctrl-C leaves word of what runs, nothing is silent for long."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from local import airflow, aws_stand_in, terminal, up
from local.home import PROJECT, Home
from local.processes import Part, PartError, Parts, stop
from local.stack import Stack
from tests.support.ports import free_port_base
from tests.support.waiting import GUARD_SECONDS, wait_for


@pytest.fixture
def stack(tmp_path: Path):
    stack = Stack(Home(tmp_path, tmp_path / "tools", free_port_base()))
    yield stack
    stop(stack.parts.all(), grace=0.1)


def dead(stack: Stack, name: str) -> Part:
    """A part that has ended, after a line of complaint among others."""
    words = "echo begun; echo ERROR: no disk left; echo ended; exit 3"
    part = stack.parts.start(name, ["sh", "-c", words], {}, stack.home.folder)
    wait_for(lambda: not part.alive(), f"the end of {name}")
    return part


def test_a_part_that_dies_while_the_first_minutes_are_awaited_is_named(stack: Stack) -> None:
    with pytest.raises(PartError) as caught:
        up.watch(stack, [dead(stack, "airflow-scheduler")], datetime.now(UTC))
    first, *log = str(caught.value).splitlines()
    assert first.startswith("airflow-scheduler has ended, or was killed. ./ticklake up starts it again. From ")
    assert first.endswith("logs/airflow-scheduler.log:")
    assert log == ["  ERROR: no disk left"]


def test_a_stand_in_that_dies_at_its_start_is_named(stack: Stack) -> None:
    with pytest.raises(PartError, match=r"aws has ended.*aws\.log:\n  ERROR: no disk left"):
        aws_stand_in.wait(stack, dead(stack, "aws"), seconds=60)


def test_an_api_server_that_dies_at_its_start_is_named(stack: Stack) -> None:
    with pytest.raises(PartError, match=r"airflow-api-server has ended.*api-server\.log:\n  ERROR: no disk left"):
        airflow.wait(stack, [dead(stack, "airflow-api-server")], seconds=60)


def test_a_log_without_complaints_shows_its_last_lines_cut_to_the_width(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "run", tmp_path / "logs")
    part = parts.start("p", ["sh", "-c", "for i in 1 2 3 4 5 6 7; do printf '%s%0500d\\n' $i 0; done"], {}, tmp_path)
    wait_for(lambda: not part.alive(), "the end of its seven lines")
    lines = part.end_of_log().splitlines()[1:]
    assert [line[2] for line in lines] == ["3", "4", "5", "6", "7"]
    assert max(map(len, lines)) <= 2 + 160


def test_the_first_failure_ends_the_start_while_others_still_try(stack: Stack) -> None:
    def fails() -> list[Part]:
        raise PartError("kafka-1 has ended.")

    over = threading.Event()

    def hangs() -> list[Part]:
        over.wait(GUARD_SECONDS)
        return []

    try:
        with pytest.raises(PartError, match="kafka-1 has ended"):
            up._side_by_side([hangs, fails])
    finally:
        over.set()


def runs(pid: int) -> bool:
    """Whether the process still does something: one that has ended may wait long for its new parent's look."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


CTRL_C = """
import subprocess, sys, time
from pathlib import Path
from local import up
from local.home import Home
from local.stack import Stack

def migrating(stack, brokers):
    stack.parts.start("kafka-1", ["sleep", "600"], {}, stack.home.folder)
    helper = subprocess.Popen(["sleep", "600"])
    print(helper.pid, flush=True)
    helper.wait()

up.start_all = migrating
Stack.check_ports = lambda *_: None  # nothing listens in this test
home = Path(sys.argv[1])
up.up(Stack(Home(home, home / "tools", int(sys.argv[2]))), None, wait=True)
"""


def test_ctrl_c_says_what_runs_and_ends_what_only_prepared(stack: Stack) -> None:
    env = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"}
    command = [sys.executable, "-c", CTRL_C, str(stack.home.folder), str(stack.home.port_base)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)  # only to the launcher, as `kill -INT` does: the harder case
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 130
    assert said == (
        "ticklake: stopped by Ctrl-C. Running: kafka-1. Go on with ./ticklake up, "
        "look with ./ticklake status, stop all with ./ticklake down.\n"
    )
    wait_for(lambda: not runs(helper), "the end of the migration, since the launcher has ended")
    assert stack.alive("kafka-1")


def test_a_silence_is_broken_by_all_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "SILENCE", 0.3)
    before = set(threading.enumerate())
    terminal.say("begun")
    count = 0

    def progress() -> str:
        nonlocal count
        count += 1
        return f"downloading ({count} of 2 jars)"

    with terminal.doing("starting Kafka"), terminal.doing(progress):
        wait_for(lambda: count >= 2, "the second line that breaks the silence")
    wait_for(lambda: set(threading.enumerate()) <= before, "the end of the thread that breaks the silence")
    lines = [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        "begun",
        "still starting Kafka, downloading (1 of 2 jars)",
        "still starting Kafka, downloading (2 of 2 jars)",
    ]
    assert len(lines) == 1 + count, "each silence is broken once"
