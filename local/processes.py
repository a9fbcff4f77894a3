"""Programs that go on running after the launcher: started in a session of their own, found again, stopped whole.

A record (``run/<name>.json``) holds the pid and the moment that process began, so a pid that the system gave to
somebody else in the meantime, or after a reboot, is never taken for ours. The session finds the children too, even when
the first process was killed. What a part writes goes through a pipe into a log that `local/log_writer.py` keeps small.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local import log_writer
from ticklake.core.errors import TicklakeError

_WIDTH = 160
_LOOKED_AT = 40  # lines at a log's end
_TAIL = 2**16  # bytes that hold them
_WRITER_SECONDS = 5.0
_BAD = re.compile(r"ERROR|FATAL|CRITICAL|Error\b|Exception\b|\berror\b|\bcritical\b")
# Popen objects are kept: one that is collected before its process has ended complains.
_children: list[subprocess.Popen[bytes]] = []


class PartError(TicklakeError):
    """A part of the stack does not start, or is dead."""


@dataclass(frozen=True)
class Part:
    """One running program: ``began`` identifies the process beyond its pid, ``since`` is Unix time in seconds.

    ``writer`` is the pid of the process that writes its log, in a session of its own.
    """

    name: str
    pid: int
    began: str
    since: float
    log: str
    writer: int = 0

    def alive(self) -> bool:
        """Whether the first process still runs."""
        return _began(self.pid) == self.began

    def members(self) -> list[psutil.Process]:
        """Every process of the part that still runs: its whole session."""
        now = _began(self.pid)
        if now not in (None, self.began):
            return []  # Somebody else has the pid now: the system gives it away only when the session is empty.
        return [p for p in psutil.process_iter() if _session(p.pid) == self.pid and not _is_zombie(p)]

    def dead(self) -> PartError:
        """The error that says so, and what to do."""
        return PartError(
            f"{self.name} has ended, or was killed.", f"./ticklake up starts it again. {self.end_of_log()}"
        )

    def end_of_log(self) -> str:
        """The log's path and the lines near its end that tell most, as the end of an error message."""
        if not self.members():
            _wait_for_writers([self])  # the last lines are on their way, and tell why it ended
        return f"From {self.log}:\n{telling_lines(Path(self.log))}"


class Parts:
    """The parts recorded in a folder."""

    def __init__(self, run: Path, logs: Path, log_bytes: int = log_writer.MAX_BYTES) -> None:
        self.run = run
        self.logs = logs
        self._log_bytes = log_bytes

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Part:
        """Start a program unless it runs already; its output is appended to ``logs/<name>.log``."""
        running = self.find(name)
        if running and running.alive():
            return running
        if running:
            stop([running])  # Children that outlived their parent would still hold ports and files.
        self.run.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        writer, output = self._writer(log)
        try:
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(output)
        _children.append(process)
        part = Part(name, process.pid, _began(process.pid) or "ended at once", time.time(), str(log), writer)
        record = self.run / f"{name}.json"
        half = record.with_suffix(".part")
        half.write_text(json.dumps(asdict(part)))
        half.replace(record)
        return part

    def _writer(self, log: Path) -> tuple[int, int]:
        """Start what writes the log; returns its pid and the pipe's end to write to."""
        reading, writing = os.pipe()
        # -I -S: a small interpreter, which reads nothing of the environment.
        command: list[str | Path] = [
            sys.executable,
            "-I",
            "-S",
            log_writer.__file__,
            log,
            str(self._log_bytes),
            str(log_writer.OLDER),
        ]
        # A session of its own: the part's signals are not for it, it ends when the part's last process has.
        try:
            process = subprocess.Popen(
                command, stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
        finally:
            os.close(reading)
        _children.append(process)
        return process.pid, writing

    def find(self, name: str) -> Part | None:
        """The part's record, whether or not it still runs."""
        try:
            return Part(**json.loads((self.run / f"{name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def all(self) -> list[Part]:
        """Every recorded part, by name."""
        names = sorted(p.stem for p in self.run.glob("*.json"))
        return [part for part in map(self.find, names) if part]

    def forget(self, part: Part) -> None:
        """Remove the record of a part that was stopped."""
        (self.run / f"{part.name}.json").unlink(missing_ok=True)


def telling_lines(log: Path, count: int = 5) -> str:
    """The last lines that speak of an error, else the last lines, cut to a terminal's width; empty without a log."""
    lines = _tail(log)
    if len(lines) < _LOOKED_AT:
        # A file that was begun a moment ago: what matters may be the end of the one before.
        lines = _tail(log.with_name(f"{log.name}.1")) + lines
    # Not far back: what an earlier run complained of is not the reason now.
    bad = [line for line in lines[-_LOOKED_AT:] if _BAD.search(line)]
    return "\n".join(f"  {line[:_WIDTH]}" for line in (bad or lines)[-count:])


def _tail(log: Path) -> list[str]:
    """The last lines of a file, none without one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _wait_for_writers(parts: Iterable[Part]) -> None:
    """Return when the parts' logs are written to their end, soon after their last process has ended."""
    deadline = time.monotonic() + _WRITER_SECONDS
    for part in parts:
        while part.writer and _began(part.writer) and time.monotonic() < deadline:
            time.sleep(0.01)


def stop(parts: Iterable[Part], grace: float = 20) -> None:
    """End all processes of the parts: SIGTERM to each, SIGKILL to those that are left after ``grace`` seconds."""
    parts = list(parts)
    for sign, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait
        members = [m for part in parts for m in part.members()]
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(sign)
        while members and time.monotonic() < deadline:
            time.sleep(0.1)
            # Look again each time: a part that is going down may still start a child.
            members = [m for part in parts for m in part.members()]
        if not members:
            _wait_for_writers(parts)
            _children[:] = [child for child in _children if child.poll() is None]
            return
    names = ", ".join(sorted({part.name for part in parts if part.members()}))
    raise PartError(f"{names} does not end, not even by SIGKILL.", "It may hang on a disk; try again, or reboot.")


def who_listens(port: int) -> str:
    """Who holds a TCP port, e.g. ``pid 123 (postgres)``; empty when the system does not tell."""
    with contextlib.suppress(psutil.Error, PermissionError):
        for connection in psutil.net_connections("tcp"):
            here = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and here == port and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""


def _began(pid: int) -> str | None:
    """What identifies the process that now has this pid; None when there is none (a zombie is none)."""
    try:
        if Path("/proc/self/stat").exists():
            # Ticks since boot never change, while psutil's clock time moves when the clock is set.
            stat = Path(f"/proc/{pid}/stat").read_text()
            fields = stat[stat.rindex(")") + 2 :].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (OSError, psutil.Error):
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
