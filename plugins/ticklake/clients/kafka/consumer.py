"""Reading a topic by offsets: what the log holds, what a slice holds. No consumer group is needed to be right.

The consumer is made by the caller: Airflow's Kafka hook makes a ``RecordConsumer``.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka import KafkaError as Code

from ticklake.clients.kafka.errors import ErrorLog
from ticklake.clients.kafka.metadata import describe
from ticklake.clients.kafka.msk_iam import with_tokens
from ticklake.core.errors import KafkaError
from ticklake.core.formats.json_rows import Batch
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.settings.environment import KAFKA_CONNECTION

log = logging.getLogger(__name__)

READER_CONFIG: dict[str, Any] = {
    "enable.auto.commit": False,
    # A position that the log no longer has must be an error: jumping elsewhere would lose records in silence.
    "auto.offset.reset": "error",
    # The end of the log is an event: a slice may end in offsets that hold no record (transaction markers, compaction).
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "check.crcs": True,
    # Speed against memory: do not sit out a second when the queue was full once, and bound that queue. An answer comes on top
    # of it, with so much of each partition; unpacked and with librdkafka's own part of each record it takes several times that.
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 50,
    "fetch.message.max.bytes": 500_000,
    "queued.max.messages.kbytes": 2_048,
}

_CALL_SECONDS = 20.0
_STALL_SECONDS = 60.0
_BATCH = 500
_ELECTING = {Code.NOT_LEADER_FOR_PARTITION, Code.LEADER_NOT_AVAILABLE}
_LATEST, _EARLIEST = -1, -2  # the protocol's special timestamps of ListOffsets
_MS = itemgetter(1)  # of a message's timestamp: its kind, milliseconds


class RecordConsumer(Consumer):
    """A consumer with ``READER_CONFIG`` over the connection's own settings.

    Args:
        connection: settings of librdkafka, as in the Airflow connection's extra.
        group: name of the consumer group.
        name: of the Airflow connection.
    """

    def __init__(self, connection: Mapping[str, Any], group: str, name: str = KAFKA_CONNECTION) -> None:
        self.errors = ErrorLog(connection, name)
        # What matters of librdkafka's log comes by the callback, too, and can be said once there.
        own: dict[str, Any] = {"group.id": group, "log_level": 0, "error_cb": self.errors}
        with self.errors.opening():
            super().__init__({**with_tokens(connection, self.errors.token_failed), **READER_CONFIG, **own})


class TopicReader:
    """One topic, read by offsets.

    Args:
        consumer: a RecordConsumer, or a Consumer with ``READER_CONFIG`` and a ``group.id``; closed by ``close``.
        topic: its name.
        patience: seconds to wait for a topic that is not there, or has no leader, for a moment.

    Raises (every method): KafkaError, when Kafka refuses or does not answer within 20 s (60 s without a record while reading).
    """

    def __init__(self, consumer: Consumer, topic: str, patience: float = 0) -> None:
        self._consumer = consumer
        self._errors = consumer.errors if isinstance(consumer, RecordConsumer) else ErrorLog()
        self.topic = topic
        self.cluster_id, self.partitions = describe(consumer, topic, self._errors, patience=patience)

    def low(self) -> dict[int, int]:
        """First offset that the log holds, per Kafka partition."""
        return self._list_offsets(_EARLIEST)

    def high(self) -> dict[int, int]:
        """End of the log (of its committed part), per Kafka partition."""
        return self._list_offsets(_LATEST)

    def by_time(self, timestamp: int) -> dict[int, int]:
        """First offset at or after a time (ms since the epoch), per Kafka partition; absent where nothing is newer."""
        return {p: offset for p, offset in self._list_offsets(timestamp).items() if offset >= 0}

    def read(
        self, slices: Sequence[OffsetRange], enough: Callable[[int], bool] = lambda partition: False
    ) -> Iterator[Batch]:
        """Every record of the slices (at most one per Kafka partition), those of a Kafka partition in offset order.

        Memory: what librdkafka queues (``READER_CONFIG``) and one batch.

        Args:
            slices: what to read.
            enough: asked after each batch of a Kafka partition; true ends its slice there.
        """
        ends = {s.partition: s.end for s in slices if s.end > s.start}
        if not ends:
            return
        self._consumer.assign([TopicPartition(self.topic, s.partition, s.start) for s in slices if s.partition in ends])
        last_news = time.monotonic()
        while ends:
            batch = self._consume()
            if batch:
                last_news = time.monotonic()
            elif self._errors.refused:
                raise self._errors.explain(f"Kafka did not read {self.topic} on")
            elif time.monotonic() - last_news > _STALL_SECONDS:
                raise self._stalled(ends)
            yield from self._sort(batch, ends, enough)

    def commit(self, ends: dict[int, int]) -> None:
        """Commit offsets to the group, so that Kafka's tools show the lag. Being refused harms nothing: it is logged."""
        offsets = [TopicPartition(self.topic, p, end) for p, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as e:
            problem = "The group's offsets were not committed (lag in Kafka's tools will be off)"
            log.warning("%s", self._errors.explain(problem, error=e.args[0]))

    def close(self) -> None:
        """Leave the cluster."""
        self._consumer.close()

    def _consume(self) -> list[Any]:
        # `consume` waits for a whole batch or its whole time: so only the first record is waited for.
        batch: list[Any] = self._ask("read", lambda: self._consumer.consume(1, timeout=0.5))
        return batch + self._ask("read", lambda: self._consumer.consume(_BATCH, timeout=0)) if batch else batch

    def _sort(self, messages: list[Any], ends: dict[int, int], enough: Callable[[int], bool]) -> Iterator[Batch]:
        """The messages' records in batches of one Kafka partition; takes finished ones out of ``ends``."""
        # Each step over all messages runs in C (map, groupby): in Python they would cost more than all that follows.
        failed = any(map(Message.error, messages))
        reached: dict[int, int] = {}
        for partition, run in _runs(messages):
            if failed:
                run = self._without_events(run, reached)
            if not run:
                continue
            # The end of the log may lie behind the last record: transaction markers.
            reached[partition] = max(reached.get(partition, 0), run[-1].offset() + 1)
            if partition in ends:
                yield from _batch(partition, run, ends[partition])
        for partition, offset in reached.items():
            if partition in ends and (offset >= ends[partition] or enough(partition)):
                del ends[partition]
                # Else librdkafka reads on behind the slices, and what is asked next stands in line behind its long polls.
                # Not pause(): a paused partition stays paused when a later read assigns it again.
                self._consumer.incremental_unassign([TopicPartition(self.topic, partition)])

    def _without_events(self, run: list[Any], reached: dict[int, int]) -> list[Any]:
        """The records among messages of one Kafka partition; notes where the end of the log was reached."""
        records = []
        for message in run:
            if message.error() is None:
                records.append(message)
            elif self._is_end(message):
                reached[message.partition()] = message.offset()
        return records

    def _is_end(self, message: Any) -> bool:
        """Whether the event is the end of the log; raises KafkaError for errors that waiting does not heal."""
        error = message.error()
        place = f"{self.topic} partition {message.partition()} offset {message.offset()}"
        if error.code() == Code._PARTITION_EOF:
            return True
        if error.code() in {Code._AUTO_OFFSET_RESET, Code.OFFSET_OUT_OF_RANGE}:
            raise KafkaError(
                f"{place} is no longer in the log: {error.str()}.", "Retention passed; a retry records it."
            )
        if error.retriable():
            log.info("Kafka at %s: %s; waiting", place, error.str())
            return False
        raise self._errors.explain(f"Kafka at {place}", error=error)

    def _stalled(self, ends: dict[int, int]) -> KafkaError:
        where = self._consumer.position([TopicPartition(self.topic, p) for p in ends])
        places = ", ".join(f"partition {tp.partition} at {tp.offset} of {ends[tp.partition]}" for tp in where)
        return KafkaError(
            f"No record of {self.topic} came for {_STALL_SECONDS:.0f} s: {places}.",
            "Is the leader of these partitions up? broker_health tells.",
        )

    def _list_offsets(self, timestamp: int) -> dict[int, int]:
        wanted = [TopicPartition(self.topic, p, timestamp) for p in self.partitions]
        answers = self._ask("tell the offsets of", lambda: self._with_leaders(wanted))
        for answer in answers:
            if answer.error is not None:
                problem = f"Kafka did not tell offsets of {self.topic} {answer.partition}"
                raise self._errors.explain(problem, error=answer.error)
        return {answer.partition: answer.offset for answer in answers}

    def _with_leaders(self, wanted: list[TopicPartition]) -> list[TopicPartition]:
        """Ask for offsets, again while leaders are being elected: a moment after a broker went or a topic came."""
        deadline = time.monotonic() + _CALL_SECONDS
        while True:
            try:
                return self._consumer.offsets_for_times(wanted, timeout=_CALL_SECONDS)
            except KafkaException as e:
                if e.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _ask(self, what: str, call: Any) -> Any:
        try:
            return call()
        except KafkaException as e:
            raise self._errors.explain(
                f"Kafka did not {what} {self.topic}",
                f"Are the brokers of the connection {self._errors.name} up? broker_health tells.",
                e.args[0],
            ) from e


def _runs(messages: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Neighbours of one Kafka partition; mostly all are."""
    if len(set(map(Message.partition, messages))) == 1:
        yield messages[0].partition(), messages
    else:
        yield from ((partition, list(some)) for partition, some in groupby(messages, Message.partition))


def _batch(partition: int, run: list[Any], end: int) -> Iterator[Batch]:
    """The records before ``end`` of a run of one Kafka partition, if there are any, as a batch."""
    first, last = run[0].offset(), run[-1].offset()
    gapless = last - first == len(run) - 1  # they ascend, so the ends tell
    offsets: Sequence[Any] = range(first, last + 1) if gapless else list(map(Message.offset, run))
    if last >= end:
        run = run[: bisect_left(offsets, end)]
        offsets = offsets[: len(run)]
    if run:
        yield Batch(partition, run, list(map(Message.value, run)), offsets, list(map(_MS, map(Message.timestamp, run))))
