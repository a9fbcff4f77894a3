"""Redriving on a real broker: every case ends in what the topic holds, as a reader of committed records sees it."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.stages.conftest import MINUTE, TestTopic
from tests.stages.kafka_to_s3.test_bad_input import produce_raw
from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.transactions import Outgoing, TransactionalProducer
from ticklake.core.errors import KafkaError, LakeError, SettingsError
from ticklake.core.formats import json_rows
from ticklake.core.formats.dead_letters import REDRIVEN_HEADER, Marker
from ticklake.core.landing.object_key import ObjectKey, redriven_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import TableSettings
from ticklake.stages import rejected_to_kafka
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.rejected_to_kafka import Redriven, Wanted, redrive

NOW = datetime(2027, 11, 23, tzinfo=UTC)
HEADERS: Any = [("trace", b"\x00\xff"), ("none", None), ("trace", b"again")]
Message = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def land_rejecting(landing: Landing, monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    """Land as a Ticklake would that does not take these names as columns."""
    with monkeypatch.context() as older:
        older.setattr(json_rows, "RESERVED", json_rows.RESERVED | names)
        land(landing, MINUTE, NOW)


@pytest.fixture
def run(topic: TestTopic, lake: Lake) -> Callable[..., Redriven]:
    def run(**wanted: Any) -> Redriven:
        with closing(topic.reader()) as reader:
            return redrive(
                lake, reader, topic.stream, lambda name: TransactionalProducer({"bootstrap.servers": topic.bootstrap}, name),
                Wanted(MINUTE, MINUTE, **wanted),
            )  # fmt: skip

    return run


def messages(topic: TestTopic) -> Iterator[Message]:
    """All committed records, whether visible yet or not: partition, key, value, headers."""
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    places = {TopicPartition(topic.name, p): OffsetSpec.latest() for p in range(3)}
    ends = admin.list_offsets(places, request_timeout=60)
    with closing(topic.reader()) as reader:
        for batch in reader.read([OffsetRange(place.partition, 0, end.result().offset) for place, end in ends.items()]):
            for m in batch.records:
                yield batch.partition, m.key(), m.value(), m.headers() or []


def redriven(topic: TestTopic) -> Counter[bytes]:
    """How often each record was sent again, by its original place."""
    headers = [header for _, _, _, some in messages(topic) for header in some]
    return Counter(content for name, content in headers if name == REDRIVEN_HEADER and content)


def marker(lake: Lake) -> Marker:
    [entry] = lake.list("redriven/")
    return Marker.from_json(lake.get(entry.key))


def test_a_record_that_was_rejected_and_fits_today_is_sent_as_it_was_and_becomes_a_row(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap})
    for value in (b'{"a":1}', b'{"b":2}'):
        producer.produce(topic.name, value, b"k\xff", 2, timestamp=MINUTE.start_ms, headers=HEADERS)
    producer.flush(60)
    land_rejecting(landing, monkeypatch, {"a"})
    done = run()
    assert (done.sent, done.to_dict()["reasons"]["reserved column"]["rejected"]) == (1, 1)
    original, other, sent = messages(topic)
    assert sent == (2, b"k\xff", b'{"a":1}', [*HEADERS, (REDRIVEN_HEADER, b"2/0")])
    assert original[:3] == sent[:3]
    assert other[2] == b'{"b":2}'
    # It lies in the minute in which it came, and is a row by today's rules.
    with closing(topic.reader()) as reader:
        [batch] = reader.read([OffsetRange(2, 2, 3)])
    came = Minute.containing(datetime.fromtimestamp(batch.timestamps[0] / 1000, UTC))
    elsewhere = replace(landing, stream=replace(topic.stream, table=TableSettings("other", "Index")))
    [manifest] = land(elsewhere, came, NOW).manifests
    assert (manifest.records, manifest.rejected) == (1, 0)


def test_a_second_run_sends_nothing_again(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(b'{"a":1}', b'{"a":2}', b'{"b":3}')
    land_rejecting(landing, monkeypatch, {"a"})
    assert [run().sent, run().sent] == [2, 0]
    assert redriven(topic) == {b"0/0": 1, b"0/1": 1}
    assert run().tallies["reserved column"].before == 2


def test_what_would_be_rejected_again_stays_unless_all_are_asked_for(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(b"no JSON", None, b'{"a":1}')
    land_rejecting(landing, monkeypatch, {"a"})
    done = run()
    assert {reason: (t.unfit, t.sent) for reason, t in done.tallies.items()} == {
        "not JSON": (1, 0), "tombstone": (1, 0), "reserved column": (0, 1),
    }  # fmt: skip
    assert run(unfit=True).sent == 2
    assert redriven(topic) == {b"0/0": 1, b"0/1": 1, b"0/2": 1}
    assert {value for _, _, value, headers in messages(topic) if headers} == {b"no JSON", None, b'{"a":1}'}


def test_a_reason_chooses_and_the_others_are_left_for_later(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven]
) -> None:
    topic.send(b"no JSON", None, b"[]")
    land(landing, MINUTE, NOW)
    assert run(reason="tombstone", unfit=True).sent == 1
    assert redriven(topic) == {b"0/1": 1}
    assert run(unfit=True).sent == 2


def test_a_dry_run_tells_the_same_and_writes_nothing(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(b"no JSON", b'{"a":1}')
    land_rejecting(landing, monkeypatch, {"a"})
    ends = topic.end_offsets()
    told = run(dry_run=True)
    assert topic.end_offsets() == ends
    assert list(landing.lake.list("redriven/")) == []
    assert run().to_dict() == told.to_dict()
    assert "would be sent" in told.table(dry_run=True)


def test_a_run_that_dies_after_sending_and_before_remembering_is_found_out_by_the_header(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(b'{"a":1}', b'{"a":2}')
    land_rejecting(landing, monkeypatch, {"a"})
    with monkeypatch.context() as dies:
        dies.setattr(Marker, "settle", _die)
        with pytest.raises(InterruptedError):
            run()
    assert marker(landing.lake).pending == {0, 1}
    done = run()
    assert (done.sent, done.tallies["reserved column"].before) == (0, 2)
    assert redriven(topic) == {b"0/0": 1, b"0/1": 1}
    assert marker(landing.lake) == replace(marker(landing.lake), pending=frozenset(), redriven=frozenset({0, 1}))


def test_a_run_that_dies_while_sending_has_sent_nothing_and_the_next_sends_all(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(b'{"a":1}', b'{"a":2}')
    land_rejecting(landing, monkeypatch, {"a"})
    left_open: list[TransactionalProducer] = []

    def send_and_die(producer: TransactionalProducer, topic: str, some: Any) -> None:
        left_open.append(producer)
        producer._client.begin_transaction()
        for record in some:
            producer._produce(topic, record)
        producer._client.flush(60)
        raise InterruptedError

    with monkeypatch.context() as dies:
        dies.setattr(TransactionalProducer, "send", send_and_die)
        with pytest.raises(InterruptedError):
            run()
    # Its transaction is still open when the next run comes, which ends it.
    assert run().sent == 2
    assert redriven(topic) == {b"0/0": 1, b"0/1": 1}


def test_a_run_that_finds_another_one_newer_cannot_send(topic: TestTopic) -> None:
    older, newer = (TransactionalProducer({"bootstrap.servers": topic.bootstrap}, f"id-{topic.name}") for _ in range(2))
    with pytest.raises(KafkaError, match="Another run took over"):
        older.send(topic.name, [Outgoing(0, b"k", b"{}", ())])
    newer.send(topic.name, [Outgoing(0, b"k", b'{"newer":1}', ())])
    assert [value for _, _, value, _ in messages(topic)] == [b'{"newer":1}']


def test_a_record_that_kafka_refuses_takes_its_whole_transaction_back(topic: TestTopic) -> None:
    producer = TransactionalProducer({"bootstrap.servers": topic.bootstrap}, f"id-{topic.name}")
    with pytest.raises(KafkaError, match="Message size too large"):
        producer.send(
            topic.name, [Outgoing(0, b"k", b"{}", ()), Outgoing(0, b"k", random.Random(1).randbytes(2_000_000), ())]
        )
    assert list(messages(topic)) == []


def test_looking_for_what_was_sent_waits_for_another_producers_open_transaction(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of committed records do not see past it: taking the visible end for the log's end would send twice."""
    topic.send(b'{"a":1}')
    land_rejecting(landing, monkeypatch, {"a"})
    other = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": f"other-{topic.name}"})
    other.init_transactions(60)
    other.begin_transaction()
    other.produce(topic.name, b"{}", partition=0)
    other.flush(60)
    with monkeypatch.context() as dies:
        dies.setattr(Marker, "settle", _die)
        with pytest.raises(InterruptedError):
            run()
    monkeypatch.setattr("ticklake.clients.kafka.consumer._STALL_SECONDS", 1.0)
    with pytest.raises(KafkaError, match="No record of"):
        run()
    other.commit_transaction(60)
    assert run().sent == 0
    assert redriven(topic) == {b"0/0": 1}


@pytest.mark.parametrize("since", [0, 1_000_000])
def test_offsets_that_kafka_does_not_hold_leave_the_question_to_a_person(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch, since: int
) -> None:
    """Retention has passed, or it is another topic of that name."""
    topic.send(None, None)
    [manifest] = land(landing, MINUTE, NOW).manifests
    key = redriven_key(ObjectKey.parse(manifest.rejected_objects[0].key))
    landing.lake.put(key, Marker(since, pending=frozenset({0})).to_json())
    delete_records(topic, 0, 1)
    with pytest.raises(KafkaError, match=rf"does not hold partition 0 from offset {since} on.*\[0\].*{key}"):
        run()


def test_what_no_manifest_lists_is_not_sent(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that was killed left it; the one that seals the minute will land the same record."""
    topic.send(b'{"a":1}')
    monkeypatch.setattr(json_rows, "RESERVED", json_rows.RESERVED | {"a"})
    monkeypatch.setattr(Lake, "put_if_absent", _die)
    with pytest.raises(InterruptedError):
        land(landing, MINUTE, NOW)
    assert list(landing.lake.list("rejected/")) != []
    assert run(unfit=True).to_dict() == {"sent": 0, "objects": 0, "reasons": {}}


def test_a_rejected_object_that_is_gone_is_said_in_words(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven]
) -> None:
    topic.send(None, None)
    topic.send(None, partition=1)
    [manifest] = land(landing, MINUTE, NOW).manifests
    landing.lake.delete([manifest.rejected_objects[0].key])
    with pytest.raises(LakeError, match="is not there, though its manifest lists it"):
        run()


def test_headers_that_could_not_be_read_are_told_and_the_record_stays(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven]
) -> None:
    produce_raw(topic, [b"no JSON"], (b"\xff", b"x"))
    land(landing, MINUTE, NOW)
    done = run(unfit=True)
    assert (done.sent, done.tallies["not JSON"].unreadable) == (0, 1)


def test_minutes_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="is before the first"):
        Wanted(MINUTE, MINUTE.plus(-1))


def test_progress_is_told(
    landing: Landing, topic: TestTopic, run: Callable[..., Redriven],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    topic.send(None)
    land(landing, MINUTE, NOW)
    monkeypatch.setattr(rejected_to_kafka, "_PROGRESS_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        run(dry_run=True)
    assert "1 objects looked at" in caplog.text
    assert "tombstone" in caplog.text


def delete_records(topic: TestTopic, partition: int, before: int) -> None:
    """As retention does."""
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    for done in admin.delete_records([TopicPartition(topic.name, partition, before)]).values():
        done.result(60)


def _die(*_: object) -> Any:
    raise InterruptedError
