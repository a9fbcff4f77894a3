"""What is compared: a topic, a bucket and a table, with clients that the caller made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Compared:
    """What is compared.

    Attributes:
        kafka: librdkafka's settings of any client (``bootstrap.servers``, security).
        topic: name of the topic.
        s3: a boto3 client.
        bucket: name of the bucket.
        table: name of the table.
    """

    kafka: Mapping[str, Any]
    topic: str
    s3: Any
    bucket: str
    table: str
