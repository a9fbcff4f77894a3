"""The check of the cluster on a real broker."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.support.landed import seal
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.core.errors import KafkaError, LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.proof.broker_health import Level, require_healthy
from ticklake.core.settings.stream import Stream
from ticklake.stages.broker_health import look_at_cluster, newest_manifests


@pytest.fixture
def stream() -> Stream:
    whole = Stream.from_toml(Path("include/streams/stock_ticks.toml"))
    return replace(whole, topic=replace(whole.topic, name=f"t-{uuid4().hex}", partitions=2))


@pytest.fixture
def admin(kafka_bootstrap: str) -> KafkaAdmin:
    return KafkaAdmin({"bootstrap.servers": kafka_bootstrap})


def test_the_findings_of_a_new_topic_pass_and_are_logged_as_one_table(admin, stream, caplog):
    with caplog.at_level(logging.INFO):
        findings = look_at_cluster(admin, stream, tuple)
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


def sealed(stream: Stream, minute: str, topic_id: str | None = None) -> Manifest:
    """An empty minute's manifest."""
    at, slices = Minute.parse(minute), (OffsetRange(0, 0, 0), OffsetRange(1, 0, 0))
    return Manifest(
        stream.table.name, stream.topic.name, "c", topic_id, at, at.plus(1).start.isoformat(), "r", slices, (), (), (),
        None, None, 0, 0, {},
    )  # fmt: skip


def test_the_newest_sealed_minute_comes_from_the_callable(admin, stream):
    findings = look_at_cluster(admin, stream, lambda: [sealed(stream, "2020-01-01T00:00")])
    (lag,) = [f for f in findings if "lag" in f.subject]
    assert lag.level is Level.WARNING
    assert "2020-01-01T00:00" in lag.seen


def test_a_topic_made_again_fails_the_check_with_the_remedy_since_landing_refuses_it(admin, stream):
    look_at_cluster(admin, stream, tuple)
    now = admin.topic_id(stream.topic.name)
    require_healthy(look_at_cluster(admin, stream, lambda: [sealed(stream, "2020-01-01T00:00", now)]))
    findings = look_at_cluster(admin, stream, lambda: [sealed(stream, "2020-01-01T00:00", "the one before")])
    assert "lag of landing" not in [f.subject for f in findings]  # it would span two topics
    with pytest.raises(KafkaError, match=r"is not the one that .* was landed from.*Land it as another table"):
        require_healthy(findings)


def test_an_open_transaction_is_told_once_it_is_older_than_the_newest_seal(admin, stream, kafka_bootstrap):
    look_at_cluster(admin, stream, tuple)
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": stream.topic.name})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(stream.topic.name, b"{}", partition=1)
    producer.flush(60)
    newest = sealed(stream, "2020-01-01T00:00")
    seen_open = replace(newest, slices=(OffsetRange(0, 0, 0, 0), OffsetRange(1, 0, 0, 0)))
    (held,) = [f for f in look_at_cluster(admin, stream, lambda: [seen_open]) if f.subject == "open transaction"]
    assert held.seen == f"1 offsets of partitions 1 are held back since before {newest.sealed_at}"
    assert "describe-producers" in held.remedy
    producer.commit_transaction(60)
    assert "open transaction" not in {f.subject for f in look_at_cluster(admin, stream, lambda: [newest])}


def test_the_newest_ten_minutes_are_read_newest_first(lake):
    for minute in ("2026-11-22T10:00", "2026-11-22T10:03", "2026-11-22T10:11", "2026-11-22T10:12"):
        seal(lake, "ticks", Minute.parse(minute), [], [])
    found = newest_manifests(lake, "ticks", Minute.parse("2026-11-22T10:20"))
    assert [m.minute.key[-5:] for m in found] == ["10:12", "10:11", "10:03"]
    assert newest_manifests(lake, "ticks", Minute.parse("2026-11-22T10:00")) == ()


def test_a_lake_that_is_away_is_a_warning_and_does_not_stop_the_producer(admin, stream):
    def away() -> Sequence[Manifest]:
        raise LakeError("S3 is away.", "Start it.")

    findings = look_at_cluster(admin, stream, away)
    require_healthy(findings)
    assert "unknown: S3 is away." in findings[-1].seen
