"""Lands one minute, in a process of its own: time and memory are those of the task. Prints a line of JSON.

The stage is called as Airflow's task does; only the connections come from the command line.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from benchmarks._common import Run, measured


def run(**settings: Any) -> tuple[Run, dict[str, Any]]:
    """Land a minute in a child process: ``bootstrap``, ``endpoint``, ``bucket``, ``topic``, ``minute`` (key),
    ``times``, ``batch`` (records taken from librdkafka at once).

    Returns the run (CPU and memory of the whole process) and what it printed.
    """
    whole, text = measured([sys.executable, "-m", "benchmarks._land_once", json.dumps(settings)], 1)
    told: dict[str, Any] = json.loads(text.splitlines()[-1])
    return Run(max(told["records"], 1), told["seconds"][0], whole.cpu_seconds, whole.peak_mib), told


def main() -> None:
    """The child."""
    import boto3
    from botocore.config import Config
    from confluent_kafka import Consumer

    from local.stack import AWS_LOGIN
    from ticklake.clients.aws.s3 import Lake, patient
    from ticklake.clients.kafka import consumer
    from ticklake.clients.kafka.admin import KafkaAdmin
    from ticklake.clients.kafka.consumer import READER_CONFIG, TopicReader
    from ticklake.core.errors import LostOffsetsError
    from ticklake.core.landing.manifest import Manifest
    from ticklake.core.minute import Minute
    from ticklake.core.settings.stream import LandingSettings, Stream, TableSettings, TopicSettings
    from ticklake.stages.kafka_to_s3.land import land
    from ticklake.stages.kafka_to_s3.landing import Landing

    asked = json.loads(sys.argv[1])
    if "batch" in asked:
        consumer._BATCH = asked["batch"]
    topic = asked["topic"]
    stream = Stream(
        TopicSettings(topic, 1, 1, 1, 168), TableSettings("ticks", "Index"), LandingSettings(f"g-{topic}", 64, 1440)
    )
    client = boto3.client("s3", endpoint_url=asked["endpoint"], **AWS_LOGIN, config=patient(Config()))
    lake = Lake(client, asked["bucket"])
    config = {"bootstrap.servers": asked["bootstrap"], **READER_CONFIG, "group.id": stream.landing.group}
    seconds: list[float] = []
    manifests: list[tuple[Manifest, ...]] = []
    topic_id = KafkaAdmin({"bootstrap.servers": asked["bootstrap"]}).topic_id(topic)
    with closing(TopicReader(Consumer(config), topic)) as reader:
        for _ in range(asked.get("times", 1)):
            began = time.monotonic()
            landing = Landing(reader, lake, stream, "bench", topic_id)
            try:
                landed = land(landing, Minute.parse(asked["minute"]), datetime.now(UTC)).manifests
            except LostOffsetsError:
                landed = ()  # sealed all the same, with the loss in the manifest
            seconds.append(time.monotonic() - began)
            manifests.append(landed)
    first = manifests[0]
    told = {
        "records": sum(m.records for m in first),
        "rejected": sum(m.rejected for m in first),
        "minutes": len(first),
        "objects": sum(len(m.objects) for m in first),
        "bytes": sum(o.bytes for m in first for o in m.objects),
        "seconds": seconds,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
