"""`./ticklake status` on a real broker: what waits, what holds it back, and a topic that is not the one that was landed."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from local.home import Home
from local.transactions import OpenTransaction, open_transactions, parsed
from local.waiting import WaitingNow, look_at_waiting
from local.waiting import lines_of as lines_of_dict
from tests.stages.conftest import MINUTE, TestTopic, ticks
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of


def look(landing: Landing, topic: TestTopic, minute: Minute | None) -> WaitingNow:
    newest = manifest_of(landing.lake, landing.table, minute) if minute else None
    stack: Any = SimpleNamespace(bootstrap=topic.bootstrap, security=None, home=Home.from_env())
    kafka = {"bootstrap.servers": topic.bootstrap}
    return look_at_waiting(kafka, topic.name, newest, lambda some: open_transactions(stack, topic.name, some))


def lines_of(waiting: WaitingNow) -> list[str]:
    from dataclasses import asdict

    return lines_of_dict(asdict(waiting))


def commit_some(topic: TestTopic, at: int) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(60)
    for _ in range(5):
        producer.begin_transaction()
        producer.produce(topic.name, b"{}", partition=0, timestamp=at)
        producer.commit_transaction(60)


def test_the_lag_is_a_difference_of_offsets_and_the_age_is_that_of_the_oldest_record(
    landing: Landing,
    topic: TestTopic,
) -> None:
    """Markers take offsets and are no records: a difference of counts would show them as lag for ever."""
    minute = Minute.containing(datetime.now(UTC)).plus(-1)
    commit_some(topic, minute.start_ms)
    deadline = datetime.now(UTC).timestamp() + 60
    while topic.end_offsets()[0] < 10:
        assert datetime.now(UTC).timestamp() < deadline
    assert look(landing, topic, None).lag == 10
    for n in (0, 1):
        land(landing, minute.plus(n), minute.plus(n + 1).start)
    sealed = look(landing, topic, minute.plus(1))
    assert (sealed.lag, sealed.oldest_unsealed_seconds, sealed.faults) == (0, None, ())
    now = int(datetime.now(UTC).timestamp() * 1000)
    topic.send(*ticks(2), partition=1, at=now - 1000)
    waiting = look(landing, topic, minute.plus(1))
    assert waiting.lag == 2
    assert waiting.partitions[0].lag == 0
    assert waiting.partitions[1].oldest_unsealed_seconds == waiting.oldest_unsealed_seconds
    assert waiting.oldest_unsealed_seconds is not None
    assert lines_of(waiting)[0].startswith(
        "waiting  2 offsets are in no sealed minute yet; the oldest record has waited"
    )


def test_an_open_transaction_is_said_with_its_producer_and_since_when(
    landing: Landing,
    topic: TestTopic,
) -> None:
    topic.send(*ticks(1), at=MINUTE.start_ms)
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": f"x {topic.name}"})
    producer.init_transactions(60)
    began = datetime.now(UTC)
    producer.begin_transaction()
    producer.produce(topic.name, b"{}", partition=0, timestamp=MINUTE.start_ms)
    producer.flush(60)
    topic.send(*ticks(3), at=MINUTE.start_ms)
    land(landing, MINUTE, MINUTE.plus(1).start)
    waiting = look(landing, topic, MINUTE)
    producer.abort_transaction(60)
    assert waiting.lag == 0  # nothing more can be landed
    assert waiting.partitions[0].held_back == 4
    [opened] = waiting.open_transactions
    assert (opened.partition, opened.offset, opened.transactional_id) == (0, 1, f"x {topic.name}")
    assert opened.since is not None
    assert abs(datetime.fromisoformat(opened.since) - began).total_seconds() < 60
    assert (
        f"producer id {opened.producer_id}, transactional id x {topic.name}, since {opened.since}"
        in lines_of(waiting)[2]
    )


def test_a_topic_made_again_is_a_fault_with_the_remedy_and_no_lag(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(2), at=MINUTE.start_ms)
    land(landing, MINUTE, MINUTE.plus(1).start)
    topic.make_again()
    topic.send(*ticks(5), at=MINUTE.start_ms)
    waiting = look(landing, topic, MINUTE)
    assert (waiting.lag, waiting.oldest_unsealed_seconds, waiting.partitions) == (None, None, {})
    [fault] = waiting.faults
    assert "is not the one that" in fault
    assert "Land it as another table" in fault
    assert lines_of(waiting) == [f"FAULT    {fault}"]


def test_a_topic_that_nobody_answers_for_has_no_lag() -> None:
    nobody = look_at_waiting({"bootstrap.servers": "127.0.0.1:9"}, "t", None, lambda _: ())
    assert nobody == WaitingNow()


def test_the_tools_table_is_read_by_its_head_whatever_is_said_before_it() -> None:
    said = "a warning\nProducerId\tLastTimestamp\t\n7         \t1           \t\n"
    assert parsed(said) == [{"ProducerId": "7", "LastTimestamp": "1", "": ""}]
    assert parsed("") == []


@pytest.mark.parametrize("transactional_id", ["x", None])
def test_a_transaction_that_no_coordinator_knows_is_said_to_hang(transactional_id: str | None) -> None:
    one = WaitingNow(open_transactions=(OpenTransaction(0, 5, 9, transactional_id, "2026-11-22T10:05:00.000Z"),))
    [line] = lines_of(one)
    assert ("it hangs" in line) is (transactional_id is None)
