"""The command line as somebody types it: help before anything is installed, every mistake one line and exit code 2."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cli import COMMANDS, parse
from local.command_line import UsageError

Typed = Callable[..., subprocess.CompletedProcess[str]]
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    """Runs ``./ticklake …`` where nothing is installed, and checks that nothing was made there either."""
    env = {**os.environ, "TICKLAKE_HOME": str(tmp_path / "none"), "TICKLAKE_TOOLS": str(tmp_path / "none" / "tools")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([PROJECT / "ticklake", *words], env=env, capture_output=True, text=True, check=False)
        assert not (tmp_path / "none").exists()
        return done

    return run


def test_alone_it_prints_the_help_with_every_command(typed: Typed) -> None:
    done = typed()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == typed("--help").stdout
    for command in COMMANDS.values():
        assert f"\n    {command.name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example_and_its_exit_codes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse([name, "--help"]) is None
    shown = capsys.readouterr().out
    assert f"examples:\n  ./ticklake {name}" in shown
    assert "\nexit codes: " in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["upp"], "'upp' is not a command. Did you mean ./ticklake up? All of them: ./ticklake --help"),
        (["xyzzy"], "'xyzzy' is not a command. All of them: ./ticklake --help"),
        (["up", "--brokers", "9"], "invalid choice: 9 (choose from 1, 2, 3, 4, 5). See ./ticklake up --help"),
        (["status", "--jsn"], "Unrecognized arguments: --jsn. See ./ticklake --help"),
        (["sql"], "The following arguments are required: QUERY. See ./ticklake sql --help"),
    ],
)
def test_a_mistyped_command_is_one_line_that_says_where_help_is(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert said in str(caught.value)


def test_a_wrong_command_is_told_on_stderr_with_exit_code_2(typed: Typed) -> None:
    done = typed("upp")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", ["status", "sql", "kafka", "airflow", "down"])
def test_before_anything_is_installed_a_command_names_the_first_one(typed: Typed, name: str) -> None:
    done = typed(name, *["SELECT 1"] * (name == "sql"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ticklake: Nothing is set up here yet. Start with: ./ticklake up\n"


def test_options_of_other_programs_are_not_ours() -> None:
    parsed = parse(["kafka", "topics", "--help", "--brokers", "1"])
    assert parsed is not None
    assert parsed[1].rest == ["topics", "--help", "--brokers", "1"]
