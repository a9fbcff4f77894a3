"""What landing works with, made from Airflow's connections. Imported by tasks when they run, never by DAG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from ticklake.clients.kafka import TopicReader
from ticklake.core.settings import Stream
from ticklake.orchestration.cluster_hooks import ClusterHook
from ticklake.orchestration.kafka_hooks import ReaderHook
from ticklake.orchestration.lake_hook import lake_of
from ticklake.stages.kafka_to_s3 import Landing


@contextmanager
def open_landing(bucket: str, stream: Stream, run_id: str, aws: str, kafka: str) -> Iterator[Landing]:
    """The stream's topic and bucket, for the run of this name; the consumer is closed at the end.

    Args:
        bucket: its name.
        stream: what is landed.
        run_id: name of the Airflow run.
        aws: id of the Airflow connection.
        kafka: likewise.
    """
    lake = lake_of(aws, bucket)
    with closing(TopicReader(ReaderHook(kafka, stream).get_conn, stream.topic.name)) as reader:
        topic_id = ClusterHook(kafka).get_conn.topic_id(stream.topic.name)
        yield Landing(reader, lake, stream, run_id, topic_id)
