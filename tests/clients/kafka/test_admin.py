"""The look at a cluster: real brokers, and ports where nobody answers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.support.kafka_broker import free_ports
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.core.errors import KafkaError
from ticklake.core.proof.broker_health import topic_config
from ticklake.core.settings.stream import Stream


@pytest.fixture
def stream() -> Stream:
    whole = Stream.from_toml(Path("include/streams/stock_ticks.toml"))
    name = f"t-{uuid4().hex}"
    return replace(
        whole, topic=replace(whole.topic, name=name, partitions=3), landing=replace(whole.landing, group=name)
    )


@pytest.fixture
def admin(kafka_bootstrap: str) -> KafkaAdmin:
    return KafkaAdmin({"bootstrap.servers": kafka_bootstrap, "group.id": "of a consumer"})


def test_the_missing_topic_is_created_as_the_stream_file_says_limited_by_the_brokers(admin, stream):
    facts = admin.look(stream)
    assert facts.created
    assert [p.partition for p in facts.partitions] == [0, 1, 2]
    assert all(p.replicas == p.in_sync == facts.brokers and p.leader in facts.brokers for p in facts.partitions)
    assert facts.config.items() >= topic_config(stream.topic, 1).items()
    assert facts.config["message.timestamp.type"] == "LogAppendTime"
    assert facts.unread == ()


def test_the_second_look_creates_nothing_and_the_quorum_still_answers(admin, stream):
    first, second = admin.look(stream), admin.look(stream)
    assert not second.created
    assert second.quorum_seconds is not None
    assert (second.cluster_id, second.partitions) == (first.cluster_id, first.partitions)


def test_two_creators_at_once_both_succeed(kafka_bootstrap, stream):
    admins = [KafkaAdmin({"bootstrap.servers": kafka_bootstrap}) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda admin: admin.look(stream), admins))
    assert all(len(facts.partitions) == 3 for facts in looks)


def test_offsets_of_the_log_and_of_the_group_are_read(admin, stream, kafka_bootstrap):
    admin.look(stream)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for _ in range(5):
        producer.produce(stream.topic.name, b"x", partition=1)
    assert producer.flush(60) == 0
    consumer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": stream.landing.group})
    consumer.commit(offsets=[TopicPartition(stream.topic.name, 1, 2)], asynchronous=False)
    consumer.close()
    parts = admin.look(stream).partitions
    assert [(p.start, p.end, p.committed) for p in parts] == [(0, 0, None), (0, 5, 2), (0, 0, None)]


def test_a_cluster_that_is_down_is_told_in_words(stream):
    (port,) = free_ports(1)
    with pytest.raises(KafkaError) as error:
        KafkaAdmin({"bootstrap.servers": f"127.0.0.1:{port}"}).look(stream)
    assert f"127.0.0.1:{port} did not describe the cluster" in str(error.value)
    assert "Connection refused" in str(error.value)
    assert "Are the brokers up" in str(error.value)


def test_nothing_of_librdkafkas_own_log_reaches_the_task(stream, capfd, monkeypatch):
    monkeypatch.setattr("ticklake.clients.kafka.admin._CONNECT_SECONDS", 2.0)
    (port,) = free_ports(1)
    with pytest.raises(KafkaError):
        KafkaAdmin({"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "g", "auto.offset.reset": "error"}).look(
            stream
        )
    assert capfd.readouterr() == ("", "")
