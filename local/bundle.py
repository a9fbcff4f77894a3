"""`./ticklake bundle`: what Amazon MWAA is given, the same bytes each time."""

from __future__ import annotations

import re
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from local.home import PROJECT
from local.terminal import say
from ticklake.core.errors import InputError

_LOCK = PROJECT / "locks" / "mwaa.txt"
_AIRFLOW = "3.3.1"
_PYTHON = "3.12"
# MWAA's image has Airflow; these are what the pipeline adds, or relies on in that very version.
_REQUIRED = (
    "apache-airflow-providers-amazon",
    "apache-airflow-providers-apache-kafka",
    "aiobotocore",
    "aws-msk-iam-sasl-signer-python",
    "isal",
    "orjson",
)
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can hold
_LEFT_OUT = ("__pycache__", ".pyc")


def make_bundle(folder: Path, environment: Path | None) -> int:
    """Write the bundle into a folder, which is emptied of an earlier one.

    Args:
        folder: where to.
        environment: file of lines ``NAME='value'``, as `./ticklake aws outputs --env` prints them, for startup.sh.

    Raises:
        InputError: the file of the environment cannot be read as such.
    """
    startup = _startup(environment)
    folder.mkdir(parents=True, exist_ok=True)
    dags = folder / "dags"
    shutil.rmtree(dags, ignore_errors=True)
    for source in _files(PROJECT / "dags"):
        target = dags / source.relative_to(PROJECT / "dags")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    _zip_plugins(folder / "plugins.zip")
    (folder / "requirements.txt").write_text(_requirements())
    (folder / "startup.sh").write_text(startup)
    for name in ("plugins.zip", "requirements.txt", "startup.sh", "dags/"):
        say(f"{folder / name}")
    return 0


def _zip_plugins(target: Path) -> None:
    """`plugins/` as it is, and `include/` inside the package: MWAA has no other place for it."""
    members = [(f.relative_to(PROJECT / "plugins"), f) for f in _files(PROJECT / "plugins")]
    for part in ("data", "sql", "streams"):
        folder = PROJECT / "include" / part
        members += [(Path("ticklake", "include", part, f.relative_to(folder)), f) for f in _files(folder)]
    with zipfile.ZipFile(target, "w") as archive:
        for name, source in sorted(members):
            entry = zipfile.ZipInfo(name.as_posix(), _BEGINNING)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # a Unix file, whatever the machine
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source.read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.endswith(_LEFT_OUT) for part in path.parts):
            yield path


def _requirements() -> str:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", _LOCK.read_text(), re.MULTILINE))
    constraints = "https://raw.githubusercontent.com/apache/airflow"
    lines = [
        f"# For Airflow {_AIRFLOW} on Amazon MWAA; made by ./ticklake bundle.",
        f'--constraint "{constraints}/constraints-{_AIRFLOW}/constraints-{_PYTHON}.txt"',
        *(f"{name}=={locked[name]}" for name in _REQUIRED),
    ]
    return "\n".join(lines) + "\n"


def _startup(environment: Path | None) -> str:
    lines = ["#!/bin/sh", "# Runs on every scheduler, worker and web server of the environment before Airflow starts."]
    if environment is None:
        lines.append("# Empty: ./ticklake aws outputs --env > FILE, then ./ticklake bundle --env FILE")
        return "\n".join(lines) + "\n"
    try:
        given = environment.read_text().splitlines()
    except OSError as e:
        raise InputError(
            f"{environment} cannot be read: {e.strerror}.", "./ticklake aws outputs --env writes it."
        ) from e
    for number, line in enumerate(given, 1):
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name) or len(words := shlex.split(value)) != 1:
            raise InputError(f"{environment}, line {number}: {line[:100]!r} is not NAME='value'.")
        lines.append(f"export {name}={shlex.quote(words[0])}")
    return "\n".join(lines) + "\n"
