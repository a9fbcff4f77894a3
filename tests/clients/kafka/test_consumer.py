"""The reader of a topic on a real broker."""

import logging
from contextlib import closing
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.kafka import create_topics
from ticklake.clients.kafka import metadata
from ticklake.clients.kafka.consumer import RecordConsumer, TopicReader


def test_a_topic_that_is_about_to_be_created_is_waited_for(
    kafka_bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In a new cluster the first minute's landing and the run of broker_health that creates the topic begin together."""
    name = f"t-{uuid4().hex}"
    said: list[str] = []

    def create_it(record: logging.LogRecord) -> bool:
        if not said:
            create_topics(AdminClient({"bootstrap.servers": kafka_bootstrap}), NewTopic(name, 3, 1))
        said.append(record.getMessage())
        return True

    caplog.set_level(logging.INFO, metadata.__name__)
    metadata.log.addFilter(create_it)
    try:
        consumer = RecordConsumer({"bootstrap.servers": kafka_bootstrap}, "g")
        with closing(TopicReader(consumer, name, patience=60)) as reader:
            assert reader.partitions == (0, 1, 2)
    finally:
        metadata.log.removeFilter(create_it)
    assert f"Waiting for topic {name}" in said[0]
