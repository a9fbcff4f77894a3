"""The task of rejected_to_kafka on a real broker and the real S3 protocol, through Airflow's connections."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.orchestration.test_catalog_tasks import connect
from tests.stages.conftest import MINUTE, TestTopic, lake, s3, topic
from ticklake.clients.aws.s3 import Lake
from ticklake.core.settings.environment import KAFKA_CONNECTION
from ticklake.orchestration.rejected_to_kafka import redrive_records
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its provider warn of their own code
__all__ = ["lake", "s3", "topic"]  # fixtures
PARAMS = {"from": MINUTE.key, "to": MINUTE.key, "reason": "", "all": True, "dry_run": False}


@pytest.fixture
def connected(topic: TestTopic, lake: Lake, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment and the connections of a worker, and a minute with two rejected records."""
    for name in [n for n in os.environ if n.startswith("TICKLAKE_")]:
        monkeypatch.delenv(name)
    connect(monkeypatch, aws_endpoint)
    kafka = {"conn_type": "kafka", "extra": {"bootstrap.servers": topic.bootstrap}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{KAFKA_CONNECTION.upper()}", json.dumps(kafka))
    monkeypatch.setenv("TICKLAKE_BUCKET", lake.bucket)
    stream = tmp_path / "stream.toml"
    stream.write_text(
        f"""[topic]\nname = "{topic.name}"\npartitions = 3\nreplication_factor = 1\nmin_insync_replicas = 1\nretention_hours = 1
        [table]\nname = "{topic.name}"\nkey_column = "Index"
        [landing]\ngroup = "g"\nobject_mebibytes = 1\ncatch_up_minutes = 1\n"""
    )
    monkeypatch.setenv("TICKLAKE_STREAM", str(stream))
    topic.send(None, b"no JSON")
    with closing(topic.reader()) as reader:
        land(Landing(reader, lake, topic.stream, "r", topic.id()), MINUTE, datetime(2026, 11, 23, tzinfo=UTC))


def run(**params: Any) -> dict[str, Any]:
    run = SimpleNamespace(conf=None)
    return redrive_records({"params": {**PARAMS, **params}, "dag_run": run})


def test_the_params_reach_the_stage_and_the_counts_come_back(connected: None, topic: TestTopic) -> None:
    ends = topic.end_offsets()
    assert run(dry_run=True)["sent"] == 2
    assert run(all=False)["sent"] == 0
    assert topic.end_offsets() == ends
    assert run(reason="tombstone")["reasons"]["tombstone"]["sent"] == 1
    assert run()["sent"] == 1
    assert run()["sent"] == 0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"to": MINUTE.plus(-1).key}, "ends before it begins: from = 2026-11-22T10:05, to = 2026-11-22T10:04"),
        ({"from": "2026-13-01T00:00"}, "^from = '2026-13-01T00:00' is not a minute such as"),
        ({"to": "2999-01-01T00:00"}, "^to = 2999-01-01T00:00 is not over"),
        ({"from": ""}, "^from = '' and to = .*: one end of the range is empty"),
    ],
)
def test_wrong_params_fail_at_once_instead_of_being_tried_again(params: dict[str, str], words: str) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(**params)
