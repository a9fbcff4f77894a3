"""Writing records so that none is lost, doubled or reordered within its partition, and each is counted when Kafka has it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException, Message, Producer

from ticklake.clients.kafka_errors import ErrorLog, error_in, shared_settings
from ticklake.clients.kafka_tokens import with_tokens
from ticklake.core.errors import KafkaError
from ticklake.core.settings import KAFKA_CONNECTION

_REMEDY = "broker_health says how the cluster is."
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
        name: of the Airflow connection.

    Attributes:
        sent: records given to the local queue.

    Raises (every method): KafkaError, as soon as one record was not delivered; names topic, partition, key and reason.
    """

    def __init__(self, connection: Mapping[str, Any], name: str = KAFKA_CONNECTION) -> None:
        self.sent = 0
        self._errors = ErrorLog(connection, name)
        self._deliveries = _Deliveries(self._errors)
        # One callback for all records: given with each of them it would cost a third more.
        callbacks = {"error_cb": self._errors, "on_delivery": self._deliveries}
        shared = with_tokens(shared_settings(connection), self._errors.token_failed)
        with self._errors.opening():
            self._client = Producer({**shared, **PRODUCER_CONFIG, **callbacks})

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
        with self._in_words(lambda: _undelivered(topic, None, key)):
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
        return True

    def serve(self, seconds: float) -> None:
        """Take Kafka's confirmations, waiting so long for one if there is none."""
        with self._in_words(lambda: "Kafka does not take records"):
            self._client.poll(seconds)
        if self._deliveries.failure:
            raise self._deliveries.failure
        if self._errors.refused:  # the records in the queue would wait for all of CONFIRM_SECONDS
            self._client.purge()
            raise self._errors.explain("Kafka does not take records")

    def finish(self, seconds: float) -> None:
        """Wait until Kafka has confirmed every record sent; raises KafkaError when it has not after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._in_words(lambda: "Kafka does not take records"):
            while waiting := self._client.flush(0.1):
                self.serve(0)
                if time.monotonic() > deadline:
                    self._client.purge()
                    problem = f"{waiting} records were not confirmed within {seconds:g} s"
                    raise self._errors.explain(problem, _REMEDY)
        self.serve(0)

    @contextmanager
    def _in_words(self, problem: Callable[[], str]) -> Iterator[None]:
        try:
            yield
        except (KafkaException, SystemError) as e:
            error = error_in(e)
            if error is None:
                raise
            raise self._errors.explain(problem(), _REMEDY, self._reason(error)) from e

    def _reason(self, error: Code) -> Code:
        """The error itself; of one that only says that the producer is of no more use, what made it so."""
        if error.code() == Code._FATAL:
            try:
                self._client.poll(0)
            except (KafkaException, SystemError) as e:
                return error_in(e) or error
        return error


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
            problem = _undelivered(message.topic(), message.partition(), message.key())
            self.failure = self._errors.explain(problem, _REMEDY, error)


def _undelivered(topic: str | None, partition: int | None, key: str | bytes | None) -> str:
    # -1: it never came so far as to be given a partition.
    place = f"topic {topic}" if partition in (None, -1) else f"topic {topic}, partition {partition}"
    return f"A record with key {key!r} was not delivered to {place}"
