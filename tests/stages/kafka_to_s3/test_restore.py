"""A repair replaces an object only by what its manifest says: each way in which Kafka gives less or other, on real parts."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.stages.conftest import MINUTE, TestTopic, new_topic, ticks
from tests.stages.kafka_to_s3.test_land import NOW, delete_before, made_again
from tests.support.waiting import wait_for
from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.errors import KafkaError, LakeError, NotRestoredError
from ticklake.core.formats.json_rows import Batch
from ticklake.core.landing.gzip_writer import IGZIP, Encoder
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.stages.kafka_to_s3 import land as kafka_to_s3
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of
from ticklake.stages.reland import reland

ZLIB = Encoder("zlib level 6", lambda: zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS))


@pytest.fixture
def versioned(landing: Landing, s3: Any) -> Landing:
    """The landing, its bucket as the template makes it."""
    keep_versions(s3, landing.lake)
    return landing


def keep_versions(s3: Any, lake: Lake) -> None:
    s3.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})


def everything(lake: Lake) -> dict[str, bytes | None]:
    return {entry.key: lake.get(entry.key) for entry in lake.list("")}


def sealed(landing: Landing) -> Manifest:
    found = manifest_of(landing.lake, landing.table, MINUTE)
    assert found
    return found


def landed(landing: Landing) -> StoredObject:
    """Land the minute; its only object."""
    [stored] = land(landing, MINUTE, NOW).manifests[0].objects
    return stored


def damage(lake: Lake, key: str) -> bytes:
    """Other bytes of the same length, which S3 takes with a checksum of their own."""
    body = bytearray(lake.get(key) or b"")
    body[-1] ^= 1
    lake.put(key, bytes(body))
    return bytes(body)


def send_keyed(topic: TestTopic, count: int, keys: int) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap})
    for n in range(count):
        producer.produce(topic.name, b'{"n":%d}' % n, b"%d" % (n % keys), 0, timestamp=MINUTE.start_ms)
    assert producer.flush(20) == 0


def held(topic: TestTopic, end: int) -> int:
    reader = topic.reader()
    try:
        return sum(len(batch) for batch in reader.read([OffsetRange(0, 0, end)]))
    finally:
        reader.close()


def compact(topic: TestTopic, end: int, left: int) -> None:
    """Let Kafka's cleaner pass, until only so many records before ``end`` are left."""
    settings = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "0",
    }
    change = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in settings.items()]
    wanted = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=change)
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    admin.incremental_alter_configs([wanted])[wanted].result(20)
    # The newest segment is never compacted; a later record begins another one, once the broker knows the settings.
    later = (MINUTE.plus(60 * hours).start_ms for hours in range(1, 51))

    def compacted() -> bool:
        if at := next(later, None):
            topic.send(b'{"rolls":"the segment"}', at=at)
        return held(topic, end) == left

    wait_for(compacted, lambda: f"{held(topic, end)} records are left", pause=0.2)  # the cleaner looks every 15 s


@dataclass(frozen=True)
class Compacted:
    """A topic, what lay in the bucket when a minute of it had been landed, and the minute's only object."""

    topic: TestTopic
    objects: dict[str, bytes | None]
    stored: StoredObject


@pytest.fixture(scope="module")
def compacted(kafka_bootstrap: str, s3: Any) -> Iterator[Compacted]:
    """A sealed minute of 777 records, of which Kafka has 25 left."""
    with new_topic(kafka_bootstrap) as topic, closing(topic.reader()) as reader:
        lake = Lake(s3, f"t-{uuid4().hex}")
        s3.create_bucket(Bucket=lake.bucket)
        send_keyed(topic, 777, 25)
        stored = landed(Landing(reader, lake, topic.stream, "test-run", topic.id()))
        assert stored.records == 777
        compact(topic, 777, 25)
        yield Compacted(topic, everything(lake), stored)


@pytest.fixture
def after_compaction(compacted: Compacted, lake: Lake) -> Iterator[Landing]:
    """The landing of a bucket of the test's own, with what was landed."""
    for key, body in compacted.objects.items():
        lake.put(key, body or b"", compacted.stored.checksum if key == compacted.stored.key else None)
    with closing(compacted.topic.reader()) as reader:
        yield Landing(reader, lake, compacted.topic.stream, "test-run", compacted.topic.id())


def test_force_leaves_a_whole_object_as_it_is_where_the_topic_was_compacted_since(
    compacted: Compacted, after_compaction: Landing
) -> None:
    """777 rows were replaced by 25, and only then it failed."""
    assert land(after_compaction, MINUTE, NOW, force=True).rewritten == ()
    assert reland(after_compaction, [MINUTE], NOW, force=True).lost == ()
    assert everything(after_compaction.lake) == compacted.objects


@pytest.mark.parametrize("lost", ["deleted", "damaged"])
def test_a_lost_object_is_not_replaced_by_what_compaction_left(
    compacted: Compacted, after_compaction: Landing, lost: str
) -> None:
    lake, key = after_compaction.lake, compacted.stored.key
    lose(lake, key, lost)
    before = everything(lake)
    said = rf"{key} is (missing|damaged) \(777 rows\): Kafka gives 25 of its 777 records: the topic was compacted"
    for force in (False, True):
        with pytest.raises(NotRestoredError, match=said):
            land(after_compaction, MINUTE, NOW, force)
    assert everything(lake) == before


@pytest.mark.parametrize("lost", ["deleted", "damaged"])
def test_what_compaction_took_comes_from_the_buckets_versions(
    compacted: Compacted, after_compaction: Landing, s3: Any, lost: str
) -> None:
    lake, stored = after_compaction.lake, compacted.stored
    keep_versions(s3, lake)
    lose(lake, stored.key, lost)
    assert land(after_compaction, MINUTE, NOW).restored == (stored.key,)
    assert everything(lake) == compacted.objects
    assert lake.head(stored.key) == (stored.bytes, stored.checksum)


def lose(lake: Lake, key: str, how: str) -> None:
    damage(lake, key)  # in a bucket with versions a newer one, of the same size
    if how == "deleted":
        lake.delete([key])


@pytest.mark.parametrize("lost", ["deleted", "damaged"])
@pytest.mark.parametrize("cause", ["retention", "another topic"])
def test_what_kafka_can_no_longer_give_comes_from_the_buckets_versions(
    versioned: Landing, topic: TestTopic, cause: str, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    landing = versioned
    send_keyed(topic, 50, 5)
    stored = landed(landing)
    before = everything(landing.lake)
    if cause == "retention":
        delete_before(topic, 20)
    else:
        landing = made_again(landing, topic)
        send_keyed(topic, 50, 5)
    lose(landing.lake, stored.key, lost)
    done = land(landing, MINUTE, NOW)
    assert (done.rewritten, done.restored) == ((stored.key,), (stored.key,))
    assert everything(landing.lake) == before
    assert landing.lake.head(stored.key) == (stored.bytes, stored.checksum)
    assert f"{stored.key}: restored from its version of " in caplog.text
    assert "1 restored from the bucket's versions" in caplog.text


@pytest.mark.parametrize("versions", [False, True])
def test_bytes_that_rotted_under_their_stored_checksum_are_not_taken_for_those_that_were_sealed(
    landing: Landing, topic: TestTopic, s3: Any, tmp_path_factory: pytest.TempPathFactory, versions: bool
) -> None:
    """What S3 says of a checksum it was told when the object was written: the bytes are read and hashed."""
    lake = landing.lake
    if versions:
        keep_versions(s3, lake)
    topic.send(*ticks(5))
    stored = landed(landing)
    land(landing, MINUTE, NOW, force=True)  # a bucket with versions has two of it now
    delete_before(topic, 5)
    [file] = tmp_path_factory.getbasetemp().glob(f"aws[0-9]*/s3/*/{lake.bucket}/{stored.key}")
    rotten = b"x" * stored.bytes
    file.write_bytes(rotten)
    assert lake.head(stored.key) == (stored.bytes, stored.checksum)
    if versions:
        assert land(landing, MINUTE, NOW, force=True).restored == (stored.key,)
        assert hashlib.sha256(lake.get(stored.key) or b"").digest() == base64.b64decode(stored.checksum)
    else:
        with pytest.raises(NotRestoredError, match="no version of it in the bucket has the bytes that were sealed"):
            land(landing, MINUTE, NOW, force=True)
        assert b"".join(lake.stream(stored.key) or ()) == rotten


@pytest.mark.parametrize("force", [False, True])
def test_a_damaged_object_stays_as_it_is_where_retention_took_a_part_of_it(
    landing: Landing, topic: TestTopic, force: bool
) -> None:
    topic.send(*ticks(5))
    stored = landed(landing)
    delete_before(topic, 3)
    damage(landing.lake, stored.key)
    before = everything(landing.lake)
    with pytest.raises(NotRestoredError, match=r"from offset 3 on only \(retention\): its offsets 0 to 2 are gone"):
        land(landing, MINUTE, NOW, force)
    assert everything(landing.lake) == before


@pytest.mark.parametrize("known", ["crc32 and encoder", "neither"])
def test_records_of_another_topic_replace_nothing_even_where_no_topic_id_is_known(
    landing: Landing, topic: TestTopic, known: str
) -> None:
    """As many records at the same offsets, but other ones."""
    blind = replace(landing, topic_id=None)
    topic.send(*ticks(5))
    stored = landed(blind)
    if known == "neither":
        forget(blind)
    other = replace(made_again(blind, topic), topic_id=None)
    topic.send(*ticks(5, 100), at=MINUTE.plus(-1).start_ms)
    damage(landing.lake, stored.key)
    before = everything(landing.lake)
    with pytest.raises(NotRestoredError, match="as many records, but other ones"):
        land(other, MINUTE, NOW)
    other.reader.close()
    assert everything(landing.lake) == before


def test_other_rows_of_the_same_records_replace_nothing(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules may have changed since. As many rows, at the same times: only their checksum tells."""
    topic.send(*ticks(5))
    stored = landed(landing)
    damage(landing.lake, stored.key)
    before = everything(landing.lake)
    read = TopicReader.read

    def otherwise(reader: TopicReader, slices: Sequence[OffsetRange], *_: object) -> Iterator[Batch]:
        for b in read(reader, slices):
            yield replace(b, values=[v and v.replace(b"}", b" }") for v in b.values])

    monkeypatch.setattr(TopicReader, "read", otherwise)
    for encoder in (IGZIP, ZLIB):
        with pytest.raises(NotRestoredError, match="as many records, but other ones"):
            land(replace(landing, encoder=encoder), MINUTE, NOW)
        assert everything(landing.lake) == before


def forget(landing: Landing) -> None:
    """Make the manifest one that was written before rows had a checksum and encoders a name."""
    manifest = sealed(landing)
    older = tuple(replace(o, crc32=None, encoder=None) for o in manifest.objects)
    landing.lake.put(manifest_key(landing.table, MINUTE), replace(manifest, objects=older).to_json())


def test_a_broker_that_answers_short_replaces_nothing(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.send(*ticks(5))
    stored = landed(landing)
    damage(landing.lake, stored.key)
    before = everything(landing.lake)
    read = TopicReader.read
    with monkeypatch.context() as short:
        short.setattr(TopicReader, "read", lambda reader, slices, *_: (b.part(0, 2) for b in read(reader, slices)))
        for force in (False, True):
            with pytest.raises(NotRestoredError, match="Kafka gives 2 of its 5 records"):
                land(landing, MINUTE, NOW, force)
    with monkeypatch.context() as behind:
        behind.setattr(TopicReader, "high", lambda _: {0: 3, 1: 0, 2: 0})
        with pytest.raises(NotRestoredError, match="the log of partition 0 ends at offset 3, short of its end 5"):
            land(landing, MINUTE, NOW)
    assert everything(landing.lake) == before
    assert land(landing, MINUTE, NOW).rewritten == (stored.key,)


def test_one_object_that_cannot_be_restored_does_not_keep_the_others_from_it(
    landing: Landing, topic: TestTopic
) -> None:
    for partition in range(3):
        topic.send(*ticks(4), b"\xff", partition=partition)
    [manifest] = land(landing, MINUTE, NOW).manifests
    before = everything(landing.lake)
    lost = {o.key for o in (*manifest.objects, *manifest.rejected_objects) if o.partition == 0}
    assert len(lost) == 2
    delete_before(topic, 1)
    landing.lake.delete(manifest.keys)
    with pytest.raises(NotRestoredError) as caught:
        land(landing, MINUTE, NOW)
    assert {key for key in manifest.keys if key in str(caught.value)} == lost
    assert set(caught.value.rewritten) == manifest.keys - lost
    assert everything(landing.lake) == {key: body for key, body in before.items() if key not in lost}
    landing.lake.delete(manifest.keys)
    done = reland(landing, [MINUTE, MINUTE.plus(1)], NOW)
    assert set(done.rewritten) == manifest.keys - lost
    assert [m.minute for m in done.manifests] == [MINUTE, MINUTE.plus(1)]
    assert len(done.lost) == 1


def test_while_kafka_does_not_answer_versions_are_restored_and_the_rest_is_tried_again(
    versioned: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for partition in range(2):
        topic.send(*ticks(4), partition=partition)
    [manifest] = land(versioned, MINUTE, NOW).manifests
    before = everything(versioned.lake)
    first, second = (o.key for o in manifest.objects)
    erase(versioned.lake, second)
    damage(versioned.lake, first)
    asked = []

    def silent(reader: TopicReader, slices: Sequence[OffsetRange], *_: object) -> Iterator[Batch]:
        asked.append(slices)
        raise KafkaError("No record came.")

    with monkeypatch.context() as down:
        down.setattr(TopicReader, "read", silent)
        with pytest.raises(KafkaError, match=f"{second} is missing, .* did not give it: No record came"):
            land(versioned, MINUTE, NOW)
    assert len(asked) == 1  # each further one would wait a minute in vain
    assert everything(versioned.lake) == {key: body for key, body in before.items() if key != second}
    assert land(versioned, MINUTE, NOW).rewritten == (second,)
    assert everything(versioned.lake) == before


def erase(lake: Lake, key: str) -> None:
    """Remove an object with all its versions."""
    for version in list(lake.versions(key)):
        lake._client.delete_object(Bucket=lake.bucket, Key=key, VersionId=version.id)
    assert lake.get(key) is None


# Two encoders


def encoders(manifest: Manifest) -> list[str | None]:
    return [o.encoder for o in manifest.objects]


@pytest.mark.parametrize(("first", "then"), [(ZLIB, IGZIP), (IGZIP, ZLIB)])
@pytest.mark.parametrize("known", [True, False])
def test_an_object_written_again_by_another_encoder_has_its_bytes_in_the_manifest_and_nothing_else_changes(
    landing: Landing, topic: TestTopic, first: Encoder, then: Encoder, known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for partition in range(2):
        topic.send(*ticks(50), partition=partition)
    land(replace(landing, encoder=first), MINUTE, NOW)
    if not known:
        forget(landing)
    before = sealed(landing)
    victim, other = before.objects
    rows = gzip.decompress(landing.lake.get(victim.key) or b"")
    landing.lake.delete([victim.key])
    done = land(replace(landing, encoder=then), MINUTE, NOW)
    after = sealed(landing)
    assert done.rewritten == (victim.key,)
    assert done.manifests == (after,)
    assert gzip.decompress(landing.lake.get(victim.key) or b"") == rows
    assert after.objects[0] != victim
    assert landing.lake.head(victim.key) == (after.objects[0].bytes, after.objects[0].checksum)
    again = replace(victim, bytes=after.objects[0].bytes, checksum=after.objects[0].checksum, encoder=then.name)
    assert after == replace(before, objects=(again, other))
    # It is not reported forever.
    caplog.clear()
    for encoder in (first, then):
        assert land(replace(landing, encoder=encoder), MINUTE, NOW).rewritten == ()
    assert not [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")]


def test_force_by_another_encoder_keeps_whole_objects(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(50))
    landed(landing)
    before = everything(landing.lake)
    assert land(replace(landing, encoder=ZLIB), MINUTE, NOW, force=True).rewritten == ()
    assert everything(landing.lake) == before


def test_the_bytes_that_were_sealed_are_restored_before_another_encoder_writes_others(
    versioned: Landing, topic: TestTopic
) -> None:
    topic.send(*ticks(50))
    stored = landed(versioned)
    before = everything(versioned.lake)
    versioned.lake.delete([stored.key])
    assert land(replace(versioned, encoder=ZLIB), MINUTE, NOW).restored == (stored.key,)
    assert everything(versioned.lake) == before


@pytest.mark.parametrize("kafka", ["has it", "lost it"])
def test_a_run_that_dies_between_the_object_and_its_manifest_is_healed_by_the_next(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch, kafka: str
) -> None:
    topic.send(*ticks(50))
    stored = landed(landing)
    rows = gzip.decompress(landing.lake.get(stored.key) or b"")
    landing.lake.delete([stored.key])
    other = replace(landing, encoder=ZLIB)

    def killed(lake: Lake, key: str, change: Callable[[bytes | None], bytes]) -> bytes:
        raise LakeError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(Lake, "update", killed)
        with pytest.raises(LakeError, match="killed"):
            land(other, MINUTE, NOW)
    assert sealed(landing).objects == (stored,)
    if kafka == "lost it":
        delete_before(topic, 50)
    land(other, MINUTE, NOW)
    [after] = sealed(landing).objects
    assert landing.lake.head(after.key) in ((after.bytes, after.checksum), (after.bytes, None))
    assert gzip.decompress(landing.lake.get(stored.key) or b"") == rows
    assert after.encoder == (ZLIB.name if kafka == "has it" else None)


def test_a_twins_change_of_the_manifest_is_not_lost(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for partition in range(2):
        topic.send(*ticks(50), partition=partition)
    land(landing, MINUTE, NOW)
    keys = [o.key for o in sealed(landing).objects]
    landing.lake.delete(keys)
    put = Lake.put
    other = replace(landing, encoder=ZLIB)

    def beside_a_twin(lake: Lake, key: str, body: Any, checksum: str | None = None) -> None:
        put(lake, key, body, checksum)
        if key == keys[0]:
            monkeypatch.setattr(Lake, "put", put)
            twin = replace(other, reader=topic.reader())
            land(twin, MINUTE, NOW)
            twin.reader.close()

    monkeypatch.setattr(Lake, "put", beside_a_twin)
    land(other, MINUTE, NOW)
    assert encoders(sealed(landing)) == [ZLIB.name, ZLIB.name]
    for o in sealed(landing).objects:
        assert landing.lake.head(o.key) == (o.bytes, o.checksum)


def test_a_loser_of_the_seal_puts_back_what_it_wrote_over_the_winners_objects(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twins on two kinds of processor write the same keys with other bytes; only the winner's are in the manifest."""
    topic.send(*ticks(50))
    write = kafka_to_s3.write

    def write_after_a_twin(mine: Landing, cuts: Any) -> Any:
        monkeypatch.setattr(kafka_to_s3, "write", write)
        twin = replace(landing, reader=topic.reader(), run_id="twin")
        land(twin, MINUTE, NOW)
        twin.reader.close()
        yield from write(mine, cuts)

    monkeypatch.setattr(kafka_to_s3, "write", write_after_a_twin)
    [manifest] = land(replace(landing, encoder=ZLIB), MINUTE, NOW).manifests
    assert manifest.run_id == "twin"
    [stored] = sealed(landing).objects
    assert landing.lake.head(stored.key) == (stored.bytes, stored.checksum)
