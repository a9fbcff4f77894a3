"""What a cluster says of a topic: the first question of a client, so the one that shows whether there is a cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import KafkaError as Code

from ticklake.clients.kafka.errors import ErrorLog

log = logging.getLogger(__name__)

# Asked in shorter steps at first: between them is seen whether brokers refuse this client for good.
_SECONDS = (2.0, 2.0, 16.0)
# What a broker says of a topic that was made a moment ago, or whose leaders are being chosen.
_FOR_A_MOMENT = (Code.LEADER_NOT_AVAILABLE, Code.UNKNOWN_TOPIC_OR_PART)
_PAUSE = 0.2  # seconds
# As long as librdkafka itself would take such a topic for one that is coming (topic.metadata.propagation.max.ms).
TOPIC_SECONDS = 30.0


def describe(
    client: Consumer | Producer,
    topic: str,
    errors: ErrorLog,
    stop: Callable[[], bool] = lambda: False,
    patience: float = 0,
) -> tuple[str, tuple[int, ...]]:
    """The cluster's id and the topic's partitions.

    Args:
        client: whoever asks.
        topic: its name.
        errors: the client's.
        stop: asked between the steps; true: it need not wait any longer.
        patience: seconds to wait for a topic that is not there, or has no leader, for a moment.

    Raises:
        KafkaError: Kafka does not know the topic, refuses, or does not answer within 20 s.
    """
    deadline = time.monotonic() + patience
    while True:
        metadata = _answer(client, topic, errors, stop)
        found = metadata.topics[topic]
        coming = found.error is not None and found.error.code() in _FOR_A_MOMENT
        if not coming or stop() or time.monotonic() > deadline:
            break
        log.info("Waiting for topic %s: %s", topic, found.error.str())
        time.sleep(_PAUSE)
    if found.error is not None:
        raise errors.explain(
            f"Kafka does not know topic {topic}", "The DAG broker_health creates it.", Code(found.error.code())
        )
    return metadata.cluster_id, tuple(sorted(found.partitions))


def _answer(client: Consumer | Producer, topic: str, errors: ErrorLog, stop: Callable[[], bool]) -> Any:
    for seconds in _SECONDS:
        try:
            return client.list_topics(topic, timeout=seconds)
        except KafkaException as e:
            client.poll(0)  # runs the error callback
            if errors.refused or stop() or seconds == _SECONDS[-1]:
                raise errors.explain(
                    f"Kafka did not describe {topic}",
                    f"Are the brokers of the connection {errors.name} up? broker_health tells.",
                    e.args[0],
                ) from e
            log.info("Kafka has not answered yet: %s", e.args[0].str())
    raise AssertionError("unreachable")
