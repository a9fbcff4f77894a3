"""The part that keeps the stack small: when it works, with what, and what it is told."""

import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from local import airflow, housekeeper
from local.home import Home
from local.processes import stop
from local.stack import HOUSEKEEPER, Stack
from ticklake.core.errors import SettingsError
from ticklake.core.settings.environment import keep_days


class EnoughError(Exception):
    """Ends the loop of the part."""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Home(tmp_path, tmp_path / "tools", 24000))


@pytest.mark.parametrize(
    ("clock", "minutes"), [("10:39:00", 1), ("10:40:00", 60), ("10:40:30", 59.5), ("00:00:00", 40), ("23:59:00", 41)]
)
def test_a_round_is_at_the_fortieth_minute_of_each_hour(clock: str, minutes: float) -> None:
    now = datetime.fromisoformat(f"2026-11-22T{clock}+00:00").timestamp()
    assert housekeeper.seconds_until_round(now) == 60 * minutes


def test_a_round_that_fails_is_told_and_followed_by_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that ends at its first trouble would let the disk fill from then on."""
    called: list[str] = []

    def call(command: list[str], **_: object) -> int:
        called.append(command[3])
        if len(called) > 3:
            raise EnoughError
        return 1

    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(housekeeper.time, "sleep", lambda _: None)
    with pytest.raises(EnoughError):
        housekeeper.main()
    assert called == 2 * ["ticklake.orchestration.housekeeping", "local"]
    assert "ERROR: the round ended with 1" in capsys.readouterr().out


def test_the_launchers_own_names_are_kept_from_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the pipeline they are unknown settings, and so errors."""
    given: list[dict[str, str]] = []

    def call(_: list[str], env: dict[str, str] | None = None, **__: object) -> int:
        given.append(env or {})
        raise EnoughError

    monkeypatch.setenv("TICKLAKE_HOME", "/somewhere")
    monkeypatch.setenv("TICKLAKE_KEEP_DAYS", "3")
    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(housekeeper.time, "sleep", lambda _: None)
    with pytest.raises(EnoughError):
        housekeeper.main()
    assert "TICKLAKE_HOME" not in given[0]
    assert given[0]["TICKLAKE_KEEP_DAYS"] == "3"


def test_it_runs_as_a_part_with_the_days_that_are_set(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKLAKE_KEEP_DAYS", "3")
    part = airflow.start_housekeeper(stack)
    try:
        assert part.alive()
        (process,) = part.members()
        assert process.environ()["TICKLAKE_KEEP_DAYS"] == "3"
        assert process.environ()["TICKLAKE_HOME"] == str(stack.home.folder)
    finally:
        stop([part])
    assert HOUSEKEEPER in stack.addresses()


@pytest.mark.parametrize("wrong", ["0", "-1", "seven", "1.5", "", "４", "3651"])
def test_a_number_of_days_that_is_none_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"TICKLAKE_KEEP_DAYS = .* is not a whole number of days from 1 to 3650\."):
        keep_days({"TICKLAKE_KEEP_DAYS": wrong})


def test_seven_days_are_kept_unless_said_otherwise() -> None:
    assert keep_days({}) == 7
    assert keep_days({"TICKLAKE_KEEP_DAYS": "30"}) == 30


def test_up_refuses_wrong_days_before_anything_starts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from local.up import up

    monkeypatch.setenv("TICKLAKE_KEEP_DAYS", "week")
    with pytest.raises(SettingsError, match="TICKLAKE_KEEP_DAYS = 'week'"):
        up(stack, brokers=1, wait=False)
    assert stack.parts.all() == []
