"""What is installed is what was locked, and no secret gets into the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.checks import _SECRETS
from local.home import PROJECT

LOCKS = sorted((PROJECT / "locks").glob("*.txt"))


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.name != "kafka-jars.txt"], ids=lambda f: f.name)
def test_every_package_has_one_version_and_hashes(lock: Path) -> None:
    text = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.M).replace("\\\n", "")
    packages = [line for line in text.splitlines() if line.strip()]
    assert packages
    for package in packages:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+ .*--hash=sha256:[0-9a-f]{64}", package), package[:100]


def test_every_jar_has_a_hash() -> None:
    lines = [
        line for line in (PROJECT / "locks" / "kafka-jars.txt").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert len(lines) > 50
    assert [line for line in lines if not re.search(r"\b[0-9a-f]{64}\b", line)] == []


def test_whatever_installs_packages_demands_their_hashes() -> None:
    for file in ("local/environments.py", "Dockerfile", "local/aws/Dockerfile"):
        text = (PROJECT / file).read_text()
        assert text.count("--require-hashes") >= len(re.findall(r"pip[\", ]+(?:install|sync)", text)) > 0, file


@pytest.mark.parametrize(
    "secret",
    [
        'aws_access_key_id = "' + "AKIA" + 'QYLPMN5HFIQR7XYA"',
        'password = "' + "hunter2hunter3" + '"',
        "-----BEGIN RSA " + "PRIVATE KEY-----\n" + ("MIIEpAIBAAKCA" + "QEA7bq98ujf93h\n") * 5,
        'url = "postgres://airflow:' + 'Xk29dkPq@db:5432/x"',
    ],
)
def test_a_secret_that_is_committed_fails_the_checks_and_is_named(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "settings.py"
    hook = [str(Path(sys.executable).parent / "detect-secrets-hook"), *_SECRETS, str(file)]
    file.write_text('name = "value"\n')
    assert subprocess.run(hook, cwd=PROJECT, check=False, capture_output=True).returncode == 0
    file.write_text(f"name = 1\n{secret}\n")
    done = subprocess.run(hook, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{file}:" in done.stdout
