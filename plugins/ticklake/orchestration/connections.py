"""What landing works with, made from Airflow's connections. Imported by tasks when they run, never by DAG files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ticklake.clients.kafka.consumer import TopicReader
from ticklake.clients.kafka.metadata import TOPIC_SECONDS
from ticklake.orchestration.checked import checked_settings
from ticklake.orchestration.cluster_hooks import ClusterHook
from ticklake.orchestration.kafka_hooks import ReaderHook
from ticklake.orchestration.lake_hook import lake_of
from ticklake.stages.kafka_to_s3.landing import Landing


@contextmanager
def open_landing(
    context: Mapping[str, Any], aws: str = "aws_landing", kafka: str = "kafka_landing"
) -> Iterator[Landing]:
    """The stream's topic and bucket, for the run of this context; the consumer is closed at the end.

    Args:
        context: Airflow's, of the task.
        aws: which of the connections in ``Settings``.
        kafka: likewise.

    Raises:
        SettingsError: something that the task was given is typed wrong.
    """
    settings, stream = checked_settings(context, aws, kafka)
    lake = lake_of(getattr(settings, aws), settings.bucket)
    connection = getattr(settings, kafka)
    consumer = ReaderHook(connection, stream).get_conn
    # In the first minute of a new cluster broker_health is about to create the topic.
    with closing(TopicReader(consumer, stream.topic.name, patience=TOPIC_SECONDS)) as reader:
        topic_id = ClusterHook(connection).get_conn.topic_id(stream.topic.name)
        yield Landing(reader, lake, stream, context["run_id"], topic_id)
