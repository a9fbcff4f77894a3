"""The verifier must see every kind of difference: each test makes one, behind landing's back."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.stages.conftest import MINUTE, TestTopic, new_topic, ticks
from ticklake.clients.aws.s3 import Lake
from ticklake.core.landing.object_key import manifest_key, minute_prefix
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of
from ticklake.verify.compare import verify
from ticklake.verify.source import Compared
from ticklake.verify.verdict import AthenaCount, Verdict

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Lands:
    """A landing and the verifier over it."""

    topic: TestTopic
    landing: Landing

    @property
    def lake(self) -> Lake:
        return self.landing.lake

    @property
    def table(self) -> str:
        return self.landing.table

    def land(self, minute: Minute) -> None:
        land(self.landing, minute, NOW)

    def check(self, first: Minute | None = None, last: Minute | None = None) -> Verdict:
        kafka = {"bootstrap.servers": self.topic.bootstrap}
        return verify(Compared(kafka, self.topic.name, self.lake._client, self.lake.bucket, self.table), first, last)[0]


def two_minutes(topic: TestTopic, lake: Lake) -> Lands:
    """Six rows of every kind of value and one rejected record in two Kafka partitions, sealed."""
    topic.send(b'{"n":1.10, "s":"\\u00e9"}', b'{\n "deep":{"a":[1,{}]}}', b"\xff", b"{}", at=MINUTE.start_ms)
    topic.send(*ticks(2), partition=1, at=MINUTE.start_ms)
    topic.send(*ticks(1), at=MINUTE.plus(1).start_ms)
    lands = Lands(topic, Landing(topic.reader(), lake, topic.stream, "test-run", topic.id()))
    lands.land(MINUTE)
    lands.land(MINUTE.plus(1))
    return lands


@pytest.fixture(scope="module")
def original(kafka_bootstrap: str, s3: Any) -> Iterator[Lands]:
    """Landed once for all tests that change nothing in Kafka."""
    bucket = f"t-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    with new_topic(kafka_bootstrap) as topic:
        lands = two_minutes(topic, Lake(s3, bucket))
        yield lands
        lands.landing.reader.close()


@pytest.fixture
def landed(original: Lands, lake: Lake) -> Lands:
    """A copy of it in a bucket of the test's own."""
    for entry in original.lake.list(""):
        lake.put(entry.key, original.lake.get(entry.key) or b"")
    return replace(original, landing=replace(original.landing, lake=lake))


@pytest.fixture
def own(topic: TestTopic, lake: Lake) -> Iterator[Lands]:
    """The same in a topic of the test's own."""
    lands = two_minutes(topic, lake)
    yield lands
    lands.landing.reader.close()


def lines(landed: Lands, minute: Minute = MINUTE, zone: str = "raw", partition: int = 0) -> tuple[str, list[bytes]]:
    [key] = [e.key for e in landed.lake.list(f"{minute_prefix(zone, landed.table, minute)}p{partition:05d}")]
    return key, gzip.decompress(landed.lake.get(key) or b"").splitlines(keepends=True)


def rewrite(landed: Lands, change: Callable[[list[bytes]], list[bytes]], zone: str = "raw") -> None:
    key, content = lines(landed, zone=zone)
    landed.lake.put(key, gzip.compress(b"".join(change(content))))


def change_manifest(landed: Lands, change: Callable[[dict[str, Any]], None], minute: Minute = MINUTE) -> None:
    key = manifest_key(landed.table, minute)
    document = json.loads(landed.lake.get(key) or b"")
    change(document)
    landed.lake.put(key, json.dumps(document).encode())


def test_what_was_landed_agrees(landed: Lands) -> None:
    verdict = landed.check()
    t = verdict.tally
    assert verdict.agrees, verdict.lines()
    assert (t.expected, t.records, t.rows, t.rejected, verdict.minutes) == (7, 7, 6, 1, 2)
    assert verdict.lines()[-1] == "All agree."


def test_a_range_compares_only_its_minutes(landed: Lands) -> None:
    verdict = landed.check(MINUTE.plus(1), MINUTE.plus(1))
    assert verdict.agrees
    assert (verdict.minutes, verdict.tally.rows) == (1, 1)


def test_nothing_landed_agrees_and_says_so(original: Lands, lake: Lake) -> None:
    nothing = replace(original, landing=replace(original.landing, lake=lake))
    assert "no sealed minute" in nothing.check().lines()[0]


def test_the_same_lines_in_other_bytes_are_seen(landed: Lands) -> None:
    """As many bytes of the same lines, stored with a checksum of their own: only what is read tells."""
    key, _ = lines(landed)
    body = landed.lake.get(key) or b""
    landed.lake.put(key, body[:4] + b"\x01" + body[5:])  # a time in gzip's header
    verdict = landed.check()
    assert not verdict.agrees
    assert [f"{key} has other bytes than its manifest says" in line for line in verdict.objects] == [True]


def test_bytes_that_rotted_on_s3s_disk_are_a_finding_and_no_failure(
    landed: Lands, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """boto3 itself refuses to read them, where they were stored with a checksum."""
    key, _ = lines(landed)
    body = landed.lake.get(key) or b""
    landed.lake.put(key, body, base64.b64encode(hashlib.sha256(body).digest()).decode())
    [file] = tmp_path_factory.getbasetemp().glob(f"aws[0-9]*/s3/*/{landed.lake.bucket}/{key}")
    file.write_bytes(file.read_bytes()[::-1])
    verdict = landed.check()
    assert not verdict.agrees
    assert any(key in line for line in verdict.objects)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda o: o.update(checksum="AAAA"), "other bytes than its manifest says"),
        (lambda o: o.update(crc32=o["crc32"] ^ 1), "other lines than its manifest says"),
    ],
)
def test_what_a_manifest_says_of_an_objects_bytes_and_lines_is_proven(
    landed: Lands, change: Callable[[dict[str, Any]], None], seen: str
) -> None:
    change_manifest(landed, lambda document: change(document["objects"][0]))
    verdict = landed.check()
    assert not verdict.agrees
    assert any(seen in line for line in verdict.objects)


def test_objects_packed_by_another_encoder_agree(landed: Lands) -> None:
    """Their manifest has their bytes, checksum and encoder; one that was written before it had them agrees, too."""
    key, content = lines(landed)
    body = gzip.compress(b"".join(content), 9)
    landed.lake.put(key, body)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()

    def repacked(document: dict[str, Any]) -> None:
        document["objects"][0] |= {"bytes": len(body), "checksum": digest, "encoder": "zlib"}
        del document["objects"][1]["crc32"]

    change_manifest(landed, repacked)
    verdict = landed.check()
    assert verdict.agrees, verdict.lines()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: rows[1:], {"missing": 1}),
        (lambda rows: [rows[0], *rows], {"twice": 1}),
        (lambda rows: [rows[0].replace(b"1.10", b"1.1"), *rows[1:]], {"altered": 1}),
        (lambda rows: [rows[0].replace(b'"s"', b'"S"'), *rows[1:]], {"altered": 1}),
        (lambda rows: [rows[0].replace(b'"kafka_timestamp":1', b'"kafka_timestamp":2'), *rows[1:]], {"altered": 1}),
        (lambda rows: [rows[0].replace(b'"kafka_partition":0', b'"kafka_partition":1'), *rows[1:]], {"altered": 1}),
        (lambda rows: [rows[0][:-2] + b',"more":1}\n', *rows[1:]], {"altered": 1}),
        (lambda rows: [rows[1], rows[0], *rows[2:]], {"misplaced": 1, "missing": 1}),
        (lambda rows: [b"{}\n", *rows[1:]], {"misplaced": 1, "missing": 1}),
        (lambda rows: [b"\xff\n", *rows[1:]], {"misplaced": 1, "missing": 1}),
    ],
)  # fmt: skip
def test_a_changed_row_is_seen(
    landed: Lands, change: Callable[[list[bytes]], list[bytes]], found: dict[str, int]
) -> None:
    rewrite(landed, change)
    verdict = landed.check()
    names = ("missing", "twice", "altered", "unknown", "misplaced")
    assert {n: c for n in names if (c := getattr(verdict.tally, n))} == found
    assert not verdict.content_agrees


@pytest.mark.parametrize("field", ["value", "key", "headers", "kafka_timestamp", "reason"])
def test_a_rejected_record_that_lost_something_is_altered(landed: Lands, field: str) -> None:
    rewrite(landed, lambda rows: [json.dumps({**json.loads(rows[0]), field: None}).encode()], zone="rejected")
    assert landed.check().tally.altered == 1


def test_a_row_that_is_also_rejected_is_twice(landed: Lands) -> None:
    rewrite(landed, lambda rows: [rows[0], rows[0].replace(b'"kafka_offset":2', b'"kafka_offset":3')], zone="rejected")
    assert landed.check().tally.twice == 1


def test_an_orphan_and_its_rows_are_seen(landed: Lands) -> None:
    key, content = lines(landed)
    landed.lake.put(key.replace(f"{4:020d}.jsonl", f"{1:020d}.jsonl"), gzip.compress(content[0]))
    verdict = landed.check()
    assert (verdict.orphans.total, verdict.tally.twice, verdict.tally.rows) == (1, 1, 7)


def test_an_object_of_a_minute_that_is_being_landed_is_no_orphan(landed: Lands) -> None:
    key, content = lines(landed, MINUTE.plus(1))
    landed.lake.put(key.replace("1006-", "1007-"), gzip.compress(content[0]))
    assert landed.check().agrees


@pytest.mark.parametrize("body", [None, b"", b"not gzip", "cut off"])
def test_an_object_that_is_missing_or_unreadable_is_seen(landed: Lands, body: bytes | str | None) -> None:
    key, _ = lines(landed)
    if body is None:
        landed.lake.delete([key])
    else:
        landed.lake.put(key, (landed.lake.get(key) or b"")[:-9] if isinstance(body, str) else body)
    verdict = landed.check()
    assert verdict.objects.total >= 1
    assert not verdict.agrees


def test_a_gap_and_what_lies_in_it_are_seen(own: Lands) -> None:
    own.lake.delete([manifest_key(own.table, MINUTE.plus(1)), lines(own, MINUTE.plus(1))[0]])
    own.topic.send(*ticks(1), at=MINUTE.plus(2).start_ms)
    own.land(MINUTE.plus(2))
    assert own.check().agrees  # the next run has taken up the hole
    change_manifest(own, lambda m: m["slices"][1].update(start=1), MINUTE.plus(2))
    verdict = own.check()
    assert (verdict.gaps.total, verdict.overlaps.total) == (0, 1)
    change_manifest(own, lambda m: m["slices"][1].update(start=2), MINUTE.plus(2))
    own.topic.send(*ticks(3, 10), partition=1, at=MINUTE.plus(3).start_ms)
    own.land(MINUTE.plus(3))
    change_manifest(own, lambda m: m["slices"][1].update(start=5, end=5), MINUTE.plus(3))
    assert own.check().gaps.total == 1


def test_records_in_a_gap_are_missing(own: Lands) -> None:
    hole = manifest_of(own.lake, own.table, MINUTE.plus(1))
    assert hole is not None
    own.topic.send(*ticks(1), at=MINUTE.plus(2).start_ms)
    own.land(MINUTE.plus(2))
    own.lake.delete([*hole.keys, manifest_key(own.table, hole.minute)])
    verdict = own.check()
    assert (verdict.gaps.total, verdict.tally.missing) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["objects"][0].update(records=9),
        lambda m: m["objects"][0].update(end=3),
        lambda m: m.update(minute="2026-11-22T10:04"),
        lambda m: m.pop("slices"),
        lambda m: m["slices"].pop(0),
    ],
)
def test_a_manifest_that_is_wrong_is_seen(landed: Lands, change: Callable[[dict[str, Any]], None]) -> None:
    change_manifest(landed, change)
    assert not landed.check().agrees


def test_offsets_that_kafka_no_longer_has_are_compared_with_the_manifests(own: Lands) -> None:
    admin = AdminClient({"bootstrap.servers": own.topic.bootstrap})
    for future in admin.delete_records([TopicPartition(own.topic.name, 0, 5)]).values():
        future.result(60)
    verdict = own.check()
    assert verdict.agrees, verdict.lines()
    assert (verdict.tally.gone, verdict.tally.rows) == (5, 6)
    assert "5 offsets are no longer in Kafka" in verdict.notes[0]
    rewrite(own, lambda rows: rows[1:])
    assert own.check().tally.missing == 1


def test_a_row_of_an_aborted_transaction_is_unknown(landing: Landing, topic: TestTopic) -> None:
    minute = Minute.containing(datetime.now(UTC))
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(60)
    for end in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce(topic.name, b'{"n":1}', partition=0, timestamp=minute.start_ms)
        producer.flush(60)
        end(20)
    for n in (0, 1, 2):
        land(landing, minute.plus(n), minute.plus(9).start)
    lands = Lands(topic, landing)
    verdict = lands.check()
    assert verdict.agrees, verdict.lines()
    assert (verdict.tally.rows, verdict.tally.records) == (1, 1)
    [key] = [entry.key for entry in lands.lake.list("raw/")]
    row = gzip.decompress(lands.lake.get(key) or b"")
    lands.lake.put(key, gzip.compress(row.replace(b'"kafka_offset":2', b'"kafka_offset":0') + row))
    assert lands.check().tally.unknown == 1


def test_a_topic_made_again_is_not_taken_for_the_one_that_was_landed(own: Lands) -> None:
    own.topic.make_again()
    own.topic.send(*ticks(9, 100))
    verdict = own.check()
    assert verdict.agrees, verdict.lines()
    assert (verdict.tally.gone, verdict.tally.records) == (7, 0)
    assert any("earlier topic" in note for note in verdict.notes)


def test_athena_must_count_what_was_found(landed: Lands) -> None:
    verdict = landed.check()
    for athena, agrees in (
        (AthenaCount(6, 6), True),
        (AthenaCount(6, 5), False),
        (AthenaCount(None, None, "down"), False),
    ):
        assert replace(verdict, athena=athena).agrees is agrees
