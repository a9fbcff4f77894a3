"""What `./ticklake status` says of records that are not sealed yet: how many offsets, since when, and what holds them back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.transactions import OpenTransaction
from ticklake.core.landing.manifest import Manifest
from ticklake.core.moment import span
from ticklake.core.proof.waiting import LogEnds, Place, held_back, lag, not_the_topic, unsealed, waiting_since

_SECONDS = 5.0


@dataclass(frozen=True)
class PartitionWaiting:
    """One Kafka partition: offsets that wait, since when the oldest record does, offsets that a transaction holds back."""

    lag: int
    oldest_unsealed_seconds: float | None
    held_back: int


@dataclass(frozen=True)
class WaitingNow:
    """What waits in the topic; None where that is not known, or would span two topics.

    ``faults`` says in words what is wrong, with the remedy.
    """

    lag: int | None = None
    oldest_unsealed_seconds: float | None = None
    partitions: Mapping[int, PartitionWaiting] = field(default_factory=dict)
    open_transactions: tuple[OpenTransaction, ...] = ()
    faults: tuple[str, ...] = ()


def lines_of(waiting: Mapping[str, Any]) -> list[str]:
    """For a person: the lines of a ``WaitingNow``, as ``--json`` has it."""
    held = {p: w["held_back"] for p, w in waiting["partitions"].items() if w["held_back"]}
    lines = []
    if waiting["lag"] is not None:
        age = waiting["oldest_unsealed_seconds"]
        oldest = "" if age is None else f"; the oldest record has waited for {span(int(age * 1000))}"
        lines.append(f"waiting  {waiting['lag']:,} offsets are in no sealed minute yet{oldest}")
    if held:
        where = ", ".join(map(str, held))
        lines.append(
            f"         {sum(held.values()):,} more of Kafka partition {where} are held back by an open transaction"
        )
    for t in waiting["open_transactions"]:
        name = (
            f"transactional id {t['transactional_id']}"
            if t["transactional_id"]
            else "known to no coordinator: it hangs"
        )
        lines.append(
            f"         open transaction: Kafka partition {t['partition']} from offset {t['offset']:,} on,"
            f" producer id {t['producer_id']}, {name}, since {t['since']}"
        )
    return [*lines, *(f"FAULT    {fault}" for fault in waiting["faults"])]


def look_at_waiting(
    kafka: Mapping[str, Any],
    topic: str,
    newest: Manifest | None,
    transactions: Callable[[Iterable[int]], tuple[OpenTransaction, ...]],
) -> WaitingNow:
    """Compare the topic with the newest sealed minute.

    Args:
        kafka: settings of librdkafka.
        topic: its name.
        newest: the newest manifest, read before this is called, so that what is sealed meanwhile does not look as if it lay
            beyond the log's end; None when nothing is sealed.
        transactions: asks for the transactions that hold these Kafka partitions back.
    """
    log = log_ends(kafka, topic)
    if log is None:
        return WaitingNow()
    held = held_back(log)
    opened = transactions(held) if held else ()
    fault = not_the_topic(log, newest)
    if fault is not None:
        return WaitingNow(open_transactions=opened, faults=(str(fault),))
    places = first_records(kafka, topic, {p: r for p, r in unsealed(log, newest).items() if r[1] > r[0]})
    now = int(time.time() * 1000)
    since = {p: waiting_since(p, place, newest, now) for p, place in places.items()}
    behind = lag(log, newest)
    partitions = {
        p: PartitionWaiting(behind[p], (now - since[p]) / 1000 if p in since else None, held.get(p, 0))
        for p in sorted(behind)
    }
    oldest = max((now - ms for ms in since.values()), default=None)
    return WaitingNow(sum(behind.values()), None if oldest is None else oldest / 1000, partitions, opened)


def log_ends(kafka: Mapping[str, Any], topic: str) -> LogEnds | None:
    """The log of the topic now; None when nobody answers or there is no such topic."""
    from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec

    admin = AdminClient({**kafka, "log_level": 0})
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic].result(
            _SECONDS + 1
        )
        places = [TopicPartition(topic, p.id) for p in described.partitions]

        def ask(spec: OffsetSpec, level: IsolationLevel) -> dict[int, int]:
            answers = admin.list_offsets(dict.fromkeys(places, spec), isolation_level=level, request_timeout=_SECONDS)
            return {tp.partition: answer.result(_SECONDS + 1).offset for tp, answer in answers.items()}

        earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        low = ask(earliest, IsolationLevel.READ_UNCOMMITTED)
        # The end that comes first is read last: an open transaction is one only when it was open all the while.
        high = ask(latest, IsolationLevel.READ_UNCOMMITTED)
        stable = ask(latest, IsolationLevel.READ_COMMITTED)
    except (KafkaException, TimeoutError):
        return None
    return LogEnds(topic, _id(str(described.topic_id)), low, stable, high)


def first_records(kafka: Mapping[str, Any], topic: str, ranges: Mapping[int, tuple[int, int]]) -> dict[int, Place]:
    """Offset and date of the first committed record in each range of offsets; absent where there is none, or none comes."""
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka import KafkaError as Code

    found: dict[int, Place] = {}
    todo = set(ranges)
    if not todo:
        return found
    own: dict[str, Any] = {"group.id": "ticklake-status", "log_level": 0, "auto.offset.reset": "error"}
    reading: dict[str, Any] = {"enable.partition.eof": True, "enable.auto.commit": False, "fetch.wait.max.ms": 50}
    consumer = Consumer({**kafka, **own, **reading})
    try:
        consumer.assign([TopicPartition(topic, p, start) for p, (start, _) in ranges.items()])
        deadline = time.monotonic() + _SECONDS
        while todo and time.monotonic() < deadline:
            message: Any = consumer.poll(0.2)
            partition = message.partition() if message is not None else None
            if message is None or partition not in todo:
                continue
            error = message.error()
            if error is None:
                if message.offset() < ranges[partition][1]:
                    found[partition] = (message.offset(), message.timestamp()[1])
            elif error.code() != Code._PARTITION_EOF and error.retriable():
                continue
            todo.discard(partition)
            consumer.incremental_unassign([TopicPartition(topic, partition)])
    finally:
        consumer.close()
    return found


def _id(found: str) -> str | None:
    return None if found == "AAAAAAAAAAAAAAAAAAAAAA" else found
