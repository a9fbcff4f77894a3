"""Writing records so that none is lost, doubled or reordered within its partition, and each is counted when Kafka has it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException, Message, Producer

from ticklake.clients.kafka.errors import ErrorLog, error_in, shared_settings
from ticklake.clients.kafka.metadata import TOPIC_SECONDS, describe
from ticklake.clients.kafka.msk_iam import with_tokens
from ticklake.clients.kafka.partitioner import Partitioner
from ticklake.core.errors import KafkaError
from ticklake.core.settings.environment import KAFKA_CONNECTION

_REMEDY = "broker_health says how the cluster is."
# How long Kafka may take to confirm a record, retries included: longer than a broker's restart.
CONFIRM_SECONDS = 60
PRODUCER_CONFIG: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    # A callback for each record would take a fifth of the CPU, and tell nothing that the queue's length does not.
    "delivery.report.only.error": True,
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

    Raises (every method): KafkaError, as soon as one record was not delivered; names topic, partition, key and reason.
    """

    def __init__(self, connection: Mapping[str, Any], name: str = KAFKA_CONNECTION) -> None:
        self._errors = ErrorLog(connection, name)
        self._failures = _Failures(self._errors)
        self._topics: dict[str, Partitioner] = {}
        self._per_partition: list[int] = []
        callbacks = {"error_cb": self._errors, "on_delivery": self._failures}
        shared = with_tokens(shared_settings(connection), self._errors.token_failed)
        with self._errors.opening():
            self._client = Producer({**shared, **PRODUCER_CONFIG, **callbacks})

    @property
    def sent(self) -> int:
        """Records given to the local queue."""
        return sum(self._per_partition)

    @property
    def written(self) -> int:
        """Records that Kafka confirmed, as long as no method raised an error: those that are no longer in the queue."""
        return self.sent - len(self._client)

    @property
    def per_partition(self) -> Counter[int]:
        """Records given to the local queue, per partition: after ``finish`` those that Kafka has confirmed."""
        return Counter({partition: records for partition, records in enumerate(self._per_partition) if records})

    def send(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes]], stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Put records (key, value) in the local queue, waiting while it is full; False: ended by ``stop``, asked meanwhile.

        Those whose key is None go to each Kafka partition in turn.
        """
        partition_of = self._partitioner(topic, stop)
        produce, sent = self._client.produce, self._per_partition
        key: bytes | None = None
        turn = (n % partition_of.partitions for n in count(self.sent))  # of records without a key
        with self._in_words(lambda: _undelivered(topic, None, key)):
            for key, value in records:
                partition = next(turn) if key is None else partition_of[key]
                while True:
                    try:
                        produce(topic, value, key, partition)
                        break
                    except BufferError:
                        self.serve(0.1)
                        if stop():
                            return False
                sent[partition] += 1
        return True

    def serve(self, seconds: float) -> None:
        """Take Kafka's confirmations, waiting so long for one if there is none."""
        with self._in_words(lambda: "Kafka does not take records"):
            self._client.poll(seconds)
        if self._failures.first:
            raise self._failures.first
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

    def _partitioner(self, topic: str, stop: Callable[[], bool]) -> Partitioner:
        """Chosen here and not by librdkafka, so that what went where is known without a report for each record."""
        if topic not in self._topics:
            _, partitions = describe(self._client, topic, self._errors, stop, TOPIC_SECONDS)
            self._topics[topic] = Partitioner(len(partitions))
            self._per_partition += [0] * (len(partitions) - len(self._per_partition))
        return self._topics[topic]

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


class _Failures:
    """The ``on_delivery`` of a client. It does not know the client, so nothing waits for the collector of cycles."""

    def __init__(self, errors: ErrorLog) -> None:
        self.first: KafkaError | None = None
        self._errors = errors

    def __call__(self, error: Code | None, message: Message) -> None:
        """Take one failure; called by librdkafka from within ``poll``."""
        if error is not None and self.first is None:
            problem = _undelivered(message.topic(), message.partition(), message.key())
            self.first = self._errors.explain(problem, _REMEDY, error)


def _undelivered(topic: str | None, partition: int | None, key: str | bytes | None) -> str:
    # -1: it never came so far as to be given a partition.
    place = f"topic {topic}" if partition in (None, -1) else f"topic {topic}, partition {partition}"
    return f"A record with key {key!r} was not delivered to {place}"
