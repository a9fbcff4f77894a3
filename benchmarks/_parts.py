"""The real parts a benchmark needs, on free ports, gone afterwards: Kafka's brokers, the AWS stand-in, Kafka's own tools."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks._common import Run, measured
from local.home import Home
from local.jars import class_path
from local.kafka import java
from local.kafka_tools import TOOLS
from local.stack import AWS_LOGIN
from tests.support.aws_stand_in import running_aws
from tests.support.kafka_broker import running_kafka


@dataclass(frozen=True)
class Parts:
    """What runs: Kafka's ``host:port,…``, the AWS endpoint, a folder to write in."""

    bootstrap: str
    endpoint: str
    folder: Path

    def s3(self) -> Any:
        """A boto3 client."""
        return boto3.client("s3", endpoint_url=self.endpoint, **AWS_LOGIN, config=Config(retries={"mode": "standard"}))

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bench-{uuid4().hex}"
        self.s3().create_bucket(Bucket=name)
        return name

    def empty(self, bucket: str) -> None:
        """Remove all objects of a bucket, so that the disk does not fill."""
        s3 = self.s3()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if found := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})

    def topic(self, partitions: int, replicas: int = 1, config: Mapping[str, str] | None = None) -> str:
        """A new topic."""
        name = f"bench-{uuid4().hex}"
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(name, partitions, replicas, config=dict(config or {}))])[name].result(30)
        return name

    def drop_topic(self, name: str) -> None:
        """Remove a topic, so that its disk space comes back."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.delete_topics([name])[name].result(30)


@contextmanager
def parts(brokers: int = 1) -> Iterator[Parts]:
    """Start Kafka and the AWS stand-in in a temporary folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ticklake-bench-")))
        bootstrap = stack.enter_context(running_kafka(folder, brokers))
        endpoint = stack.enter_context(running_aws(folder / "aws"))
        yield Parts(bootstrap, endpoint, folder)


def kafka_tool(name: str, *arguments: str | Path, work: float, env: Mapping[str, str] | None = None) -> tuple[Run, str]:
    """Run one of Kafka's own tools as Kafka ships it: 512 MB of heap, default collector and compilers."""
    command = java(class_path(Home.from_env()), TOOLS[name].main, *arguments, jvm=("-Xmx512m",))
    return measured(command, work, env)
