"""Before a task does anything, what a person may have typed wrong ends it at once, in words, without a secret."""

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.refusal import refusal

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its provider warn of their own code
KEY = {"login": "AKIA", "password": "s3cret"}  # pragma: allowlist secret
AWS = {"conn_type": "aws", **KEY, "extra": {"region_name": "eu-central-1"}}
KAFKA = {"conn_type": "kafka", "extra": {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}}


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A worker's environment with everything typed right, and nothing there to connect to."""
    for name in [n for n in os.environ if n.startswith("TICKLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TICKLAKE_BUCKET", "lake")
    monkeypatch.setenv("AIRFLOW_CONN_TICKLAKE_AWS", json.dumps(AWS))
    monkeypatch.setenv("AIRFLOW_CONN_TICKLAKE_KAFKA", json.dumps(KAFKA))
    return monkeypatch


def context(key: str | None = "2026-11-22T10", conf: Any = None, **params: Any) -> dict[str, Any]:
    run = SimpleNamespace(partition_key=key, conf=conf, run_id="r", dag_id="d", logical_date=None, run_after=None)
    dag = SimpleNamespace(params={"from": None, "to": None, "seconds": None})
    return {"run_id": "r", "partition_key": key, "dag_run": run, "dag": dag, "params": params, "ti": None}


def check(*connections: str, **run: Any) -> Any:
    from ticklake.orchestration.checked import checked_settings

    return checked_settings(context(**run), *connections)


def refused(*connections: str, **run: Any) -> str:
    from ticklake.core.errors import SettingsError

    with pytest.raises(SettingsError) as found:
        check(*connections, **run)
    assert "s3cret" not in str(found.value)
    return str(found.value)


def test_what_is_typed_right_is_handed_over() -> None:
    settings, stream = check("aws_landing", "kafka_landing")
    assert (settings.bucket, stream.table.name) == ("lake", "stock_ticks")


def test_a_connection_that_is_not_there_is_named_with_the_setting_that_names_it(worker: pytest.MonkeyPatch) -> None:
    worker.setenv("TICKLAKE_AWS_LANDING", "lading")
    said = refused("aws_landing")
    assert said.startswith("There is no connection 'lading' (setting TICKLAKE_AWS_LANDING), or it cannot be read.")
    assert "AIRFLOW_CONN_LADING" in said


def test_a_connection_that_is_no_json_is_named_and_not_shown(worker: pytest.MonkeyPatch) -> None:
    worker.setenv("AIRFLOW_CONN_TICKLAKE_AWS", '{"conn_type": "aws", "password": "s3cret"')  # pragma: allowlist secret
    assert "'ticklake_aws'" in refused("aws_landing")


def test_an_extra_that_is_no_json_is_named_and_not_shown(worker: pytest.MonkeyPatch) -> None:
    half = '{"sasl.password": "s3cret"'  # pragma: allowlist secret
    worker.setenv("AIRFLOW_CONN_TICKLAKE_KAFKA", json.dumps({**KAFKA, "extra": half}))
    assert refused("kafka_landing").startswith("Connection ticklake_kafka: the extra is not JSON: ")


def test_a_connection_of_another_type_is_named(worker: pytest.MonkeyPatch) -> None:
    worker.setenv("TICKLAKE_KAFKA_LANDING", "ticklake_aws")
    assert refused("kafka_landing") == "Connection ticklake_aws has the type 'aws'. The type is 'kafka'."


@pytest.mark.parametrize(
    ("connection", "kind", "extra", "words"),
    [
        ("kafka_landing", KAFKA, {"bootstrap.servers": "localhost"}, "bootstrap.servers has 'localhost'"),
        ("kafka_produce", KAFKA, {**KAFKA["extra"], "oauth_cb": "os.system"}, "oauth_cb names code to be run"),  # type: ignore[dict-item]
        ("aws_landing", AWS, {"regoin_name": "eu-central-1"}, "Did you mean region_name?"),
        ("aws_landing", AWS, {"region_name": "eu-central-1", "config_kwargs": {"reties": 1}}, "Did you mean retries?"),
    ],
)
def test_the_rules_of_connections_are_applied(
    worker: pytest.MonkeyPatch, connection: str, kind: dict[str, Any], extra: dict[str, str], words: str
) -> None:
    worker.setenv(f"AIRFLOW_CONN_TICKLAKE_{kind['conn_type'].upper()}", json.dumps({**kind, "extra": extra}))
    assert words in refused(connection)


def test_a_connection_that_the_task_does_not_use_is_not_asked_for(worker: pytest.MonkeyPatch) -> None:
    worker.delenv("AIRFLOW_CONN_TICKLAKE_AWS")
    assert refusal(check, "kafka_produce") is None
    assert refusal(check, "aws_landing") is not None


def test_a_misspelt_param_is_named_since_its_default_would_be_taken() -> None:
    said = refused(conf={"secnds": 5})
    assert said == "'secnds' in the run's configuration is not a Param of d. Did you mean seconds?"
    assert refusal(lambda: check(conf={"seconds": 5, "partition_key": "2026-11-22T10"})) is None


def test_a_setting_that_librdkafka_refuses_names_the_connection(worker: pytest.MonkeyPatch) -> None:
    from ticklake.core.errors import SettingsError
    from ticklake.orchestration.cluster_hooks import ClusterHook, RecordProducerHook, TransactionalProducerHook
    from ticklake.orchestration.kafka_hooks import ReaderHook

    extra = {**KAFKA["extra"], "sasl.pasword": "s3cret"}  # type: ignore[dict-item]
    worker.setenv("AIRFLOW_CONN_TICKLAKE_KAFKA", json.dumps({**KAFKA, "extra": extra}))
    _, stream = check()
    name = "ticklake_kafka"
    for hook in (
        ClusterHook(name),
        RecordProducerHook(name),
        TransactionalProducerHook(name, "t"),
        ReaderHook(name, stream),
    ):
        with pytest.raises(
            SettingsError, match=r"^Connection ticklake_kafka, .* Did you mean sasl\.password\?$"
        ) as found:
            _ = hook.get_conn
        assert "s3cret" not in str(found.value)


def tasks() -> dict[str, Any]:
    """Every task of every DAG that works with settings, as a call with a context."""
    from ticklake.orchestration import broker_health, kafka_to_s3, reconcile, rejected_to_kafka, reland
    from ticklake.orchestration.catalog_to_counts import CountHourOperator
    from ticklake.orchestration.csv_to_kafka import CsvToKafkaOperator
    from ticklake.orchestration.s3_to_catalog import CatalogHourOperator, FirstObjectSensor

    return {
        "broker_health.check_brokers": lambda given: broker_health.check_brokers.function(**given),
        "csv_to_kafka.produce": CsvToKafkaOperator(task_id="p").execute,
        "kafka_to_s3.land": lambda given: kafka_to_s3.land.function(**given),
        "kafka_to_s3.prepare": lambda given: kafka_to_s3.prepare.function(**given),
        "kafka_to_s3.write": lambda given: kafka_to_s3.write.function({"slices": []}, **given),
        "kafka_to_s3.seal": lambda given: kafka_to_s3.seal.function(
            {"cut": {"slices": [{"partition": 0, "start": 0, "end": 1}]}, "lost": []}, [], **given
        ),
        "s3_to_catalog.wait_for_first_object": FirstObjectSensor(task_id="w").execute,
        "s3_to_catalog.crawl_and_check": CatalogHourOperator(task_id="c").execute,
        "catalog_to_counts.count_hour": CountHourOperator(task_id="h").execute,
        "reconcile.compare_and_repair": reconcile.reconcile_hours,
        "reland.hours": reland.hours_of_range,
        "reland.land_hour": lambda given: reland.reland_hour(given, "2026-11-22T10"),
        "rejected_to_kafka.redrive": rejected_to_kafka.redrive_records,
    }


@pytest.mark.parametrize(
    "name",
    [
        *(
            "broker_health.check_brokers",
            "csv_to_kafka.produce",
            "kafka_to_s3.land",
            "kafka_to_s3.prepare",
            "kafka_to_s3.write",
            "kafka_to_s3.seal",
            "catalog_to_counts.count_hour",
        ),
        *("s3_to_catalog.wait_for_first_object", "s3_to_catalog.crawl_and_check", "reconcile.compare_and_repair"),
        *("reland.hours", "reland.land_hour", "rejected_to_kafka.redrive"),
    ],
)
def test_every_task_is_ended_at_once_by_what_is_typed_wrong(worker: pytest.MonkeyPatch, name: str) -> None:
    """Nothing listens where the connections lead to: a task that began its work would fail otherwise, and later."""
    from airflow.sdk.exceptions import AirflowFailException

    worker.setenv("TICKLAKE_BUCKET", "s3://lake")
    params = {"from": "2026-11-22T10", "to": "2026-11-22T10", "reason": "", "all": False, "dry_run": True}
    with pytest.raises(
        AirflowFailException, match=r"TICKLAKE_BUCKET = 's3://lake' is not a bucket's name\. Only the name"
    ):
        tasks()[name](context("2026-11-22T10:05" if name.startswith("kafka_to_s3") else "2026-11-22T10", **params))


@pytest.mark.parametrize("key", ["2026-11-22T1O:05", "2026-11-22 10:05", "2026-11-31T10:05", "now"])
def test_a_key_that_is_none_is_named(key: str) -> None:
    from ticklake.core.errors import SettingsError
    from ticklake.orchestration.partition_keys import hour_of, hours_of, minute_of

    for of in (minute_of, hour_of, hours_of):
        with pytest.raises(SettingsError, match=f"^partition_key = '{key}' is not (a minute|an hour) such as 2026"):
            of(context(key))


def test_an_hour_that_has_not_begun_is_refused_instead_of_being_waited_for_a_year() -> None:
    from ticklake.core.errors import SettingsError
    from ticklake.orchestration.partition_keys import hour_of

    with pytest.raises(SettingsError, match="partition_key = 2999-01-01T00: that hour has not begun"):
        hour_of(context("2999-01-01T00"))


def test_a_minute_that_is_not_over_is_tried_again_since_clocks_differ() -> None:
    from ticklake.core.errors import NotOverError
    from ticklake.orchestration.checked import fails_at_once

    @fails_at_once
    def land() -> None:
        raise NotOverError("not over")

    with pytest.raises(NotOverError):
        land()
