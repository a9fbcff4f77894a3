"""Parts run on their own, are found again, and end whole; nobody else's process is ever touched."""

import os
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local.processes import Part, Parts, stop, who_listens
from tests.support.waiting import wait_for

SLEEP = ["sleep", "600"]
# A parent that ignores SIGTERM, with a child that does, too.
STUBBORN = "trap '' TERM; sleep 600 & echo started; wait; wait"


@pytest.fixture
def parts(tmp_path: Path):
    parts = Parts(tmp_path / "run", tmp_path / "logs")
    yield parts
    stop(parts.all(), grace=0.1)


def start(parts: Parts, command: list[str], name: str = "part") -> Part:
    return parts.start(name, command, os.environ, parts.run.parent)


def test_a_second_start_finds_the_running_part(parts: Parts) -> None:
    assert start(parts, SLEEP) == start(parts, SLEEP)


def test_stop_ends_children_too(parts: Parts) -> None:
    part = start(parts, ["sh", "-c", "sleep 600 & sleep 600 & wait"])
    wait_for(lambda: len(part.members()) == 3)
    stop([part])
    assert part.members() == []


def test_children_of_a_killed_part_are_found_and_ended(parts: Parts) -> None:
    part = start(parts, ["sh", "-c", "sleep 600 & wait"])
    wait_for(lambda: len(part.members()) == 2)
    os.kill(part.pid, signal.SIGKILL)
    wait_for(lambda: not part.alive())
    assert len(part.members()) == 1
    stop([part])
    assert part.members() == []


def test_what_ignores_sigterm_is_killed_after_the_grace(parts: Parts) -> None:
    part = start(parts, ["sh", "-c", STUBBORN])
    wait_for(lambda: "started" in part.end_of_log())
    stop([part], grace=0.3)
    assert part.members() == []


def test_a_recycled_pid_is_never_ours(parts: Parts) -> None:
    """After a reboot, or much later, the recorded pid may be anybody's: here it is another session leader's."""
    other = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        stale = replace(start(parts, SLEEP, "mine"), pid=other.pid, began="another boot 123")
        assert not stale.alive()
        assert stale.members() == []
        stop([stale], grace=0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_dead_part_is_started_again(parts: Parts) -> None:
    first = start(parts, ["true"])
    wait_for(lambda: not first.alive())
    assert start(parts, SLEEP).alive()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}'])
def test_a_half_written_record_is_no_part(parts: Parts, text: str) -> None:
    parts.run.mkdir()
    (parts.run / "part.json").write_text(text)
    assert parts.find("part") is None
    assert parts.all() == []


def test_who_holds_a_port_is_named() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        assert who_listens(s.getsockname()[1]) == f"pid {os.getpid()} ({psutil.Process().name()})"
