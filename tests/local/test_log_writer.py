"""A part's log stays small, and loses nothing of what is kept: errors are found in it, also just after it was cut."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from local import log_writer
from local.log_writer import Log
from local.processes import Parts, stop, telling_lines


def written(folder: Path) -> list[str]:
    """All lines of the files that are left, the oldest first."""
    files = sorted(folder.glob("part.log*"), key=lambda file: -int(file.suffix[1:]) if file.suffix != ".log" else 0)
    return [line for file in files for line in file.read_text().splitlines()]


def test_a_full_file_is_put_aside_at_a_line_end_and_no_line_is_lost(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "part.log"), max_bytes=100, older=3)
    lines = [f"line {n}" for n in range(30)]
    text = "".join(f"{line}\n" for line in lines).encode()
    for start in range(0, len(text), 7):  # pieces that end anywhere, as a pipe gives them
        log.write(text[start : start + 7])
    assert written(tmp_path) == lines
    for file in tmp_path.iterdir():
        assert file.read_bytes().endswith(b"\n")
        assert file.stat().st_size <= 107


def test_no_more_than_the_older_files_are_kept(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "part.log"), max_bytes=20, older=2)
    for n in range(100):
        log.write(b"%08d\n" % n)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["part.log", "part.log.1", "part.log.2"]
    assert written(tmp_path)[-1] == "00000099"


def test_a_line_without_an_end_is_bounded_too(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "part.log"), max_bytes=50, older=1)
    for _ in range(100):
        log.write(b"x" * 10)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * 2 * 50 + 20


def test_a_log_goes_on_where_an_earlier_start_ended(tmp_path: Path) -> None:
    for word in (b"before\n", b"after\n"):
        Log(str(tmp_path / "part.log"), max_bytes=100).write(word)
    assert written(tmp_path) == ["before", "after"]


def test_a_full_disk_does_not_end_the_part_and_is_told_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that ends breaks the pipe, and with it the part that writes."""
    log = Log(str(tmp_path / "part.log"), max_bytes=1000)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(log_writer.os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        log.write(b"lost\n")
    assert os.write is write
    log.write(b"kept\n")
    assert written(tmp_path) == ["ERROR: 5 bytes of this log could not be written: the disk was full?", "kept"]


def test_an_error_just_before_the_cut_is_still_found(tmp_path: Path) -> None:
    (tmp_path / "part.log.1").write_text("fine\nERROR: no disk left\n")
    (tmp_path / "part.log").write_text("one line more\n")
    assert telling_lines(tmp_path / "part.log") == "  ERROR: no disk left"


def test_a_running_part_cuts_its_log_and_its_last_words_are_there_when_it_has_ended(tmp_path: Path) -> None:
    """The whole way: pipe, writer, files; what a part says as it dies is read only after all of it is written."""
    parts = Parts(tmp_path / "run", tmp_path / "logs", log_bytes=1000)
    program = "print('\\n'.join(f'line {n}' for n in range(200)))\nraise SystemExit('ERROR: out of luck')"
    part = parts.start("part", [sys.executable, "-c", program], os.environ, tmp_path)
    os.kill(part.writer, signal.SIGSTOP)  # a writer that is behind
    os.waitpid(part.pid, 0)
    threading.Timer(0.2, os.kill, (part.writer, signal.SIGCONT)).start()
    assert part.end_of_log().endswith("\n  ERROR: out of luck")
    assert written(tmp_path / "logs")[-2:] == ["line 199", "ERROR: out of luck"]
    assert (tmp_path / "logs" / "part.log.1").exists()
    stop([part])
