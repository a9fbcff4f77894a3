"""The corpus of bad input, whole, through the real parts: Kafka, landing, S3, crawler, Athena."""

import base64
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError as Code
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.stages.conftest import MINUTE, TestTopic
from tests.support import corpus, raw_producer
from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.corpus import Case
from ticklake.clients.aws.athena import Question
from ticklake.core.formats.dead_letters import kind_of_reason
from ticklake.core.landing.object_key import ObjectKey, manifest_key, origin_key
from ticklake.core.settings.stream import TableSettings
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Place = tuple[int, int]


@pytest.fixture
def catalogued(aws_endpoint: str) -> Catalogued:
    return new_lake(aws_endpoint)


@pytest.fixture
def landing(topic: TestTopic, catalogued: Catalogued) -> Iterator[Landing]:
    """Landing into the table that the crawler crawls."""
    reader = topic.reader()
    yield Landing(
        reader, catalogued.lake, replace(topic.stream, table=TableSettings(TABLE, "Index")), "test-run", topic.id()
    )
    reader.close()


def produce(topic: TestTopic, cases: list[Case]) -> dict[Place, Case]:
    """Send the cases to the topic's partitions in turn; returns where each lies."""
    producer = Producer({"bootstrap.servers": topic.bootstrap, "message.max.bytes": 50_000_000})
    placed: dict[Place, Case] = {}
    for number, case in enumerate(cases):

        def delivered(error: Any, message: Any, case: Case = case) -> None:
            assert error is None, f"{case.name}: {error}"
            placed[message.partition(), message.offset()] = case

        producer.produce(
            topic.name, case.value, case.key, number % 3, timestamp=MINUTE.start_ms + number, headers=list(case.headers),
            on_delivery=delivered,
        )  # fmt: skip
    assert producer.flush(60) == 0
    assert len(placed) == len(cases)
    return placed


def lines(catalogued: Catalogued, zone: str) -> dict[Place, dict[str, Any]]:
    """Every line of a zone by where it came from, read without any code of the landing."""
    bodies = (gzip.decompress(catalogued.lake.get(entry.key) or b"") for entry in catalogued.lake.list(f"{zone}/"))
    found = [json.loads(line) for body in bodies for line in body.split(b"\n")[:-1]]
    by_place = {(line["kafka_partition"], line["kafka_offset"]): line for line in found}
    assert len(by_place) == len(found), f"{zone}/ holds a record twice"
    return by_place


def test_of_the_whole_corpus_each_record_is_a_row_or_rejected_and_athena_counts_the_rows(
    landing: Landing, topic: TestTopic, catalogued: Catalogued
) -> None:
    cases = corpus.cases()
    random.Random(4).shuffle(cases)
    placed = produce(topic, cases)
    [manifest] = land(landing, MINUTE, NOW).manifests
    rows = {place for place, case in placed.items() if case.reason is None}
    assert manifest.records == len(rows)
    assert manifest.records + manifest.rejected == len(cases)

    landed, rejected = lines(catalogued, "raw"), lines(catalogued, "rejected")
    assert landed.keys() == rows
    for place, row in landed.items():
        partition, offset = place
        columns = {"kafka_partition": partition, "kafka_offset": offset, "kafka_timestamp": row["kafka_timestamp"]}
        assert row == {**json.loads(placed[place].value or b""), **columns}, placed[place].name
    assert rejected.keys() == placed.keys() - rows
    for place, line in rejected.items():
        case = placed[place]
        assert kind_of_reason(line["reason"]) == case.reason, case.name
        assert decoded(line["value"]) == case.value, case.name
        assert decoded(line["key"]) == case.key, case.name
        assert [(name, decoded(content)) for name, content in line["headers"]] == list(case.headers), case.name

    catalogued.crawl()
    sql = f"SELECT COUNT(*), COUNT(DISTINCT (kafka_partition, kafka_offset)) FROM {TABLE}"
    assert catalogued.athena.ask({"count": Question(sql)})["count"].rows == ((len(rows), len(rows)),)


def test_what_kafka_takes_by_the_topics_limit_lands_and_what_it_refuses_never_was(
    landing: Landing, topic: TestTopic, catalogued: Catalogued
) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap, "message.max.bytes": 50_000_000})
    large = b'{"a":"%b"}' % (b"x" * 5_000_000)
    refused = []
    producer.produce(
        topic.name, large, partition=0, timestamp=MINUTE.start_ms, on_delivery=lambda e, _: refused.append(e)
    )
    producer.flush(60)
    assert [error.code() for error in refused] == [Code.MSG_SIZE_TOO_LARGE]

    raise_limit(topic, 8_000_000)
    placed = produce(
        topic, [Case("small", b"{}", None), Case("5 MB", large, None), Case("5 MB, bad", large[:-1], corpus.NOT_JSON)]
    )
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert (manifest.records, manifest.rejected) == (2, 1)
    assert lines(catalogued, "raw").keys() == {place for place, case in placed.items() if case.reason is None}


def test_a_small_message_that_unpacks_to_more_than_a_row_may_be_is_rejected_and_the_next_lands(
    landing: Landing, topic: TestTopic
) -> None:
    """33 MB of one letter are 33 KB on the wire, which Kafka takes by the topic's limit of 1 MB."""
    wide = {"bootstrap.servers": topic.bootstrap, "message.max.bytes": 50_000_000, "compression.type": "gzip"}
    producer = Producer(wide)
    for value in (b'{"a":"%b"}' % (b"x" * 33_000_000), b"{}"):
        producer.produce(topic.name, value, partition=0, timestamp=MINUTE.start_ms)
        assert producer.flush(60) == 0
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert (manifest.records, manifest.rejected) == (1, 1)


def test_no_record_decides_where_it_is_written(landing: Landing, topic: TestTopic, catalogued: Catalogued) -> None:
    """Not by its key, its headers, or columns that look like the bucket's folders."""
    away = "../../manifests/x/dt=2026-01-01/0000.json"
    value = json.dumps({"table": away, "minute": away, "kafka": away}).encode()
    reserved = json.dumps({"dt": away, "hr": away}).encode()
    produce(topic, [Case("row", value, None, key=away.encode()), Case("reserved", reserved, "reserved column")])
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert (manifest.records, manifest.rejected) == (1, 1)
    found = {entry.key for entry in catalogued.lake.list("")}
    assert {key for key in found if key.startswith(("raw/", "rejected/"))} == manifest.keys
    assert {ObjectKey.parse(key).minute for key in manifest.keys} == {MINUTE}
    assert found - manifest.keys == {manifest_key(TABLE, MINUTE), origin_key(TABLE)}


def test_a_header_that_the_client_cannot_read_does_not_stop_the_landing(
    landing: Landing, topic: TestTopic, catalogued: Catalogued
) -> None:
    """confluent-kafka gives a list with holes for a header's name that is not UTF-8; touching it would kill the process.

    A hundred records: a plain call raises SystemError at first, and after some calls the interpreter does not look any more.
    """
    produce_raw(topic, [b"no JSON"] * 100 + [b"{}"], (b"\xff\xfe", b"x"))
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert (manifest.records, manifest.rejected) == (1, 100)
    for line in lines(catalogued, "rejected").values():
        assert decoded(line["value"]) == b"no JSON"
        assert line["headers"] is None


def produce_raw(topic: TestTopic, values: list[bytes], header: tuple[bytes, bytes]) -> None:
    raw_producer.produce(topic.bootstrap, topic.name, MINUTE.start_ms, values, header)


def raise_limit(topic: TestTopic, size: int) -> None:
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    for done in admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[entry])]
    ).values():
        done.result(60)


def decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
