"""Writing records so that none is lost, doubled or reordered within its partition, and each is counted when Kafka has it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException, Message, Producer

from ticklake.clients.kafka_errors import ErrorLog, shared_settings
from ticklake.core.errors import KafkaError

# How long Kafka may take to confirm a record, retries included: longer than a broker's restart.
CONFIRM_SECONDS = 60

PRODUCER_CONFIG: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    # Java's choice of the partition: the same key goes to the same partition whatever client writes it.
    "partitioner": "murmur2_random",
    "delivery.timeout.ms": CONFIRM_SECONDS * 1000,
    "linger.ms": 20,
    # Bounds the memory of records that wait; a full queue is no error, it is waited for.
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
    "log_level": 0,
}


class RecordProducer:
    """A producer that counts.

    Args:
        connection: settings of librdkafka, as in the Airflow connection's extra; ``PRODUCER_CONFIG`` is put over them.

    Attributes:
        sent: records given to the local queue.

    Raises (every method): KafkaError, as soon as one record was not delivered; names topic, partition, key and reason.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self.sent = 0
        self._errors = ErrorLog()
        self._deliveries = _Deliveries(self._errors)
        # One callback for all records: given with each of them it would cost a third more.
        callbacks = {"error_cb": self._errors, "on_delivery": self._deliveries}
        self._client = Producer({**shared_settings(connection), **PRODUCER_CONFIG, **callbacks})

    @property
    def written(self) -> Counter[int]:
        """Records that Kafka confirmed, per partition."""
        return self._deliveries.written

    def send(
        self, topic: str, records: Iterable[tuple[bytes, bytes]], stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Put records (key, value) in the local queue, waiting while it is full; False: ended by ``stop``, asked meanwhile."""
        produce = self._client.produce
        key = b""
        try:
            for key, value in records:
                while True:
                    try:
                        produce(topic, value, key)
                        break
                    except BufferError:
                        self.serve(0.1)
                        if stop():
                            return False
                self.sent += 1
        except KafkaException as e:
            raise _undelivered(topic, None, key, e.args[0].str() + self._errors.because()) from e
        return True

    def serve(self, seconds: float) -> None:
        """Take Kafka's confirmations, waiting so long for one if there is none."""
        self._client.poll(seconds)
        if self._deliveries.failure:
            raise self._deliveries.failure

    def finish(self, seconds: float) -> None:
        """Wait until Kafka has confirmed every record sent; raises KafkaError when it has not after so many seconds."""
        deadline = time.monotonic() + seconds
        while waiting := self._client.flush(0.1):
            self.serve(0)
            if time.monotonic() > deadline:
                self._client.purge()
                raise KafkaError(f"{waiting} records were not confirmed within {seconds:g} s{self._errors.because()}.")
        self.serve(0)


class _Deliveries:
    """The ``on_delivery`` of a client. It does not know the client, so nothing waits for the collector of cycles."""

    def __init__(self, errors: ErrorLog) -> None:
        self.written: Counter[int] = Counter()
        self.failure: KafkaError | None = None
        self._errors = errors

    def __call__(self, error: Code | None, message: Message) -> None:
        """Take one confirmation; called by librdkafka from within ``poll``."""
        if error is None:
            self.written[message.partition() or 0] += 1
        elif self.failure is None:
            reason = error.str() + self._errors.because()
            self.failure = _undelivered(message.topic(), message.partition(), message.key(), reason)


def _undelivered(topic: str | None, partition: int | None, key: str | bytes | None, reason: str) -> KafkaError:
    # -1: it never came so far as to be given a partition.
    place = f"topic {topic}" if partition in (None, -1) else f"topic {topic}, partition {partition}"
    return KafkaError(
        f"A record with key {key!r} was not delivered to {place}: {reason}.", "broker_health says how the cluster is."
    )
