"""Commands that ask a running stack, when it is down or half up: one line that says so, never a wrong number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.checks import run_benchmark
from local.home import PROJECT, Home
from local.processes import PartError
from local.sql import run_query
from local.stack import AWS, Stack
from local.status import show
from tests.support.kafka_broker import free_ports
from tests.support.status_form import check_form
from ticklake.core.errors import LakeError, SettingsError


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Home(tmp_path, tmp_path / "tools", free_ports(1)[0] - 66))  # the AWS stand-in's is free


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``./ticklake …`` as it goes on in its environment: this one."""
    env = {**os.environ, "TICKLAKE_HOME": str(home), "TICKLAKE_TOOLS": str(Path(sys.prefix).parent)}
    command = [sys.executable, "-P", "-m", "local", *words]
    env["PYTHONPATH"] = f"{PROJECT}:{PROJECT / 'plugins'}"
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sql", "SELECT 1"], "The AWS stand-in does not run. Start the stack: ./ticklake up"),
        (["kafka", "topics", "--list"], "Kafka does not run. Start the stack: ./ticklake up"),
        (["kafka", "tropics"], "'tropics' is not one of Kafka's tools. ./ticklake kafka lists them."),
        (["airflow", "dags", "list"], "This stack's Airflow has no database yet. Start the stack: ./ticklake up"),
    ],
)
def test_a_command_that_needs_the_stack_says_how_to_start_it(tmp_path: Path, words: list[str], said: str) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ticklake: {said}\n")


def test_a_benchmark_that_is_not_there_is_told_where_they_are_listed(stack: Stack) -> None:
    with pytest.raises(SettingsError, match=r"There is no benchmark 'nonesuch'\. ./ticklake bench lists them\."):
        run_benchmark(stack.home, "nonesuch", ())


def test_down_of_nothing_is_harmless(tmp_path: Path) -> None:
    done = run(tmp_path, "down")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing was running" in done.stdout


def test_the_status_of_a_stack_that_is_down_has_its_whole_form(tmp_path: Path) -> None:
    done = run(tmp_path, "status", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    status = json.loads(done.stdout)
    check_form(status)
    assert not any(part["up"] for part in status["parts"])


def test_what_cannot_be_known_is_not_shown_as_zero(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(stack, as_json=False) == 1
    said = capsys.readouterr().out
    assert "Kafka    unknown: no broker answers about topic stock_ticks" in said
    assert "sealed   unknown: the AWS stand-in is down" in said
    assert " 0 records" not in said
    assert "None" not in said
    assert said.endswith("Not all parts are up. Start them: ./ticklake up\n")


def test_a_stand_in_that_runs_and_does_not_answer_is_one_line(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "alive", lambda self, name: name == AWS)
    with pytest.raises(PartError, match=r"The AWS stand-in does not answer\. See ./ticklake status and .*aws\.log"):
        run_query(stack, "SELECT 1", as_csv=False)


def test_an_empty_query_is_told_before_athena_is_asked(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "alive", lambda self, name: name == AWS)
    with pytest.raises(LakeError, match=r"The query is empty\. Give one statement"):
        run_query(stack, " ", as_csv=False)
