"""Producing several records as one: all of them become visible, or none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ticklake.clients.kafka.errors import ErrorLog, shared_settings
from ticklake.clients.kafka.msk_iam import with_tokens
from ticklake.clients.kafka.producer import PRODUCER_CONFIG
from ticklake.core.errors import KafkaError
from ticklake.core.message_headers import Headers
from ticklake.core.settings.environment import KAFKA_CONNECTION

_CALL_SECONDS = 60.0
_STEP_SECONDS = 2.0
_ANSWER_SECONDS = 20.0
_FENCED = {Code._FENCED, Code.INVALID_PRODUCER_EPOCH, Code.PRODUCER_FENCED, Code.INVALID_PRODUCER_ID_MAPPING}


@dataclass(frozen=True)
class Outgoing:
    """A record to produce to a certain Kafka partition."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class TransactionalProducer:
    """The only producer of its transactional id.

    Making one ends the transaction of an earlier one of the same id (committed or aborted, nothing between), and bars that one
    from ever sending again: what then stands in the log is all that it did.

    Args:
        connection: settings of librdkafka, as in the Airflow connection's extra.
        transactional_id: names the work that only one may do at a time.
        name: of the Airflow connection.

    Raises (every method): KafkaError; after one the producer is of no more use.
    """

    def __init__(self, connection: Mapping[str, Any], transactional_id: str, name: str = KAFKA_CONNECTION) -> None:
        self._id = transactional_id
        self._errors = ErrorLog(connection, name)
        own: dict[str, Any] = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": 300_000,
            # The broker's and the topic's limits decide, not this client's.
            "message.max.bytes": 1_000_000_000,
            "error_cb": self._errors,
        }
        shared = with_tokens(shared_settings(connection), self._errors.token_failed)
        with self._errors.opening():
            self._client = Producer({**shared, **PRODUCER_CONFIG, **own})
        asking: dict[str, Any] = {**shared, "log_level": 0, "error_cb": self._errors}
        self._admin = AdminClient(asking)
        self._ask("begin to write", self._begin)

    def send(self, topic: str, records: Iterable[Outgoing]) -> None:
        """Write all records in one transaction."""
        self._ask("begin a transaction", self._client.begin_transaction)
        try:
            for record in records:
                self._produce(topic, record)
            # A record that is not delivered makes the commit fail.
            self._ask("commit", lambda: self._client.commit_transaction(_CALL_SECONDS))
        except BaseException:
            self._abort()
            raise

    def log_end(self, topic: str, partition: int) -> int:
        """End of a Kafka partition's log, with records of open transactions, which readers of committed ones do not see."""
        place = TopicPartition(topic, partition)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        found: list[int] = []
        answer = self._admin.list_offsets({place: latest}, request_timeout=_ANSWER_SECONDS)[place]
        self._ask(f"tell the end of {topic} {partition}", lambda: found.append(answer.result().offset))
        return found[0]

    def _begin(self) -> None:
        """Ask to be the producer of this id, in short steps: between them is seen whether brokers refuse us for good."""
        deadline = time.monotonic() + _CALL_SECONDS
        while True:
            try:
                return self._client.init_transactions(_STEP_SECONDS)
            except KafkaException as e:
                self._client.poll(0)  # runs the error callback
                if not e.args[0].retriable() or self._errors.refused or time.monotonic() > deadline:
                    raise

    def _produce(self, topic: str, record: Outgoing) -> None:
        what = f"take a record for {topic} {record.partition}"
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        while True:
            try:
                self._ask(
                    what,
                    lambda: self._client.produce(topic, record.value, record.key, record.partition, headers=headers),
                )
            except BufferError:  # the queue is full
                self._ask(what, lambda: self._client.poll(0.1))
            else:
                self._ask(what, lambda: self._client.poll(0))
                return

    def _abort(self) -> None:
        try:
            self._client.abort_transaction(_CALL_SECONDS)
        except KafkaException:
            # The brokers abort it when the next producer of this id comes, or after its time.
            return

    def _ask(self, what: str, call: Any) -> None:
        try:
            call()
        except KafkaException as e:
            raise self._refused(what, e.args[0]) from e

    def _refused(self, what: str, error: Code) -> KafkaError:
        if error.code() in _FENCED:
            return KafkaError(
                f"Another run took over as producer {self._id!r}.",
                "Let it end; what it did not send, the next run sends.",
            )
        return self._errors.explain(
            f"Kafka did not {what} as producer {self._id!r}",
            "Nothing of it is visible to readers of committed records. broker_health says how the cluster is.",
            error,
        )
