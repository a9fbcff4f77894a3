"""What landing works with, made from Airflow's connections. Imported by tasks when they run, never by DAG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from ticklake.clients.kafka import TopicReader
from ticklake.clients.s3 import Lake
from ticklake.core.settings import AWS_CONNECTION, KAFKA_CONNECTION, Settings, Stream
from ticklake.orchestration.cluster_hooks import ClusterHook
from ticklake.orchestration.kafka_hooks import ReaderHook
from ticklake.stages.kafka_to_s3 import Landing


@contextmanager
def open_landing(run_id: str) -> Iterator[Landing]:
    """The stream's topic and bucket, for the run of this name; the consumer is closed at the end."""
    settings = Settings.from_env()
    stream = Stream.from_toml(settings.stream)
    lake = Lake(S3Hook(aws_conn_id=AWS_CONNECTION).get_conn(), settings.bucket)
    with closing(TopicReader(ReaderHook(stream).get_conn, stream.topic.name)) as reader:
        topic_id = ClusterHook(KAFKA_CONNECTION).get_conn.topic_id(stream.topic.name)
        yield Landing(reader, lake, stream, run_id, topic_id)
