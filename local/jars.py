"""Kafka's jars: the committed list `locks/kafka-jars.txt`, downloaded in parallel and checked against its sha256.

jgo knows Maven Central's address and the mirrors of the user's own jgo settings. Left to itself it would split the
jars into `jars/` and `modules/` (those that can be Java modules). Kafka runs from the class path, which takes both
kinds: one folder holds all.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from local.home import PROJECT, Home
from local.lock import one_at_a_time
from local.terminal import doing, say
from ticklake.core.errors import TicklakeError

_LIST = PROJECT / "locks" / "kafka-jars.txt"
_ATTEMPTS = 3
_PREFIX = ".download-"


class DownloadError(TicklakeError):
    """A file cannot be had from the registries, or is not the locked one."""


@dataclass(frozen=True)
class Jar:
    """One line of the list: coordinate ``group:artifact:version`` and the sha256 of the file."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """``artifact-version.jar``."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked_jars() -> list[Jar]:
    """The committed list."""
    lines = [line.split() for line in _LIST.read_text().splitlines()]
    return [Jar(coordinate, sha256) for sha256, coordinate in lines]


def class_path(home: Home) -> str:
    """Java's class path of all jars; those that are missing or damaged are downloaded first. Raises DownloadError."""
    folder = home.tools / "jars"
    jars = locked_jars()
    if _missing(jars, folder):
        with one_at_a_time(folder, "downloading Kafka"):
            if missing := _missing(jars, folder):
                _download(missing, folder)
    return ":".join(str(folder / jar.filename) for jar in jars)


def _missing(jars: list[Jar], folder: Path) -> list[Jar]:
    """Those that are not there as locked: a crash of the machine can leave a file that is empty or cut."""
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda jar: _sha256(folder / jar.filename), jars)
        return [jar for jar, sha256 in zip(jars, found, strict=True) if sha256 != jar.sha256]


def _sha256(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def _download(jars: list[Jar], folder: Path) -> None:
    say(f"downloading Kafka, {len(jars)} jars, once")
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left)  # a download that was killed
    with tempfile.TemporaryDirectory(dir=folder, prefix=_PREFIX) as cache:

        def progress() -> str:
            here = [folder / jar.filename for jar in jars]
            sizes = [file.stat().st_size for file in here if file.exists()]
            return f"downloading Kafka ({len(sizes)} of {len(jars)} jars, {sum(sizes) / 1e6:.0f} MB)"

        with doing(progress), ThreadPoolExecutor(16) as pool:
            results = [pool.submit(_fetch, jar, Path(cache), folder) for jar in jars]
            try:
                for result in results:
                    result.result()
            except DownloadError:
                pool.shutdown(cancel_futures=True)  # the others would fail the same way, each after its time
                raise


def _fetch(jar: Jar, cache: Path, folder: Path) -> None:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    maven = MavenContext(repo_cache=cache)
    maven.remote_repos.update(GlobalSettings.load().repositories)
    artifact = maven.create_dependency(jar.coordinate).artifact
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            file = artifact.resolve()
            break
        except (requests.RequestException, RuntimeError) as e:
            if artifact.cached_path:
                artifact.cached_path.unlink(missing_ok=True)
            if attempt == _ATTEMPTS:
                raise DownloadError(
                    f"{jar.coordinate} cannot be downloaded from Maven Central ({type(e).__name__}).",
                    "Check the network, or give your mirror in jgo's settings; then repeat the command.",
                ) from e
    found = _sha256(file)
    if found != jar.sha256:
        raise DownloadError(
            f"{jar.coordinate} has sha256 {found}, not {jar.sha256} as in locks/kafka-jars.txt.",
            "Do not use this file: check your mirror.",
        )
    file.replace(folder / jar.filename)
