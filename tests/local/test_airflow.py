"""How Airflow's processes are started."""

from pathlib import Path

from local.airflow import _commands, _settings
from local.home import Home
from local.stack import Stack
from tests.airflow_settings import airflow_settings


def test_airflow_knows_every_setting_that_it_is_given(tmp_path: Path) -> None:
    given = _settings(Stack(Home(tmp_path, tmp_path, 24000)))
    assert {f"AIRFLOW__{name}" for name in given} <= airflow_settings()


def test_no_process_serves_logs_since_those_servers_cannot_be_bound_to_loopback() -> None:
    serving = {"airflow-scheduler", "airflow-triggerer"}
    assert {name for name, command in _commands().items() if "--skip-serve-logs" in command} == serving
