"""What else one would take a topic to S3 with, each doing no more than it must. Runs in an environment of its own.

    python benchmarks/_peers.py NAME '{"bootstrap": …, "endpoint": …, "bucket": …, "topic": …, "records": N}'

prints a line of JSON with the seconds, without imports and without connecting. None of them checks a record, packs, or lands
anything exactly once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any
from uuid import uuid4

LOGIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
# Kafka's fetching as patient and as large as ours: the comparison shall be of what is done with the records.
FETCHING = {"fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 50, "fetch.message.max.bytes": 4_000_000}


def airflow_provider(asked: dict[str, Any]) -> float:
    """The provider's own ConsumeFromTopicOperator with its batch size (1,000): one object a batch, the values as they came."""
    import boto3
    from airflow.providers.apache.kafka.operators.consume import ConsumeFromTopicOperator

    extra = {"bootstrap.servers": asked["bootstrap"], "group.id": uuid4().hex, "auto.offset.reset": "earliest",
             "enable.auto.commit": False, **FETCHING}  # fmt: skip
    os.environ["AIRFLOW_CONN_KAFKA_BENCH"] = json.dumps({"conn_type": "kafka", "extra": extra})
    s3 = boto3.client("s3", endpoint_url=asked["endpoint"], **LOGIN)
    count = 0

    def put(messages: list[Any]) -> None:
        nonlocal count
        count += 1
        body = b"\n".join(m.value() for m in messages)
        s3.put_object(Bucket=asked["bucket"], Key=f"provider/{count}.jsonl", Body=body)

    operator = ConsumeFromTopicOperator(
        task_id="consume", topics=[asked["topic"]], apply_function_batch=put, max_messages=asked["records"],
        poll_timeout=5, commit_cadence="end_of_batch", kafka_config_id="kafka_bench",
    )  # fmt: skip
    began = time.monotonic()
    operator.execute({})
    return time.monotonic() - began


def quixstreams(asked: dict[str, Any]) -> float:
    """quixstreams' S3FileSink in JSON lines, with its own checkpoints."""
    from quixstreams import Application
    from quixstreams.sinks.community.file.s3 import S3FileSink

    application = Application(
        broker_address=asked["bootstrap"], consumer_group=uuid4().hex, auto_offset_reset="earliest",
        consumer_extra_config=FETCHING, loglevel="ERROR", commit_interval=5,
    )  # fmt: skip
    frame = application.dataframe(application.topic(asked["topic"], value_deserializer="json"))
    frame.sink(S3FileSink(asked["bucket"], endpoint_url=asked["endpoint"], **LOGIN, directory="quix"))
    began = time.monotonic()
    application.run(count=asked["records"], timeout=60, collect=False)
    return time.monotonic() - began


def tutorial(asked: dict[str, Any]) -> float:
    """The loop that tutorials of this pipeline show: kafka-python, s3fs, one object a record."""
    from kafka import KafkaConsumer
    from s3fs import S3FileSystem

    s3 = S3FileSystem(
        key="test", secret="test", client_kwargs={"endpoint_url": asked["endpoint"], "region_name": "us-east-1"}
    )
    consumer = KafkaConsumer(
        asked["topic"], bootstrap_servers=asked["bootstrap"], auto_offset_reset="earliest",
        value_deserializer=lambda value: json.loads(value.decode("utf-8")),
    )  # fmt: skip
    began = time.monotonic()
    for count, record in enumerate(consumer):
        if count == asked["records"]:
            break
        with s3.open(f"s3://{asked['bucket']}/tutorial/{count}.json", "w") as file:
            json.dump(record.value, file)
    return time.monotonic() - began


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    seconds = {"airflow_provider": airflow_provider, "quixstreams": quixstreams, "tutorial": tutorial}[sys.argv[1]](
        json.loads(sys.argv[2])
    )
    print(json.dumps({"seconds": seconds}))
