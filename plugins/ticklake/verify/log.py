"""Kafka's side, read by a consumer of the verifier's own: every committed record of a range of offsets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka import KafkaError as Code
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from ticklake.core.errors import KafkaError

_SECONDS = 20.0
_STALL_SECONDS = 60.0
_BATCH = 1000
_ELECTING = {Code.LEADER_NOT_AVAILABLE, Code.NOT_LEADER_FOR_PARTITION, Code.UNKNOWN_TOPIC_OR_PART}


class TopicLog:
    """One topic.

    Attributes:
        low: first offset that the log holds, per Kafka partition; moves on when retention passes while it is read.
        high: its end.
        compacted: whether records may vanish from the middle of the log.
        topic_id: Kafka's id of the topic.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str) -> None:
        """Args: kafka: librdkafka's settings of any client; topic: its name."""
        self.topic = topic
        self._consumer = Consumer(
            {
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": 50,
                "group.id": "ticklake-verify",  # unless the connection has a group that its user may see; nothing is committed
                **kafka,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
            }
        )
        found = self._consumer.list_topics(topic, timeout=_SECONDS).topics[topic]
        if found.error is not None:
            raise KafkaError(f"Kafka does not know topic {topic}: {found.error.str()}.")
        marks = {n: self._watermarks(n) for n in sorted(found.partitions)}
        self.low = {n: low for n, (low, _) in marks.items()}
        self.high = {n: high for n, (_, high) in marks.items()}
        admin = AdminClient(dict(kafka))
        resource = ConfigResource(ResourceType.TOPIC, topic)
        settings = admin.describe_configs([resource], request_timeout=_SECONDS)[resource].result(_SECONDS)
        self.compacted = "compact" in str(settings["cleanup.policy"].value)
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic].result(_SECONDS)
        self.topic_id = str(described.topic_id)

    def close(self) -> None:
        """Leave the cluster."""
        self._consumer.close()

    def records(self, partition: int, start: int, end: int) -> Iterator[Any]:
        """The committed records with offsets in [start, end) that the log still holds, as messages, in order."""
        position = max(start, self.low.get(partition, 0))
        end = min(end, self.high.get(partition, 0))
        if position >= end:
            return
        self._consumer.assign([TopicPartition(self.topic, partition, position)])
        last_news = time.monotonic()
        while True:
            # It waits for a whole batch: short, or each end of a log would take that long.
            batch = self._consumer.consume(_BATCH, timeout=0.05)
            if batch:
                last_news = time.monotonic()
            elif time.monotonic() - last_news > _STALL_SECONDS:
                raise KafkaError(f"No record of {self.topic} {partition} came for {_STALL_SECONDS:.0f} s.")
            for message in batch:
                error = message.error()
                if error is not None and error.code() != Code._PARTITION_EOF:
                    self._bear(partition, error)
                elif (message.offset() or 0) >= end:
                    return
                elif error is None:
                    yield message

    def first(self, partition: int, start: int, end: int) -> Any | None:
        """The first committed record with an offset in [start, end), None when there is none; also beyond ``high``."""
        if end > self.high.get(partition, end):
            self.high[partition] = self._watermarks(partition)[1]
        return next(self.records(partition, start, end), None)

    def first_dated(self, partition: int, ms: int) -> int | None:
        """The first offset, markers of transactions included, with a date at or after this one; None without any."""
        [found] = self._consumer.offsets_for_times([TopicPartition(self.topic, partition, ms)], timeout=_SECONDS)
        if found.error is not None:
            raise KafkaError(f"Kafka does not tell offsets of {self.topic} {partition}: {found.error.str()}.")
        return found.offset if found.offset >= 0 else None

    def _bear(self, partition: int, error: Any) -> None:
        """Go on after an error, or raise KafkaError."""
        if error.code() in {Code._AUTO_OFFSET_RESET, Code.OFFSET_OUT_OF_RANGE}:
            # Retention passed while we read: go on where the log begins now.
            self.low[partition] = self._watermarks(partition)[0]
            self._consumer.assign([TopicPartition(self.topic, partition, self.low[partition])])
        elif not error.retriable():
            raise KafkaError(f"Kafka at {self.topic} {partition}: {error.str()}.")

    def _watermarks(self, partition: int) -> tuple[int, int]:
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                place = TopicPartition(self.topic, partition)
                low, high = self._consumer.get_watermark_offsets(place, timeout=_SECONDS)
            except KafkaException as e:
                # Just after a broker went or the topic came, a leader may not be known yet.
                if e.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                    raise KafkaError(
                        f"Kafka does not tell the offsets of {self.topic} {partition}: {e.args[0].str()}."
                    ) from e
                time.sleep(0.2)
            else:
                return low, high
