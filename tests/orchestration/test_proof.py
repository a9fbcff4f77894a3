"""`./ticklake verify --connections`: the proof of what the connections name, on a real broker and the embedded AWS."""

import json
from pathlib import Path

import pytest

from local import verify
from local.home import Home
from local.stack import Stack
from tests.orchestration.test_range_tasks import LAST, World, world  # noqa: F401
from ticklake.core.errors import SettingsError
from ticklake.orchestration.reland import reland_hour

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its provider warn of their own code


@pytest.fixture
def nothing_runs(tmp_path: Path) -> Stack:
    return Stack(Home(tmp_path, tmp_path / "tools", 30_000))


def test_a_deployment_is_proven_by_its_connections(
    world: World,  # noqa: F811
    nothing_runs: Stack,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends = {"from": LAST.key, "to": LAST.key}
    reland_hour(world.context(**ends), LAST.hour.key)
    world.catalogued.crawl()
    capsys.readouterr()
    assert verify.run(nothing_runs, None, None, as_json=True, connections=True) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["rows"], verdict["athena"]["count"], verdict["athena"]["distinct"]) == (2, 2, 2)


def test_what_is_wrong_in_a_connection_is_named(
    world: World,  # noqa: F811
    nothing_runs: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TICKLAKE_KAFKA", '{"conn_type": "kafka", "extra": {}}')
    with pytest.raises(SettingsError, match="ticklake_kafka"):
        verify.run(nothing_runs, None, None, as_json=True, connections=True)
