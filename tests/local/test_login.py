"""`up --login` on a real API server: nobody gets in without the password, `up` does, and it is nowhere but in its file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from local import airflow, airflow_api
from local.home import PROJECT, Home
from local.login import USER
from local.processes import PartError, stop
from local.stack import Stack
from tests.support.ports import free_port_base
from tests.support.waiting import wait_for

API_SERVER = "airflow-api-server"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with Airflow's database and nothing running."""
    folder = tmp_path_factory.mktemp("login")
    stack = Stack(Home(folder, folder / "tools", free_port_base()))
    airflow.prepare(stack)
    yield stack
    stop(stack.parts.all(), grace=5)


def serve(stack: Stack) -> None:
    """Start the API server, as `up` does, and wait for it."""
    part = stack.parts.start(API_SERVER, airflow._commands()[API_SERVER], airflow.environment(stack), PROJECT)

    def healthy() -> bool:
        try:
            airflow_api.Api(stack).health()
        except PartError:
            assert part.alive(), part.end_of_log()
            return False
        return True

    wait_for(healthy, part.end_of_log, pause=0.2)


def get(stack: Stack, path: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{stack.home.airflow_url}{path}", headers=headers, trust_env=False, timeout=60)


def log_in(stack: Stack, password: str, user: str = USER) -> httpx.Response:
    credentials = {"username": user, "password": password}
    return httpx.post(f"{stack.home.airflow_url}/auth/token", json=credentials, trust_env=False, timeout=60)


KINDS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")  # of what a page sends unasked


@dataclass(frozen=True)
class Unlocked:
    """What Airflow without a login answers: a token to whoever asks, and another page's requests, by kind of content."""

    token: str
    posted: dict[str, int]
    agreed: httpx.Headers


@pytest.fixture(scope="module")
def before(stack: Stack) -> Unlocked:
    """Asked before the login is turned on, whichever test comes first."""
    serve(stack)
    assert get(stack, "/api/v2/dags").status_code == 200
    url, evil = f"{stack.home.airflow_url}/api/v2/dags/broker_health/dagRuns", {"Origin": "http://evil.example"}
    posted = {
        kind: httpx.post(
            url,
            content='{"logical_date": null}',
            headers={**evil, **({"Content-Type": kind} if kind else {})},
            trust_env=False,
            timeout=60,
        ).status_code
        for kind in KINDS
    }
    asked = {**evil, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    agreed = httpx.options(url, headers=asked, trust_env=False, timeout=60).headers
    return Unlocked(str(get(stack, "/auth/token").json()["access_token"]), posted, agreed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_web_page_of_somebody_else_cannot_act_even_without_a_login(before: Unlocked, kind: str) -> None:
    """What a browser sends from another page without asking first is no JSON; and asked first, Airflow does not agree."""
    assert before.posted[kind] in (415, 422)
    assert "access-control-allow-origin" not in before.agreed


@pytest.fixture(scope="module")
def locked(stack: Stack, before: Unlocked) -> Stack:
    """The same stack after `up --login`."""
    airflow.require_login(stack, wanted=True)
    assert not stack.alive(API_SERVER), "it would go on without the login"
    serve(stack)
    return stack


@pytest.mark.parametrize("path", ["/api/v2/dags", "/api/v2/config", "/api/v2/connections", "/ui/config"])
def test_nobody_gets_in_without_the_password(locked: Stack, path: str) -> None:
    assert get(locked, path).status_code == 401
    assert get(locked, path, "wrong").status_code in (401, 403)


def test_whoever_got_in_before_is_out_now(locked: Stack, before: Unlocked) -> None:
    assert get(locked, "/api/v2/dags", before.token).status_code in (401, 403)
    assert get(locked, "/auth/token").status_code == 403


@pytest.mark.parametrize("password", ["admin", "", "airflow", "password"])
def test_there_is_no_default_password(locked: Stack, password: str) -> None:
    assert log_in(locked, password).status_code in (400, 401)


def test_with_the_password_one_is_admin(locked: Stack) -> None:
    given = log_in(locked, airflow_api.login_of(locked).password())
    assert given.status_code == 201
    assert get(locked, "/api/v2/connections", given.json()["access_token"]).status_code == 200


def test_the_launcher_logs_in_by_itself(locked: Stack) -> None:
    assert airflow_api.Api(locked).failed_attempts(datetime.now(UTC)) == []


def test_only_the_owner_reads_the_file_and_the_password_is_in_no_log(locked: Stack) -> None:
    login = airflow_api.login_of(locked)
    assert login.file.stat().st_mode & 0o777 == 0o600
    password = login.password()
    assert len(password) >= 24
    found = [f for f in locked.home.folder.rglob("*") if f.is_file() and password.encode() in f.read_bytes()]
    assert found == [login.file]


def test_a_second_up_keeps_login_and_password_and_stops_nothing(locked: Stack) -> None:
    kept = airflow_api.login_of(locked).file.read_text()
    for again in (None, True):
        airflow.require_login(locked, wanted=again)
        assert airflow_api.login_of(locked).file.read_text() == kept
        assert locked.alive(API_SERVER)


def test_it_is_turned_off_in_clear_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(Home(tmp_path, tmp_path / "tools", 24000))
    airflow.require_login(stack, wanted=True)
    assert json.loads(airflow_api.login_of(stack).file.read_text()).keys() == {USER}
    airflow.require_login(stack, wanted=False)
    assert not airflow_api.login_of(stack).on
    assert "the login is off: whoever reaches http://127.0.0.1:24080 is admin" in capsys.readouterr().out


def test_every_stack_has_a_password_of_its_own(tmp_path: Path) -> None:
    stacks = [Stack(Home(tmp_path / name, tmp_path, 24000)) for name in ("a", "b")]
    for stack in stacks:
        airflow.require_login(stack, wanted=True)
    assert airflow_api.login_of(stacks[0]).password() != airflow.login_of(stacks[1]).password()
