"""`./ticklake status`: each part, up or down; what Kafka holds, what is sealed, what is counted. Works with parts down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from local import aws_stand_in
from local.lake import CountedTotal, SealedTotal, counted, sealed
from local.stack import AWS, Stack
from local.transactions import open_transactions
from local.waiting import WaitingNow, lines_of, look_at_waiting
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import TicklakeError
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import Stream
from ticklake.core.text_table import text_table
from ticklake.stages.manifest_store import manifest_of

T = TypeVar("T")


@dataclass(frozen=True)
class Offsets:
    """Start and end offset of each Kafka partition of the topic; empty when nobody answers."""

    start: Mapping[int, int]
    end: Mapping[int, int]

    @property
    def records(self) -> int:
        """How many offsets were ever given."""
        return sum(self.end.values())


def look(stack: Stack) -> dict[str, Any]:
    """The status in the form of ``--json``: zeros, None and empty where a part is down."""
    stream = Stream.from_toml(stack.stream)
    kafka_up = any(stack.alive(b.name) for b in stack.brokers())
    found = offsets(stack.kafka(), stream.topic.name) if kafka_up else Offsets({}, {})
    lake = Lake(aws_stand_in.client(stack, "s3"), stack.bucket) if stack.alive(AWS) else None
    landed = _unless_down(lake, lambda s3: sealed(s3, stack, stream.table.name), SealedTotal())
    return {
        "parts": [_part(stack, name, address) for name, address in stack.addresses().items()],
        "kafka": {
            "bootstrap": stack.bootstrap,
            "topic": stream.topic.name,
            "end_offsets": found.end,
            "start_offsets": found.start,
        },
        "aws": {
            "endpoint": stack.home.aws_endpoint,
            "bucket": stack.bucket,
            "database": stack.database,
            "table": stream.table.name,
        },
        "airflow": {"url": stack.home.airflow_url},
        "sealed": asdict(landed),
        "counted": asdict(_unless_down(lake, lambda s3: counted(s3, stream.table.name), CountedTotal())),
        "waiting": asdict(
            _unless_down(lake if kafka_up else None, lambda s3: _waiting(stack, stream, s3, landed), WaitingNow())
        ),
    }


def _waiting(stack: Stack, stream: Stream, lake: Lake, landed: SealedTotal) -> WaitingNow:
    """What the newest sealed minute has not taken yet."""
    newest = manifest_of(lake, stream.table.name, Minute.parse(landed.newest)) if landed.newest else None
    topic = stream.topic.name
    return look_at_waiting(stack.kafka(), topic, newest, lambda partitions: open_transactions(stack, topic, partitions))


def show(stack: Stack, as_json: bool) -> int:
    """Print the status; returns 0 when every part is up, else 1."""
    status = look(stack)
    all_up = all(part["up"] for part in status["parts"])
    if as_json:
        print(json.dumps(status, indent=1))
        return 0 if all_up else 1
    rows = [
        (
            part["name"],
            "up" if part["up"] else "DOWN",
            part["pid"] or "",
            _since(stack, part["name"]),
            part["address"] or "",
        )
        for part in status["parts"]
    ]
    print(text_table(("part", "", "pid", "since", "address"), [[str(cell) for cell in row] for row in rows]))
    print()
    print("\n".join([*_figures(status), *lines_of(status["waiting"])]))
    if not all_up:
        print("\nNot all parts are up. Start them: ./ticklake up")
    return 0 if all_up else 1


def _figures(status: Mapping[str, Any]) -> list[str]:
    """What Kafka holds, what is sealed, what is counted: a line each, or that it is unknown."""
    kafka, landed, athena = status["kafka"], status["sealed"], status["counted"]
    up = {part["name"] for part in status["parts"] if part["up"]}
    produced = sum(kafka["end_offsets"].values())
    lines = [f"Kafka    {produced:,} records in topic {kafka['topic']} at {kafka['bootstrap']}"]
    if not kafka["end_offsets"]:
        lines = [f"Kafka    unknown: no broker answers about topic {kafka['topic']}"]
    if AWS not in up:
        return [*lines, "sealed   unknown: the AWS stand-in is down", "counted  unknown: the AWS stand-in is down"]
    return [
        *lines,
        f"sealed   {landed['records']:,} records in {landed['minutes']:,} minutes, newest {landed['newest'] or '-'};"
        f" {landed['rejected']:,} rejected, {landed['lost']:,} lost",
        f"counted  {athena['records']:,} records, {athena['distinct']:,} distinct, at {athena['at'] or '-'}",
    ]


def offsets(kafka: Mapping[str, Any], topic: str, seconds: float = 5) -> Offsets:
    """The topic's offsets, asked with these settings of librdkafka; empty when nobody answers or there is no such topic."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    config: dict[str, Any] = {**kafka, "group.id": "ticklake-status", "log_level": 0}
    consumer = Consumer(config)
    try:
        partitions = consumer.list_topics(topic, timeout=seconds).topics[topic].partitions
        marks = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=seconds) for n in partitions}
    except KafkaException:
        return Offsets({}, {})
    finally:
        consumer.close()
    return Offsets({n: low for n, (low, _) in marks.items()}, {n: high for n, (_, high) in marks.items()})


def _part(stack: Stack, name: str, address: str) -> dict[str, Any]:
    part = stack.alive(name)
    return {"name": name, "up": part is not None, "pid": part.pid if part else None, "address": address or None}


def _since(stack: Stack, name: str) -> str:
    part = stack.alive(name)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(part.since)) if part else ""


def _unless_down(lake: Lake | None, ask: Callable[[Lake], T], nothing: T) -> T:
    if lake is None:
        return nothing
    try:
        return ask(lake)
    except TicklakeError:
        return nothing  # It has just ended, or has no bucket yet: `parts` tells.
