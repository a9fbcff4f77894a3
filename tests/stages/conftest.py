"""A topic, a bucket and a landing of each test's own, on the session's real Kafka and S3."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.waiting import wait_for
from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.consumer import READER_CONFIG, TopicReader
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import LandingSettings, Stream, TableSettings, TopicSettings
from ticklake.stages.kafka_to_s3.landing import Landing

MINUTE = Minute.parse("2026-11-22T10:05")


@pytest.fixture(scope="session")
def s3(aws_endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard"}),
    )


@pytest.fixture
def lake(s3: Any) -> Lake:
    bucket = f"t-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    return Lake(s3, bucket)


@dataclass(frozen=True)
class TestTopic:
    """A topic with CreateTime, so that a test chooses the timestamps."""

    __test__ = False
    bootstrap: str
    stream: Stream

    @property
    def name(self) -> str:
        return self.stream.topic.name

    def send(self, *values: bytes | None, partition: int = 0, at: int = MINUTE.start_ms, **config: Any) -> None:
        """Produce records with one timestamp (ms), and wait for their acknowledgement."""
        producer = Producer({"bootstrap.servers": self.bootstrap, **config})
        for value in values:
            producer.produce(self.name, value, b"key", partition, timestamp=at)
        assert producer.flush(60) == 0

    def id(self) -> str | None:
        return KafkaAdmin({"bootstrap.servers": self.bootstrap}).topic_id(self.name)

    def make_again(self) -> None:
        """Delete the topic and create another one of the same name, whose offsets restart at 0."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.delete_topics([self.name])[self.name].result(60)
        create_topic(admin, self.name)

    def reader(self) -> TopicReader:
        config = {"bootstrap.servers": self.bootstrap, **READER_CONFIG, "group.id": self.stream.landing.group}
        return TopicReader(Consumer(config), self.name)

    def end_offsets(self) -> dict[int, int]:
        reader = self.reader()
        try:
            return reader.high()
        finally:
            reader.close()


def create_topic(admin: AdminClient, name: str) -> None:
    # As brokers before 3.6 are: no date is refused.
    any_date = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**63 - 1)}
    new = NewTopic(name, 3, 1, config=any_date)

    def created() -> bool:
        try:
            admin.create_topics([new])[name].result(60)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False  # one of that name is still being deleted
        return True

    wait_for(created, f"topic {name} created")
    # The broker learns of it a moment after the controller.
    wait_for(lambda: not admin.list_topics(name, timeout=60).topics[name].error, f"topic {name} known to the broker")


@contextmanager
def new_topic(kafka_bootstrap: str) -> Iterator[TestTopic]:
    """A topic with three partitions, deleted afterwards."""
    name = f"t_{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    create_topic(admin, name)
    stream = Stream(
        TopicSettings(name, 3, 1, 1, 168), TableSettings(name, "Index"), LandingSettings(f"g-{name}", 64, 100)
    )
    yield TestTopic(kafka_bootstrap, stream)
    admin.delete_topics([name])[name].result(60)


@pytest.fixture
def topic(kafka_bootstrap: str) -> Iterator[TestTopic]:
    with new_topic(kafka_bootstrap) as made:
        yield made


@pytest.fixture
def landing(topic: TestTopic, lake: Lake) -> Iterator[Landing]:
    reader = topic.reader()
    yield Landing(reader, lake, topic.stream, "test-run", topic.id())
    reader.close()


@pytest.fixture
def small_objects(landing: Landing) -> Callable[[], Landing]:
    """The same landing with objects closed at 1 MiB."""
    settings = replace(landing.stream.landing, object_mebibytes=1)
    return lambda: replace(landing, stream=replace(landing.stream, landing=settings))


def ticks(count: int, start: int = 0) -> Sequence[bytes]:
    return [b'{"n":%d}' % n for n in range(start, start + count)]
