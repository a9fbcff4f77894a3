"""The Python environments under ``tools/``, each made from a lock with hashes. Only the standard library.

``bootstrap`` holds `uv`, which installs the others in seconds: ``venv`` runs the stack, ``dev`` is that plus what the
checks need, ``aws`` is the AWS stand-in's own, ``bench`` holds what benchmarks compare with.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from local.home import PROJECT, Home
from local.lock import one_at_a_time
from local.terminal import doing, say
from ticklake.core.errors import TicklakeError

_LOCKS = {
    "bootstrap": "bootstrap.txt",
    "venv": "local.txt",
    "dev": "dev.txt",
    "aws": "aws.txt",
    "bench": "bench.txt",
    "mwaa": "mwaa.txt",
}
_GIGABYTES = 1.5  # what is installed, with room for the first data
# What the system said, however pip and uv wrap it.
_CAUSE = re.compile(r"(╰─▶|├─▶|Caused by:|cause:|ERROR:)\s*")
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([\w ]+)")


class InstallError(TicklakeError):
    """An environment cannot be made."""


def python(home: Home, name: str) -> Path:
    """The environment's interpreter."""
    return home.tools / name / "bin" / "python"


def inside(home: Home) -> str | None:
    """The name of the environment that this process runs in, None when it is not one of ours."""
    here = Path(sys.prefix)
    return next((name for name in ("venv", "dev") if here == home.tools / name), None)


def usable(home: Home, name: str) -> bool:
    """Whether the environment was once made whole, be it from an older lock."""
    return _marker(home, name).exists() and python(home, name).exists()


def prepare(home: Home, names: Sequence[str]) -> None:
    """Make or update the environments, side by side; does nothing when they are as locked."""
    if all(_is_current(home, name) for name in names):
        return
    with one_at_a_time(home.tools, "installing"):
        _check_space(home)
        if not _is_current(home, "bootstrap"):
            say("installing uv, once")
            with doing("installing uv"):
                _make_bootstrap(home)
        todo = [name for name in names if not _is_current(home, name)]
        if todo:
            say(f"installing the locked packages of {', '.join(todo)} into {home.tools}, once")
            with doing("installing " + ", ".join(todo)), ThreadPoolExecutor() as pool:
                for result in [pool.submit(_make, home, name) for name in todo]:
                    result.result()


def go_on_in(home: Home, name: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the same command in the environment."""
    interpreter = str(python(home, name))
    os.execv(interpreter, [interpreter, "-P", "-m", "local", *arguments])  # noqa: S606 - no shell is the point


def _make_bootstrap(home: Home) -> None:
    folder = home.tools / "bootstrap"
    _run(home, "bootstrap", [sys.executable, "-m", "venv", "--clear", folder])
    lock = PROJECT / "locks" / _LOCKS["bootstrap"]
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "--require-hashes"]
    _run(home, "bootstrap", [folder / "bin" / "python", "-m", "pip", "install", *options, "-r", lock])
    _mark(home, "bootstrap")


def _make(home: Home, name: str) -> None:
    uv = home.tools / "bootstrap" / "bin" / "uv"
    folder = home.tools / name
    if not usable(home, name):
        _run(home, name, [uv, "venv", "--quiet", "--clear", "--python", _interpreter(name), folder])
    lock = PROJECT / "locks" / _LOCKS[name]
    _run(home, name, [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python(home, name), lock])
    _mark(home, name)


def _interpreter(name: str) -> str:
    """MWAA's Python is 3.12: taken where there is one; else, and for all other environments, the one that runs this."""
    found = shutil.which("python3.12") if name == "mwaa" else None
    runs = found and not subprocess.call([found, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return found if found and runs else sys.executable


def _run(home: Home, name: str, command: Sequence[str | Path]) -> None:
    # Whatever was made before is only a beginning until the marker is written again.
    _marker(home, name).unlink(missing_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    # The interpreter is the one that runs this: never another one from the network.
    env["UV_PYTHON_DOWNLOADS"] = "never"
    done = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        log = home.tools / f"{name}.log"
        log.write_text(done.stdout)
        raise InstallError(
            f"The environment {name} cannot be installed: {_reason(done.stdout)}.",
            f"{_remedy(home, done.stdout)}; then repeat the command. All it said: {log}",
        )


def _check_space(home: Home) -> None:
    free = shutil.disk_usage(home.tools).free / 1e9
    if free < _GIGABYTES and not usable(home, "venv"):
        raise InstallError(
            f"Only {free:.1f} GB are free in {home.tools}, and {_GIGABYTES} GB are needed.",
            "Free some space, or set TICKLAKE_HOME to a folder on another disk.",
        )


def _reason(output: str) -> str:
    """What tells most: the system's own words, the innermost cause of uv, the error of pip, else the last line."""
    if said := _SYSTEM_ERROR.search(output):
        return said[1].strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    causes = [line[found.end() :] for line in lines if (found := _CAUSE.match(line))]
    return ([*lines[-1:], *causes[-1:]] or ["it said nothing"])[-1].rstrip(".")


def _remedy(home: Home, output: str) -> str:
    if "No space left" in output:
        return f"Free some space in {home.tools}, or set TICKLAKE_HOME to a folder on another disk"
    return "Check the network, and the index settings of pip and uv"


def _is_current(home: Home, name: str) -> bool:
    return usable(home, name) and _marker(home, name).read_text() == _identity(home, name)


def _identity(home: Home, name: str) -> str:
    """What the marker says: the lock it was made from, and where, since an environment cannot be moved."""
    lock = hashlib.sha256((PROJECT / "locks" / _LOCKS[name]).read_bytes()).hexdigest()
    return f"{lock} {home.tools / name}\n"


def _mark(home: Home, name: str) -> None:
    _marker(home, name).write_text(_identity(home, name))


def _marker(home: Home, name: str) -> Path:
    return home.tools / name / "ticklake-lock"
