"""Landing on a real broker and the real S3 protocol; every case ends in a comparison of contents."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.stages.conftest import MINUTE, TestTopic, ticks
from tests.support.kafka import serves
from tests.support.waiting import wait_for
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import KafkaError, LakeError, LostOffsetsError, NotRestoredError, SettingsError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_key, minute_prefix, origin_key
from ticklake.core.landing.offset_ranges import Cut, OffsetRange
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3 import land as kafka_to_s3
from ticklake.stages.kafka_to_s3.land import land, prepare, seal, write_part
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of, newest_before

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def rows(lake: Lake, zone: str = "raw") -> list[dict[str, Any]]:
    """Every line of a zone, read without any code of the landing."""
    bodies = (gzip.decompress(lake.get(entry.key) or b"") for entry in lake.list(f"{zone}/"))
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def offsets(lake: Lake) -> Counter[tuple[int, int]]:
    return Counter((row["kafka_partition"], row["kafka_offset"]) for row in rows(lake))


def keys(lake: Lake) -> list[str]:
    return [entry.key for entry in lake.list("")]


def bodies(lake: Lake) -> dict[str, bytes | None]:
    return {entry.key: lake.get(entry.key) for entry in lake.list("raw/")}


def test_a_minute_lands_every_record_of_its_window_once_and_unchanged(landing: Landing, topic: TestTopic) -> None:
    topic.send(b'{"n":0}', at=MINUTE.start_ms - 1)
    topic.send(*ticks(5, 1), at=MINUTE.start_ms)
    topic.send(b'{"n": 6, "x": 1.10}', partition=2, at=MINUTE.end_ms - 1)
    topic.send(b'{"n":7}', at=MINUTE.end_ms)
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert offsets(landing.lake) == Counter({(0, 1): 1, (0, 2): 1, (0, 3): 1, (0, 4): 1, (0, 5): 1, (2, 0): 1})
    assert {row["n"] for row in rows(landing.lake)} == {1, 2, 3, 4, 5, 6}
    assert (manifest.records, manifest.rejected, manifest.early, manifest.late) == (6, 0, 0, 0)
    assert manifest.ends == {0: 6, 1: 0, 2: 1}
    prefix = minute_prefix("raw", landing.table, MINUTE)
    assert keys(landing.lake) == [
        manifest_key(landing.table, MINUTE),
        origin_key(landing.table),
        f"{prefix}p00000-{1:020d}-{6:020d}.jsonl.gz",
        f"{prefix}p00002-{0:020d}-{1:020d}.jsonl.gz",
    ]


def test_what_cannot_be_a_row_is_kept_as_rejected_and_the_rest_lands(landing: Landing, topic: TestTopic) -> None:
    topic.send(b'{"n":1}', b"\xff", None, b'{"kafka_offset":1}', b'{"n":2}')
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert [row["n"] for row in rows(landing.lake)] == [1, 2]
    assert [(line["kafka_offset"], line["reason"].split(":")[0]) for line in rows(landing.lake, "rejected")] == [
        (1, "not JSON"),
        (2, "tombstone"),
        (3, "reserved column"),
    ]
    assert (manifest.records, manifest.rejected) == (2, 3)


def test_a_minute_without_a_record_is_sealed_with_no_object(landing: Landing, topic: TestTopic) -> None:
    [manifest] = land(landing, MINUTE, NOW).manifests
    assert manifest.objects == ()
    assert keys(landing.lake) == [manifest_key(landing.table, MINUTE), origin_key(landing.table)]


def test_unsealed_minutes_since_the_newest_sealed_one_are_landed_first(landing: Landing, topic: TestTopic) -> None:
    land(landing, MINUTE, NOW)
    for n in range(1, 5):
        topic.send(*ticks(n), partition=n % 3, at=MINUTE.plus(n).start_ms)
    landed = land(landing, MINUTE.plus(4), NOW).manifests
    assert [m.minute for m in landed] == [MINUTE.plus(n) for n in range(1, 5)]
    assert [m.records for m in landed] == [1, 2, 3, 4]
    assert set(offsets(landing.lake).values()) == {1}


def test_what_is_asked_after_a_reading_does_not_stand_behind_a_fetch_that_waits_for_records(
    landing: Landing, topic: TestTopic
) -> None:
    """A partition that stays assigned is fetched on; at the log's end the broker holds that fetch, and what comes after it."""
    topic.send(*ticks(3))

    assert [len(batch) for batch in landing.reader.read([OffsetRange(0, 0, 3)])] == [3]

    assert landing.reader._consumer.assignment() == []


def test_minutes_that_are_read_together_hold_what_each_would_hold_alone(
    landing: Landing, topic: TestTopic, lake: Lake, s3: Any
) -> None:
    """Uneven ones, an empty one, a bad record, and one that comes before its minute."""
    land(landing, MINUTE, NOW)
    for n in range(1, 9):
        topic.send(*ticks(n * 7 % 5, start=100 * n), b"bad", partition=n % 3, at=MINUTE.plus(n).start_ms)
        topic.send(b'{"n":-1}', partition=0, at=MINUTE.plus(10 - n).start_ms)
    apart = replace(landing, lake=Lake(s3, f"t-{uuid4().hex}"))
    s3.create_bucket(Bucket=apart.lake.bucket)
    land(apart, MINUTE, NOW)
    one_by_one = [land(apart, MINUTE.plus(n), NOW).manifests[0] for n in range(1, 11)]
    together = land(landing, MINUTE.plus(10), NOW).manifests
    assert [m.slices for m in together] == [m.slices for m in one_by_one]
    assert [(m.records, m.rejected, m.early, m.late) for m in together] == [
        (m.records, m.rejected, m.early, m.late) for m in one_by_one
    ]
    assert bodies(landing.lake) == bodies(apart.lake)
    assert rows(landing.lake, "rejected") == rows(apart.lake, "rejected")


def test_a_twin_that_seals_one_of_several_minutes_read_together_is_followed(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records come while the minutes are cut, so that the twin cuts elsewhere: what was written at our cut must go."""
    land(landing, MINUTE, NOW)
    for n in range(1, 5):
        topic.send(*ticks(3, start=10 * n), at=MINUTE.plus(n).start_ms)
    topic.send(b'{"n":1}', partition=1, at=MINUTE.plus(1).start_ms)
    by_time, put_if_absent = landing.reader.by_time, Lake.put_if_absent

    def after_three_records(timestamp: int) -> dict[int, int]:
        if timestamp == MINUTE.plus(3).end_ms:
            monkeypatch.setattr(landing.reader, "by_time", by_time)
            for n in (0, 3, 5):
                topic.send(b'{"n":2}', partition=1, at=MINUTE.plus(n).start_ms)
        return by_time(timestamp)

    def after_a_twin(lake: Lake, key: str, body: bytes) -> bool:
        if key == manifest_key(landing.table, MINUTE.plus(2)) and b"test-run" in body:
            monkeypatch.setattr(Lake, "put_if_absent", put_if_absent)
            twin = replace(landing, reader=topic.reader(), run_id="twin")
            land(twin, MINUTE.plus(2), NOW)
            twin.reader.close()
        return put_if_absent(lake, key, body)

    monkeypatch.setattr(landing.reader, "by_time", after_three_records)
    monkeypatch.setattr(Lake, "put_if_absent", after_a_twin)
    manifests = land(landing, MINUTE.plus(4), NOW).manifests
    assert [m.run_id for m in manifests] == ["test-run", "twin", "test-run", "test-run"]
    assert [m.starts for m in manifests[1:]] == [m.ends for m in manifests[:-1]]
    assert {k for k in keys(landing.lake) if k.startswith("raw/")} == {k for m in manifests for k in m.keys}
    assert offsets(landing.lake) == Counter([*((0, n) for n in range(12)), *((1, n) for n in range(3))])


@pytest.mark.parametrize("parts", [2, 5])
def test_a_minute_written_in_parts_has_the_keys_and_bytes_of_one_written_at_once(
    landing: Landing, topic: TestTopic, s3: Any, parts: int
) -> None:
    for partition in range(3):
        topic.send(*ticks(5 + partition), b"bad", partition=partition, at=MINUTE.start_ms)
        topic.send(*ticks(2), partition=partition, at=MINUTE.end_ms)
    apart = replace(landing, lake=Lake(s3, f"t-{uuid4().hex}"))
    s3.create_bucket(Bucket=apart.lake.bucket)
    [at_once] = land(landing, MINUTE, NOW).manifests
    prepared = prepare(apart, MINUTE, NOW, parts)
    assert len(prepared.parts) == min(parts, 3)
    written = [write_part(apart, MINUTE, part) for part in prepared.parts]
    assert manifest_of(apart.lake, apart.table, MINUTE) is None
    [in_parts] = seal(apart, MINUTE, prepared.cut, prepared.lost, written).manifests
    unlike: Any = {"sealed_at": "", "seconds": {}}
    assert replace(in_parts, **unlike) == replace(at_once, **unlike)
    assert bodies(apart.lake) == bodies(landing.lake)


def test_preparing_a_minute_lands_those_before_it_and_finds_a_sealed_one_sealed(
    landing: Landing, topic: TestTopic
) -> None:
    land(landing, MINUTE, NOW)
    topic.send(*ticks(2), at=MINUTE.plus(1).start_ms)
    prepared = prepare(landing, MINUTE.plus(2), NOW, 3)
    assert [m.minute for m in prepared.landed.manifests] == [MINUTE.plus(1)]
    assert prepared.parts == (Cut(()),)
    again = prepare(landing, MINUTE.plus(1), NOW, 3)
    assert (again.cut.slices, again.landed.manifests[0].records) == ((), 2)


def test_a_record_that_became_visible_late_falls_into_the_next_minute(landing: Landing, topic: TestTopic) -> None:
    topic.send(b'{"n":1}')
    land(landing, MINUTE, NOW)
    topic.send(b'{"n":2}')
    [manifest] = land(landing, MINUTE.plus(1), NOW).manifests
    assert (manifest.records, manifest.late, manifest.early) == (1, 1, 0)
    assert offsets(landing.lake) == Counter({(0, 0): 1, (0, 1): 1})


def test_a_hole_is_filled_exactly_up_to_the_sealed_minute_after_it(landing: Landing, topic: TestTopic) -> None:
    topic.send(b'{"n":1}', at=MINUTE.start_ms)
    topic.send(b'{"n":2}', at=MINUTE.plus(1).start_ms)
    topic.send(b'{"n":3}', at=MINUTE.plus(2).start_ms)
    [after] = land(landing, MINUTE.plus(2), NOW).manifests
    [hole] = land(landing, MINUTE.plus(1), NOW).manifests
    [first] = land(landing, MINUTE, NOW).manifests
    assert first.ends == hole.starts
    assert hole.ends == after.starts
    assert offsets(landing.lake) == Counter({(0, 0): 1, (0, 1): 1, (0, 2): 1})


def test_a_sealed_minute_is_looked_at_and_nothing_is_read_or_written(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(3))
    land(landing, MINUTE, NOW)
    before = {entry.key: entry for entry in landing.lake.list("")}
    topic.send(*ticks(3, 3))  # would fall into the minute by its time
    again = land(landing, MINUTE, NOW)
    assert again.rewritten == ()
    assert {entry.key: entry for entry in landing.lake.list("")} == before


@pytest.mark.parametrize("damage", ["missing", "shorter", "other bytes"])
def test_a_damaged_object_of_a_sealed_minute_is_written_again_to_the_same_bytes(
    landing: Landing, topic: TestTopic, damage: str
) -> None:
    topic.send(*ticks(3), b"\xff")
    topic.send(*ticks(3), partition=1)
    [manifest] = land(landing, MINUTE, NOW).manifests
    before = {entry.key: landing.lake.get(entry.key) for entry in landing.lake.list("")}
    victim = manifest.objects[0]
    if damage == "missing":
        landing.lake.delete([victim.key])
    else:
        body = before[victim.key] or b""
        landing.lake.put(victim.key, body[:-1] if damage == "shorter" else body[:-1] + b"\x99")
    assert land(landing, MINUTE, NOW).rewritten == (victim.key,)
    assert {entry.key: landing.lake.get(entry.key) for entry in landing.lake.list("")} == before


def test_a_missing_rejected_object_is_written_again_alone(landing: Landing, topic: TestTopic) -> None:
    topic.send(b"\xff", *ticks(1))
    [manifest] = land(landing, MINUTE, NOW).manifests
    before = landing.lake.get(manifest.rejected_objects[0].key)
    landing.lake.delete([o.key for o in manifest.rejected_objects])
    land(landing, MINUTE, NOW)
    assert landing.lake.get(manifest.rejected_objects[0].key) == before
    assert set(keys(landing.lake)) == {*manifest.keys, manifest_key(landing.table, MINUTE), origin_key(landing.table)}


def test_force_writes_all_objects_again_to_the_same_bytes(small_objects: Any, topic: TestTopic) -> None:
    landing = small_objects()
    topic.send(*(b'{"n":%d,"fill":"%s"}' % (n, b"x" * 1000) for n in range(3000)))
    [manifest] = land(landing, MINUTE, NOW).manifests
    before = bodies(landing.lake)
    assert len(before) == 4  # 3.3 MB in objects of 1 MiB
    assert land(landing, MINUTE, NOW, force=True).rewritten == tuple(o.key for o in manifest.objects)
    assert bodies(landing.lake) == before
    assert len(offsets(landing.lake)) == 3000


def test_the_loser_of_the_seal_deletes_only_what_the_winner_does_not_list_and_goes_on_from_its_end(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(*ticks(2))
    topic.send(*ticks(2), partition=1)
    write = kafka_to_s3.write

    def write_while_a_twin_seals(mine: Landing, cuts: Any) -> Any:
        written = list(write(mine, cuts))
        monkeypatch.setattr(kafka_to_s3, "write", write)
        topic.send(b'{"n":9}')  # the twin looks later and sees more
        twin = replace(landing, reader=topic.reader(), run_id="twin")
        land(twin, MINUTE, NOW)
        twin.reader.close()
        yield from written

    monkeypatch.setattr(kafka_to_s3, "write", write_while_a_twin_seals)
    [first] = land(landing, MINUTE, NOW).manifests
    [second] = land(landing, MINUTE.plus(1), NOW).manifests
    assert first.run_id == "twin"
    assert first.ends == second.starts == {0: 3, 1: 2, 2: 0}
    assert {key for key in keys(landing.lake) if key.startswith("raw/")} == first.keys
    assert set(offsets(landing.lake).values()) == {1}


def neighbour_before_the_seal(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch, minute: Minute
) -> None:
    """Arrange that while the next minute is written, a record of it comes late and another run lands ``minute``."""
    write = kafka_to_s3.write

    def write_beside_a_neighbour(mine: Landing, cuts: Any) -> Any:
        written = list(write(mine, cuts))
        monkeypatch.setattr(kafka_to_s3, "write", write)
        topic.send(b'{"late":1}', at=MINUTE.plus(-1).start_ms)
        neighbour = replace(landing, reader=topic.reader(), run_id="neighbour")
        land(neighbour, minute, NOW)
        neighbour.reader.close()
        yield from written

    monkeypatch.setattr(kafka_to_s3, "write", write_beside_a_neighbour)


@pytest.mark.parametrize("neighbour", [1, -1])
def test_first_ever_runs_of_neighbouring_minutes_at_once_leave_no_offset_between_them(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch, neighbour: int
) -> None:
    topic.send(*ticks(2), at=MINUTE.plus(-1).start_ms)
    neighbour_before_the_seal(landing, topic, monkeypatch, MINUTE.plus(neighbour))
    land(landing, MINUTE, NOW)
    land(landing, MINUTE.plus(2), NOW)
    sealed = [manifest_of(landing.lake, landing.table, MINUTE.plus(n)) for n in range(min(neighbour, 0), 3)]
    starts, ends = [m.starts for m in sealed if m], [m.ends for m in sealed if m]
    assert starts[1:] == ends[:-1]
    assert offsets(landing.lake) == Counter((0, n) for n in range(starts[0][0], 3))


def test_leftovers_of_a_killed_attempt_are_removed_after_sealing(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(2))
    leftover = f"{minute_prefix('raw', landing.table, MINUTE)}p00000-{0:020d}-{1:020d}.jsonl.gz"
    neighbour = f"{minute_prefix('raw', landing.table, MINUTE.plus(1))}p00000-{0:020d}-{1:020d}.jsonl.gz"
    for key in (leftover, neighbour):
        landing.lake.put(key, gzip.compress(b""))
    land(landing, MINUTE, NOW)
    assert leftover not in keys(landing.lake)
    assert neighbour in keys(landing.lake)


def test_a_catch_up_removes_the_leftovers_of_each_of_its_minutes(landing: Landing, topic: TestTopic) -> None:
    land(landing, MINUTE, NOW)
    later = [MINUTE.plus(n) for n in (1, 2, 60, 61)]  # two hours
    leftovers = [f"{minute_prefix('raw', landing.table, m)}p00000-{0:020d}-{1:020d}.jsonl.gz" for m in later]
    strange = f"{minute_prefix('rejected', landing.table, later[0])}by-hand.txt"
    for key in (*leftovers, strange):
        landing.lake.put(key, gzip.compress(b""))
    topic.send(*ticks(2), at=later[0].start_ms)
    manifests = land(landing, later[-1], NOW).manifests
    assert len(manifests) == 61
    sealed = {key for m in manifests for key in m.keys}
    assert {key for key in keys(landing.lake) if key.startswith(("raw/", "rejected/"))} == {*sealed, strange}


@pytest.mark.parametrize("healed_by", [MINUTE, MINUTE.plus(1)])
def test_leftovers_that_came_after_the_seal_are_removed_by_the_next_run_of_this_or_the_next_minute(
    landing: Landing, topic: TestTopic, healed_by: Minute
) -> None:
    topic.send(*ticks(2))
    land(landing, MINUTE, NOW)
    leftover = f"{minute_prefix('raw', landing.table, MINUTE)}p00000-{0:020d}-{1:020d}.jsonl.gz"
    landing.lake.put(leftover, gzip.compress(b""))
    land(landing, healed_by, NOW)
    assert leftover not in keys(landing.lake)
    assert set(offsets(landing.lake).values()) == {1}


def test_what_a_task_that_woke_late_left_under_older_minutes_is_removed_too(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(2))
    for n in range(3):
        land(landing, MINUTE.plus(n), NOW)
    leftover = f"{minute_prefix('raw', landing.table, MINUTE)}p00000-{0:020d}-{1:020d}.jsonl.gz"
    landing.lake.put(leftover, gzip.compress(b""))
    land(landing, MINUTE.plus(3), NOW)
    assert leftover not in keys(landing.lake)
    assert set(offsets(landing.lake).values()) == {1}


def test_minutes_under_which_nothing_came_late_are_not_read_again(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = Minute.containing(datetime.now(UTC)).plus(60)  # so that all is written in time
    later = ahead.plus(60).start
    for n in range(4):
        topic.send(*ticks(2), at=ahead.plus(n).start_ms)
        land(landing, ahead.plus(n), later)
    read: list[str] = []
    get = Lake.get
    monkeypatch.setattr(Lake, "get", lambda lake, key: (read.append(key), get(lake, key))[1])
    land(landing, ahead.plus(4), later)
    assert [key for key in read if key.startswith("manifests/")] == [
        manifest_key(landing.table, ahead.plus(n)) for n in (4, 3)
    ]


def test_a_run_that_fails_before_the_seal_leaves_a_minute_that_the_next_run_lands(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(*ticks(2))
    monkeypatch.setattr(Lake, "put_if_absent", lambda *_: (_ for _ in ()).throw(LakeError("killed")))
    with pytest.raises(LakeError):
        land(landing, MINUTE, NOW)
    assert manifest_of(landing.lake, landing.table, MINUTE) is None
    monkeypatch.undo()
    land(landing, MINUTE, NOW)
    assert set(offsets(landing.lake).values()) == {1}


def wait_for_end(topic: TestTopic, end: int) -> None:
    """The coordinator writes a transaction's markers a moment after it has answered."""
    wait_for(lambda: topic.end_offsets()[0] == end, topic.end_offsets)


def test_transaction_markers_and_aborted_records_take_offsets_but_are_no_rows(
    landing: Landing, topic: TestTopic
) -> None:
    minute = Minute.containing(datetime.now(UTC))  # markers carry the broker's time, so the records must as well
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(60)
    for value, done in ((b'{"n":1}', True), (b'{"n":2}', False), (b'{"n":3}', True)):
        producer.begin_transaction()
        producer.produce(topic.name, value, partition=0, timestamp=minute.start_ms)
        producer.flush(60)
        producer.commit_transaction(60) if done else producer.abort_transaction(60)
    wait_for_end(topic, 6)
    later = minute.plus(3).start
    manifests = (*land(landing, minute, later).manifests, *land(landing, minute.plus(1), later).manifests)
    assert [row["n"] for row in rows(landing.lake)] == [1, 3]
    assert (sum(m.records for m in manifests), manifests[-1].ends[0]) == (2, 6)


def test_records_of_an_open_transaction_land_once_it_is_committed(landing: Landing, topic: TestTopic) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic.name, b'{"n":1}', partition=0, timestamp=MINUTE.start_ms)
    producer.flush(60)
    [early] = land(landing, MINUTE, NOW).manifests
    producer.commit_transaction(60)
    wait_for_end(topic, 2)
    [late] = land(landing, MINUTE.plus(1), NOW).manifests
    assert (early.records, late.records, late.late) == (0, 1, 1)


def delete_before(topic: TestTopic, offset: int, partition: int = 0) -> None:
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    for future in admin.delete_records([TopicPartition(topic.name, partition, offset)]).values():
        future.result(60)


def test_offsets_gone_before_their_minute_was_sealed_are_recorded_and_the_next_minute_is_right(
    landing: Landing, topic: TestTopic
) -> None:
    land(landing, MINUTE, NOW)
    topic.send(*ticks(5), at=MINUTE.plus(1).start_ms)
    delete_before(topic, 3)
    with pytest.raises(LostOffsetsError, match=r"2026-11-22T10:06: partition 0 offsets 0 to 2"):
        land(landing, MINUTE.plus(1), NOW)
    sealed = manifest_of(landing.lake, landing.table, MINUTE.plus(1))
    assert sealed is not None
    assert [(gone.start, gone.end) for gone in sealed.lost] == [(0, 3)]
    topic.send(*ticks(1), at=MINUTE.plus(2).start_ms)
    land(landing, MINUTE.plus(2), NOW)
    assert offsets(landing.lake) == Counter({(0, 3): 1, (0, 4): 1, (0, 5): 1})


def test_offsets_gone_after_sealing_change_nothing_until_an_object_is_missing(
    landing: Landing, topic: TestTopic
) -> None:
    topic.send(*ticks(5))
    [manifest] = land(landing, MINUTE, NOW).manifests
    delete_before(topic, 3)
    assert land(landing, MINUTE, NOW).manifests == (manifest,)
    landing.lake.delete([manifest.objects[0].key])
    with pytest.raises(NotRestoredError, match=r"from offset 3 on only \(retention\): its offsets 0 to 2 are gone"):
        land(landing, MINUTE, NOW)


def test_a_partition_added_while_running_is_taken_from_its_beginning(
    landing: Landing, topic: TestTopic, lake: Lake
) -> None:
    land(landing, MINUTE, NOW)
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    admin.create_partitions([NewPartitions(topic.name, 4)])[topic.name].result(60)
    wait_for(lambda: serves(admin, topic.name, 4), "the fourth partition")
    topic.send(*ticks(2), partition=3)
    later = replace(landing, reader=topic.reader())
    [manifest] = land(later, MINUTE.plus(1), NOW).manifests
    later.reader.close()
    assert (manifest.records, manifest.late) == (2, 2)


def made_again(landing: Landing, topic: TestTopic) -> Landing:
    """The landing as the next task has it, after its topic was deleted and made again."""
    topic.make_again()
    return replace(landing, reader=topic.reader(), topic_id=topic.id())


def test_a_topic_made_again_is_told_by_its_id_even_when_its_offsets_fit(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(3))
    land(landing, MINUTE, NOW)
    other = made_again(landing, topic)
    topic.send(*ticks(9, 100), at=MINUTE.plus(1).start_ms)
    before = {entry.key: entry for entry in landing.lake.list("")}
    with pytest.raises(KafkaError, match=r"is not the one that .* at 2026-11-22T10:05 was landed from: its id is"):
        land(other, MINUTE.plus(1), NOW)
    with pytest.raises(KafkaError, match="is not the one"):
        land(other, MINUTE.plus(-1), NOW)
    other.reader.close()
    assert {entry.key: entry for entry in landing.lake.list("")} == before


def test_a_damaged_object_is_not_written_again_from_a_topic_made_again(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(3))
    [manifest] = land(landing, MINUTE, NOW).manifests
    other = made_again(landing, topic)
    topic.send(*ticks(3, 100))
    assert land(other, MINUTE, NOW).rewritten == ()  # all is there, so nothing is read
    landing.lake.delete([manifest.objects[0].key])
    with pytest.raises(NotRestoredError, match="is not the one"):
        land(other, MINUTE, NOW)
    other.reader.close()
    assert rows(landing.lake) == []


def test_a_topic_made_again_is_told_long_after_everything_that_was_landed(landing: Landing, topic: TestTopic) -> None:
    land(landing, MINUTE, NOW)
    other = made_again(landing, topic)
    with pytest.raises(KafkaError, match="is not the one"):
        land(other, MINUTE.plus(49 * 60), datetime(2026, 11, 25, tzinfo=UTC))
    other.reader.close()


def test_offsets_beyond_the_end_of_the_log_are_told_where_no_topic_id_is_known(
    landing: Landing, topic: TestTopic
) -> None:
    far = [OffsetRange(s.partition, 50, 50) for s in land(landing, MINUTE, NOW).manifests[0].slices]
    sealed = manifest_of(landing.lake, landing.table, MINUTE)
    assert sealed is not None
    landing.lake.put(manifest_key(landing.table, MINUTE), replace(sealed, slices=tuple(far)).to_json())
    with pytest.raises(KafkaError, match="were landed already"):
        land(landing, MINUTE.plus(1), NOW)


def test_a_minute_that_is_not_over_is_refused(landing: Landing) -> None:
    with pytest.raises(SettingsError, match="2026-11-22T10:05 is not over yet"):
        land(landing, MINUTE, MINUTE.start)


def test_one_run_lands_no_more_minutes_than_its_limit_and_the_next_goes_on(
    landing: Landing, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not a failure: a failed task would not announce the minutes that it landed."""
    land(landing, MINUTE, NOW)
    first = land(landing, MINUTE.plus(150), NOW).manifests
    assert [m.minute for m in first] == [MINUTE.plus(n) for n in range(1, 101)]
    assert "Landed 100 minutes up to 2026-11-22T11:45, the limit of one run" in caplog.text
    assert prepare(landing, MINUTE.plus(300), NOW, 3).parts == (Cut(()),)
    assert [m.minute for m in land(landing, MINUTE.plus(210), NOW).manifests][-1] == MINUTE.plus(210)


@pytest.mark.parametrize("minutes", [2000, 60 * 24 * 400])
def test_the_newest_sealed_minute_is_found_however_old_it_is(landing: Landing, minutes: int) -> None:
    land(landing, MINUTE.plus(-1), NOW)
    land(landing, MINUTE, NOW)
    found = newest_before(landing.lake, landing.table, MINUTE.plus(minutes))
    assert isinstance(found, Manifest)
    assert found.minute == MINUTE


def test_the_groups_offsets_follow_so_that_kafkas_tools_show_the_lag(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(3))
    land(landing, MINUTE, NOW)
    group = Consumer({"bootstrap.servers": topic.bootstrap, "group.id": topic.stream.landing.group})
    committed = group.committed([TopicPartition(topic.name, p) for p in range(3)], timeout=60)
    group.close()
    assert [tp.offset for tp in committed] == [3, 0, 0]


def test_a_topic_that_is_not_there_is_named(topic: TestTopic) -> None:
    missing = replace(topic, stream=replace(topic.stream, topic=replace(topic.stream.topic, name="none-such")))
    with pytest.raises(KafkaError, match="none-such"):
        missing.reader()
