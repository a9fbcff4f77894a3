"""The check of the cluster on a real broker."""

import logging
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from ticklake.clients.kafka_admin import KafkaAdmin
from ticklake.core.errors import LakeError
from ticklake.core.health import Level, require_healthy
from ticklake.core.minute import Minute
from ticklake.core.settings import Stream
from ticklake.stages.broker_health import look_at_cluster


@pytest.fixture
def stream() -> Stream:
    whole = Stream.from_toml(Path("include/streams/stock_ticks.toml"))
    return replace(whole, topic=replace(whole.topic, name=f"t-{uuid4().hex}", partitions=2))


@pytest.fixture
def admin(kafka_bootstrap: str) -> KafkaAdmin:
    return KafkaAdmin({"bootstrap.servers": kafka_bootstrap})


def test_the_findings_of_a_new_topic_pass_and_are_logged_as_one_table(admin, stream, caplog):
    with caplog.at_level(logging.INFO):
        findings = look_at_cluster(admin, stream, lambda: None)
    require_healthy(findings)
    assert [f.subject for f in findings] == [
        "brokers",
        "controller quorum",
        "topic",
        "replicas",
        "settings",
        "lag of landing",
    ]
    (table,) = [r.getMessage() for r in caplog.records if r.name == "ticklake.stages.broker_health"]
    assert f"ok       topic              {stream.topic.name}: 2 partitions, 1 copy (just created)" in table.splitlines()


def test_the_newest_sealed_minute_comes_from_the_callable(admin, stream):
    (lag,) = [f for f in look_at_cluster(admin, stream, lambda: Minute.parse("2020-01-01T00:00")) if "lag" in f.subject]
    assert lag.level is Level.WARNING
    assert "2020-01-01T00:00" in lag.seen


def test_a_lake_that_is_away_is_a_warning_and_does_not_stop_the_producer(admin, stream):
    def away() -> None:
        raise LakeError("S3 is away.", "Start it.")

    findings = look_at_cluster(admin, stream, away)
    require_healthy(findings)
    assert "unknown: S3 is away." in findings[-1].seen
