"""What can go wrong with `./ticklake` before the stack is up: each is one clear line with a remedy, or simply works."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import environments, launcher, lock
from local.home import PROJECT, Home
from local.stack import Stack
from tests.support.ports import free_port_base
from tests.support.waiting import wait_for

NO_INDEX = "http://127.0.0.1:9"  # nothing listens there: what a machine without a network sees, without the waiting


def ticklake(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / "ticklake"), *words]
    environment = {**os.environ, "TICKLAKE_HOME": str(home), "TICKLAKE_TOOLS": str(home / "tools"), **env}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def the_line(done: subprocess.CompletedProcess[str]) -> str:
    """What was said on stderr, when it is one line and the exit code is 1."""
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def bootstrap_with(home: Path, uv: str) -> None:
    """A folder of tools in which only `uv` is there: this shell script."""
    folder = home / "tools" / "bootstrap" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    (folder / "uv").write_text(f"#!/bin/sh\n{uv}\n")
    (folder / "uv").chmod(0o755)
    environments._mark(Home(home, home / "tools", 0), "bootstrap")


def test_without_a_network_pip_is_understood() -> None:
    """pip itself says at the end only that there is no version to be found."""
    retry = "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(\"x: [Errno {}\")': /simple/uv/"
    end = "ERROR: Could not find a version that satisfies the requirement uv==0.1\nERROR: No matching distribution found for uv"
    for said in ("111] Connection refused", "-3] Temporary failure in name resolution"):
        assert environments._reason(f"{retry.format(said)}\n{end}") == said.partition("] ")[2]
    assert environments._reason(end) == "No matching distribution found for uv"


def test_without_a_network_the_locked_packages_say_so(tmp_path: Path) -> None:
    real = Home.from_env().tools / "bootstrap" / "bin" / "uv"
    bootstrap_with(tmp_path, f'exec "{real}" "$@"')
    env = {"UV_DEFAULT_INDEX": NO_INDEX, "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "cache")}
    said = the_line(ticklake(tmp_path, "up", **env))
    assert "cannot be installed: Connection refused (os error 111). Check the network" in said


@pytest.mark.parametrize(
    "said_by_uv", ["error: No space left on device (os error 28)", "[Errno 28] No space left on device"]
)
def test_a_disk_that_fills_up_during_the_installation_is_no_network_trouble(tmp_path: Path, said_by_uv: str) -> None:
    bootstrap_with(tmp_path, f"echo '{said_by_uv}'; exit 2")
    said = the_line(ticklake(tmp_path, "up"))
    assert "No space left on device" in said
    assert f"Free some space in {tmp_path / 'tools'}" in said
    assert "network" not in said


def test_a_disk_that_is_too_small_is_told_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 300_000_000}))
    with pytest.raises(
        environments.InstallError, match=r"Only 0\.3 GB are free .*, and 1\.5 GB are needed\. Free some"
    ):
        environments.prepare(Home(tmp_path, tmp_path / "tools", 0), ["venv"])
    assert [file.name for file in (tmp_path / "tools").iterdir()] == ["lock"]


@pytest.mark.parametrize("command", ["up", "test"])
def test_a_home_that_cannot_be_written_is_named(command: str) -> None:
    said = the_line(ticklake(Path("/dev/null/x"), command))
    assert said.startswith("ticklake: /dev/null/x/tools cannot be written: Not a directory. Set TICKLAKE_HOME")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_takes_no_more_is_one_line_wherever_it_shows(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/somewhere/sealed.json")

    monkeypatch.setattr(launcher, "_be_in_environment", full)
    assert launcher.main(["status"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"ticklake: /somewhere/sealed.json cannot be written: {os.strerror(number)}. Free some space"
    )


def test_a_mistake_of_ours_is_not_taken_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    monkeypatch.setattr(launcher, "_be_in_environment", missing)
    with pytest.raises(FileNotFoundError):
        launcher.main(["status"])


def test_python_without_venv_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    """Debian's python3 without python3-venv: the module is there, ensurepip is not."""
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tmp_path / name).write_text(
            f"#!/bin/sh\nexec '{sys.executable}' -c \"import sys; sys.modules['ensurepip'] = None\n$2\""
        )
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([PROJECT / "ticklake", "up"], env=env, capture_output=True, text=True, check=False)
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"(python3 is {version}, without ensurepip). Install one, e.g. apt install python3 python3-venv" in the_line(
        done
    )


def test_ctrl_c_during_the_installation_is_one_line_and_ends_the_installer(tmp_path: Path) -> None:
    bootstrap_with(tmp_path, 'echo $$ >> "$0.pids"; exec sleep 600')
    command = [str(PROJECT / "ticklake"), "up"]
    env = {**os.environ, "TICKLAKE_HOME": str(tmp_path), "TICKLAKE_TOOLS": str(tmp_path / "tools")}
    # A session of its own, as a terminal gives it: Ctrl-C goes to the whole foreground group.
    pids = tmp_path / "tools" / "bootstrap" / "bin" / "uv.pids"
    with subprocess.Popen(
        command, env=env, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        wait_for(lambda: pids.exists() and len(pids.read_text().split()) >= 2, "two installers")
        os.killpg(up.pid, signal.SIGINT)
        said = up.communicate(timeout=600)[1]
    assert (up.returncode, said) == (130, "ticklake: stopped by Ctrl-C. The same command goes on from here.\n")
    assert not [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()]


def test_a_taken_port_is_named_with_its_holder_and_another_base(tmp_path: Path) -> None:
    stack = Stack(Home(tmp_path, tmp_path / "tools", free_port_base()))
    port = stack.home.airflow_port
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(Exception, match="is taken by") as caught:
            stack.check_ports(None)
    assert f"Port {port} for airflow-api-server is taken by pid {os.getpid()} (" in str(caught.value)
    assert f"Stop it, or move all ports: TICKLAKE_PORT_BASE={stack._another_base()} ./ticklake up" in str(caught.value)


def test_a_second_launcher_waits_for_the_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys, pathlib; from local.lock import one_at_a_time\n"
        "with one_at_a_time(pathlib.Path(sys.argv[1]), 'installing'): print('second')"
    )
    with lock.one_at_a_time(tmp_path, "installing"):
        env = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"}
        command = [sys.executable, "-c", code, str(tmp_path)]
        second = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert "another ./ticklake is installing; waiting for it" in second.stdout.readline()
        assert second.poll() is None
    with second:
        assert second.communicate(timeout=600)[0] == "second\n"
