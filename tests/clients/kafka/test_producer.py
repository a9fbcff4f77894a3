"""The producer on a real broker: where records go, what it counts, how it fails."""

from uuid import uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from local.home import Home
from local.jars import class_path
from local.kafka import Broker, Cluster
from local.processes import Parts, stop
from tests.support.kafka import create_topics
from tests.support.kafka_broker import free_ports, running
from ticklake.clients.kafka.producer import PRODUCER_CONFIG, RecordProducer
from ticklake.core.errors import KafkaError

# Kafka's own test vectors (org.apache.kafka.common.utils.UtilsTest.testMurmur2).
JAVA_MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.fixture
def topic(kafka_bootstrap: str):
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})

    def create(**config: str) -> str:
        name = f"t-{uuid4().hex}"
        create_topics(admin, NewTopic(name, 6, 1, config=config))
        return name

    return create


@pytest.fixture
def producer(kafka_bootstrap: str) -> RecordProducer:
    return RecordProducer({"bootstrap.servers": kafka_bootstrap, "group.id": "of a consumer"})


@pytest.mark.parametrize("key", JAVA_MURMUR2)
def test_a_key_goes_to_the_partition_that_kafkas_java_client_chooses(producer, topic, key):
    assert producer.send(topic(), [(key, b"{}")])
    producer.finish(60)
    assert producer.per_partition == {(JAVA_MURMUR2[key] & 0x7FFFFFFF) % 6: 1}


def test_it_counts_what_kafka_confirmed_per_partition(producer, topic):
    name = topic()
    assert producer.send(name, ((str(n).encode(), b"{}") for n in range(300)))
    assert producer.sent == 300
    producer.finish(60)
    assert producer.written == producer.per_partition.total() == 300
    assert len(producer.per_partition) == 6


def test_a_record_that_kafka_refuses_fails_with_topic_partition_key_and_reason(producer, topic):
    name = topic(**{"max.message.bytes": "100"})
    producer.send(name, [(b"abc", bytes(range(256)) * 4)])
    with pytest.raises(KafkaError) as error:
        producer.finish(60)
    partition = (JAVA_MURMUR2[b"abc"] & 0x7FFFFFFF) % 6
    assert f"key b'abc' was not delivered to topic {name}, partition {partition}: " in str(error.value)
    assert "too large" in str(error.value)


def test_a_record_too_large_for_the_client_fails_in_the_same_words(producer, topic):
    with pytest.raises(KafkaError, match="key b'k' was not delivered to topic"):
        producer.send(topic(), [(b"a", b"{}"), (b"k", b"x" * 2_000_000)])
    assert producer.sent == 1


def test_a_full_queue_is_waited_for_not_an_error(kafka_bootstrap, topic, monkeypatch):
    monkeypatch.setitem(PRODUCER_CONFIG, "queue.buffering.max.messages", 10)
    producer = RecordProducer({"bootstrap.servers": kafka_bootstrap})
    name = topic()
    waited = []

    def stop() -> bool:
        waited.append(True)
        return False

    assert producer.send(name, ((str(n).encode(), b"{}") for n in range(200)), stop)
    producer.finish(60)
    assert waited
    assert (producer.sent, producer.written) == (200, 200)


@pytest.fixture
def abandoned(monkeypatch) -> RecordProducer:
    """A producer whose brokers went away as soon as they had named the partitions; ten records fill its queue."""
    monkeypatch.setattr("ticklake.clients.kafka.producer.describe", lambda *_: ("cluster", (0,)))
    monkeypatch.setitem(PRODUCER_CONFIG, "queue.buffering.max.messages", 10)
    (port,) = free_ports(1)
    return RecordProducer({"bootstrap.servers": f"127.0.0.1:{port}"})


def test_waiting_for_a_full_queue_ends_when_it_is_told_to(abandoned):
    assert not abandoned.send("t", ((b"k", b"{}") for _ in range(20)), lambda: True)
    assert (abandoned.sent, abandoned.written) == (10, 0)


def test_records_before_one_that_cannot_be_made_are_sent(producer, topic):
    def records():
        yield b"k", b"{}"
        raise InterruptedError

    with pytest.raises(InterruptedError):
        producer.send(topic(), records())
    producer.finish(60)
    assert (producer.sent, producer.written) == (1, 1)


def test_records_that_nobody_confirms_are_counted_in_words_when_the_time_is_over(abandoned):
    abandoned.send("t", [(b"k", b"{}")])
    with pytest.raises(KafkaError) as error:
        abandoned.finish(1)
    assert "1 records were not confirmed within 1 s" in str(error.value)
    assert "Connection refused" in str(error.value)


def test_a_cluster_that_is_not_there_is_named_and_waited_for_no_longer_than_wanted():
    (port,) = free_ports(1)
    producer = RecordProducer({"bootstrap.servers": f"127.0.0.1:{port}"})
    with pytest.raises(KafkaError, match=f"127.0.0.1:{port} does not answer: Connection refused"):
        producer.send("t", [(b"k", b"{}")], lambda: True)
    assert producer.sent == 0


def test_a_topic_that_comes_a_moment_later_is_waited_for(producer, kafka_bootstrap):
    """A broker does not know a topic, or has no leader for it, for a moment after it was made; librdkafka waits, too."""
    name, waited = f"t-{uuid4().hex}", []

    def stop() -> bool:
        if not waited:
            admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
            admin.create_topics([NewTopic(name, 6, 1)])[name].result(30)
        waited.append(True)
        return False

    assert producer.send(name, [(b"k", b"{}")], stop)
    producer.finish(60)
    assert producer.written == 1
    assert waited, "the first answer was that there is no such topic"


def test_waiting_for_a_topic_ends_when_it_is_told_to(producer):
    with pytest.raises(KafkaError, match=r"Kafka does not know topic none: .* The DAG broker_health creates it"):
        producer.send("none", [(b"k", b"{}")], lambda: True)


def test_a_topic_that_does_not_come_is_an_error(producer, monkeypatch):
    monkeypatch.setattr("ticklake.clients.kafka.producer.TOPIC_SECONDS", 0.5)
    with pytest.raises(KafkaError, match="Kafka does not know topic none"):
        producer.send("none", [(b"k", b"{}")])


def test_records_whose_leader_is_away_wait_for_it(tmp_path, monkeypatch):
    """Its broker comes back: what was sent meanwhile is written, once each."""
    monkeypatch.setitem(PRODUCER_CONFIG, "delivery.timeout.ms", 300_000)  # a broker's start on a busy machine
    ports = free_ports(2)
    cluster = Cluster(tmp_path / "kafka", (Broker(1, *ports),), class_path(Home.from_env()))
    with running(cluster, tmp_path):
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        admin.create_topics([NewTopic("t", 2, 1)])["t"].result(60)
        producer = RecordProducer({"bootstrap.servers": cluster.bootstrap})
        assert producer.send("t", [(b"first", b"{}")])
        producer.finish(60)
        parts = Parts(tmp_path / "run", tmp_path / "logs")
        stop(parts.all())
        assert producer.send("t", ((str(n).encode(), b"{}") for n in range(100)))
        cluster.start(parts)
        producer.finish(300)
        assert producer.written == 101
        reader = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "g"})
        assert sum(reader.get_watermark_offsets(TopicPartition("t", p), timeout=60)[1] for p in (0, 1)) == 101
        reader.close()


def test_records_without_a_key_take_the_partitions_in_turn(producer, topic):
    name = topic()
    for _ in range(3):  # also over several calls
        assert producer.send(name, ((None, b"{}") for _ in range(4)))
    producer.finish(60)
    assert producer.per_partition == dict.fromkeys(range(6), 2)


def test_the_connection_cannot_weaken_the_delivery(kafka_bootstrap, topic):
    """With acks=1 the idempotent producer would not even start: ours lie over the connection's."""
    producer = RecordProducer({"bootstrap.servers": kafka_bootstrap, "acks": "1"})
    producer.send(topic(), [(b"k", b"{}")])
    producer.finish(60)
    assert producer.written == 1
