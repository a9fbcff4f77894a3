"""How Airflow's processes are started."""

import json
from pathlib import Path

from local.airflow import _commands, _settings, environment
from local.home import Home
from local.kafka_security import Security
from local.stack import Stack
from tests.support.airflow_settings import airflow_settings
from ticklake.core.settings.environment import Settings


def test_airflow_knows_every_setting_that_it_is_given(tmp_path: Path) -> None:
    given = _settings(Stack(Home(tmp_path, tmp_path, 24000)))
    assert {f"AIRFLOW__{name}" for name in given} <= airflow_settings()


def test_no_process_serves_logs_since_those_servers_cannot_be_bound_to_loopback() -> None:
    serving = {"airflow-scheduler", "airflow-triggerer"}
    assert {name for name, command in _commands().items() if "--skip-serve-logs" in command} == serving


def test_each_stage_has_a_connection_and_a_user_of_its_own_where_kafka_is_secured(tmp_path: Path) -> None:
    stack = Stack(Home(tmp_path, tmp_path, 24000))
    stack.claim_cluster(1, secure=True)
    env = environment(stack)
    settings = Settings.from_env({name: value for name, value in env.items() if name.startswith("TICKLAKE_")})
    users = {}
    for stage in ("produce", "landing", "reconcile", "redrive", "health"):
        connection = getattr(settings, f"kafka_{stage}")
        extra = json.loads(env[f"AIRFLOW_CONN_{connection.upper()}"])["extra"]
        assert (extra["security.protocol"], extra["group.id"]) == ("SASL_SSL", "ticklake")
        users[extra["sasl.username"]] = extra["sasl.password"]
    assert list(users) == ["produce", "landing", "reconcile", "redrive", "health"]
    assert users.items() <= Security(tmp_path / "kafka" / "security").passwords().items()
    assert "AIRFLOW_CONN_TICKLAKE_KAFKA" not in env, "nobody comes as another by leaving the setting out"


def test_airflow_masks_the_password_of_a_kafka_connection() -> None:
    from airflow.sdk._shared.secrets_masker import redact
    from airflow.sdk.log import mask_secret

    mask_secret({"sasl.username": "landing", "sasl.password": "swordfish-of-kafka"})  # pragma: allowlist secret
    assert redact("said swordfish-of-kafka") == "said ***"
