"""Each kind of difference made on a real broker, the real S3 protocol and the embedded Athena: it is repaired, or said."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.stages.conftest import TestTopic
from tests.stages.kafka_to_s3.test_land import delete_before
from tests.stages.kafka_to_s3.test_restore import ZLIB
from tests.support.catalogued import TABLE, Catalogued, new_lake
from tests.support.kafka import create_topics
from tests.support.landed import put_object
from ticklake.core.errors import LakeError, LostOffsetsError, SettingsError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_key, quarantine_key, reconciled_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Hour, Minute
from ticklake.core.proof.reconcile import Kind
from ticklake.core.proof.reconciled import Reconciled, require_agreement, time_may_heal
from ticklake.core.proof.row_counts import Tally
from ticklake.core.settings.stream import TableSettings
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.kafka_to_s3.restore import How
from ticklake.stages.manifest_store import manifest_of
from ticklake.stages.reconcile.hours import Sides, reconcile

SQL = (Path(__file__).resolve().parents[3] / "include" / "sql" / "reconcile" / "partitions.sql").read_text()
NOW = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = Hour.parse("2026-11-22T10")
FIRST, LAST, NEXT = (Minute.parse(f"2026-11-22T{m}") for m in ("10:58", "10:59", "11:00"))


@dataclass(frozen=True)
class World:
    """A topic landed into a lake with a catalog."""

    topic: TestTopic
    catalogued: Catalogued
    sides: Sides

    @property
    def landing(self) -> Landing:
        return self.sides.landing

    def send(self, minute: Minute, *values: bytes, partition: int = 0) -> None:
        self.topic.send(*values, partition=partition, at=minute.start_ms)

    def land(self, *minutes: Minute) -> None:
        for minute in minutes:
            land(self.landing, minute, NOW)

    def manifest(self, minute: Minute) -> Manifest:
        found = manifest_of(self.landing.lake, TABLE, minute)
        assert found
        return found

    def put_manifest(self, manifest: Manifest) -> None:
        self.landing.lake.put(manifest_key(TABLE, manifest.minute), manifest.to_json())

    def objects(self) -> dict[str, bytes | None]:
        lake = self.landing.lake
        return {e.key: lake.get(e.key) for zone in ("raw/", "rejected/") for e in lake.list(zone)}

    def reconcile(self, *hours: Hour, repair: bool = True) -> Reconciled:
        return reconcile(self.sides, hours or (HOUR,), NOW, repair)[0]


@pytest.fixture
def empty(topic: TestTopic, aws_endpoint: str) -> Iterator[World]:
    catalogued = new_lake(aws_endpoint)
    reader = topic.reader()
    landing = Landing(
        reader, catalogued.lake, replace(topic.stream, table=TableSettings(TABLE, "Index")), "test-run", None
    )
    yield World(topic, catalogued, sides(landing, catalogued))
    reader.close()


def sides(landing: Landing, catalogued: Catalogued) -> Sides:
    return Sides(landing, catalogued.athena, SQL, catalogued.glue, catalogued.name, catalogued.name)


@pytest.fixture
def world(empty: World) -> World:
    """The last two minutes of the hour and the first of the next one: 4 rows and a rejected record in the hour."""
    # The next hour is landed first: the minutes before these are none of the table's.
    empty.send(FIRST, b'{"n":1}', b'{"n":2}')
    empty.send(LAST, b'{"n":3}', b"\xff")
    empty.send(LAST, b'{"n":4}', partition=2)
    empty.send(NEXT, b'{"n":5}')
    empty.land(NEXT, FIRST, LAST)
    empty.catalogued.crawl()
    return empty


def kinds(result: Reconciled) -> tuple[list[Kind], list[Kind]]:
    """Kinds of what was repaired, and of what stays."""
    return [f.kind for f in result.repaired], [f.kind for f in result.stays]


def test_an_hour_that_is_as_it_was_landed_agrees_on_every_side(world: World) -> None:
    result = world.reconcile()
    assert kinds(result) == ([], [])
    assert (result.minutes, result.offsets, result.records, result.rejected) == (2, 5, 4, 1)
    assert (result.lines, result.counted, result.distinct, result.kafka_partitions) == (5, 4, 4, 2)
    require_agreement([result])


def test_what_was_found_is_stored_and_added_to_the_totals(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world.landing.lake.delete([world.manifest(FIRST).objects[0].key])
    reconcile(world.sides, (HOUR, HOUR.plus(1)), NOW)
    kept = json.loads(world.landing.lake.get(reconciled_key(TABLE, HOUR)) or b"")
    assert (kept["hour"], kept["records"], kept["stays"], kept["run_id"]) == ("2026-11-22T10", 4, [], "test-run")
    assert [f["kind"] for f in kept["repaired"]] == ["missing object", "count differs"]
    assert "repaired  missing object  raw/ticks/dt=2026-11-22/hr=10/1058-p00000" in caplog.text
    assert f"All reconciled hours: {Tally(5, 5, 5)}" in caplog.text


def test_missing_and_damaged_objects_are_landed_again_to_the_same_bytes(world: World) -> None:
    before = world.objects()
    first, second, third, rejected = (key for key in before if "/hr=11/" not in key)
    lake = world.landing.lake
    lake.delete([first])
    lake.put(second, (before[second] or b"")[:-1])
    body = before[third] or b""
    lake.put(third, body[:4] + b"\x01" + body[5:])  # gzip with a time in it: the same lines, as many bytes
    lake.put(rejected, b"x" * len(before[rejected] or b""))
    result = world.reconcile()
    assert [(f.kind, f.subject) for f in result.repaired[:4]] == [
        (Kind.MISSING, first),
        (Kind.DAMAGED, second),
        (Kind.DAMAGED, third),
        (Kind.DAMAGED, rejected),
    ]
    assert result.stays == ()
    assert world.objects() == before


def test_an_object_whose_bytes_rotted_under_a_right_size_and_stored_checksum_is_written_again(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A HEAD finds nothing: S3 reports what it was told when the object was written. The bytes on its disk are changed."""
    before = world.objects()
    stored = world.manifest(FIRST).objects[0]
    [file] = tmp_path_factory.getbasetemp().glob(f"aws[0-9]*/s3/*/{world.landing.lake.bucket}/{stored.key}")
    rotten = b"x" * stored.bytes
    file.write_bytes(rotten)
    assert world.landing.lake.head(stored.key) == (stored.bytes, stored.checksum)
    land(world.landing, FIRST, NOW)
    assert b"".join(world.landing.lake.stream(stored.key) or ()) == rotten
    result = world.reconcile()
    assert (result.repaired[0].kind, result.repaired[0].subject) == (Kind.DAMAGED, stored.key)
    assert result.repaired[0].remedy == "written again from Kafka"
    assert result.stays == ()
    assert world.objects() == before


def test_an_object_that_another_encoder_wrote_again_is_told_once_and_then_agrees(world: World) -> None:
    """An earlier Ticklake left it so, and did not change the manifest: each reconcile found it damaged."""
    stored = world.manifest(FIRST).objects[0]
    rows = gzip.decompress(world.landing.lake.get(stored.key) or b"")
    world.landing.lake.put(stored.key, gzip.compress(rows, 9))
    zlibs = replace(world.sides, landing=replace(world.landing, encoder=ZLIB))
    [result] = reconcile(zlibs, (HOUR,), NOW)
    assert kinds(result)[1] == []
    assert [f.remedy for f in result.repaired if f.kind is Kind.DAMAGED] == [str(How.REPACKED)]
    now = world.manifest(FIRST).objects[0]
    assert now == replace(stored, bytes=now.bytes, checksum=now.checksum, encoder=ZLIB.name)
    for sides_ in (zlibs, world.sides):
        [again] = reconcile(sides_, (HOUR,), NOW)
        assert kinds(again) == ([], [])
    assert gzip.decompress(world.landing.lake.get(stored.key) or b"") == rows


def test_what_kafka_lost_is_restored_from_the_buckets_versions_and_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Two of three: the third has no version, and keeps none of the others from being restored."""
    lake = world.landing.lake
    before = world.objects()
    lake._client.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second, third = (o.key for m in (FIRST, LAST) for o in world.manifest(m).objects)
    for key in (first, second):
        lake.delete([key])  # leaves what was there before versions were kept, and a mark
    for version in list(lake.versions(third)):
        lake._client.delete_object(Bucket=lake.bucket, Key=third, VersionId=version.id)
    delete_before(world.topic, 4)
    delete_before(world.topic, 1, partition=2)
    result = world.reconcile()
    assert [(f.subject, f.remedy) for f in result.repaired if f.kind is Kind.MISSING] == [
        (first, "restored from the bucket's versions"),
        (second, "restored from the bucket's versions"),
    ]
    assert [f.subject for f in result.stays if f.kind is Kind.MISSING] == [third]
    assert world.objects() == {key: body for key, body in before.items() if key != third}
    kept = json.loads(lake.get(reconciled_key(TABLE, HOUR)) or b"")
    assert kept["repaired"][0]["remedy"] == "restored from the bucket's versions"
    assert "in its manifest and not in S3 -> restored from the bucket's versions" in caplog.text
    assert not time_may_heal([result])


def test_a_missing_object_whose_offsets_kafka_lost_fails_with_the_way_to_get_it_back(world: World) -> None:
    world.landing.lake.delete([world.manifest(FIRST).objects[0].key])
    delete_before(world.topic, 2)
    result = world.reconcile()
    assert kinds(result) == ([], [Kind.MISSING, Kind.COUNT])
    assert not time_may_heal([result])
    with pytest.raises(LakeError, match=r"missing object: raw/ticks/.*1058-.*Put the object back from a backup"):
        require_agreement([result])


def test_an_object_of_a_sealed_minute_that_no_manifest_lists_is_moved_to_quarantine(world: World) -> None:
    before = world.objects()
    orphan = put_object(world.landing.lake, TABLE, FIRST, 0, 0, 1).key
    body = world.landing.lake.get(orphan)
    assert kinds(world.reconcile()) == ([Kind.ORPHAN, Kind.COUNT], [])
    assert world.objects() == before
    assert world.landing.lake.get(quarantine_key(orphan)) == body


def test_something_else_below_the_hour_is_moved_to_quarantine_since_athena_would_read_it(world: World) -> None:
    key = f"raw/{TABLE}/dt=2026-11-22/hr=10/notes.txt.gz"
    world.landing.lake.put(key, gzip.compress(b'{"n":1}\n'))
    assert kinds(world.reconcile())[0][0] is Kind.ORPHAN
    assert world.landing.lake.get(quarantine_key(key))


def test_an_object_of_a_minute_that_is_not_sealed_stays_where_it_is(world: World) -> None:
    key = put_object(world.landing.lake, TABLE, FIRST.plus(-1), 0, 0, 1).key
    result = world.reconcile()
    assert kinds(result)[1][0] is Kind.GAP
    assert result.stays[0].remedy == "Run the DAG reland from 2026-11-22T10:57 to 2026-11-22T10:57."
    assert key in world.objects()


def test_an_hour_that_athena_does_not_see_is_crawled(empty: World) -> None:
    empty.send(LAST, b'{"n":1}')
    empty.land(NEXT, LAST)
    assert kinds(empty.reconcile()) == ([Kind.UNCATALOGUED], [])


def test_a_crawler_that_fails_is_said(empty: World) -> None:
    empty.send(LAST, b'{"n":1}')
    empty.land(NEXT, LAST)
    blind = replace(empty.sides, crawler="none-such")
    [result] = reconcile(blind, (HOUR,), NOW)
    assert [f.kind for f in result.stays] == [Kind.UNCATALOGUED]
    assert "did not run the crawler 'none-such'" in result.stays[0].remedy
    assert time_may_heal([result])


def test_offsets_of_a_minute_that_is_not_sealed_are_a_gap_until_it_is_landed(world: World) -> None:
    world.landing.lake.delete([manifest_key(TABLE, LAST)])
    result = world.reconcile()
    assert Kind.GAP in kinds(result)[1]
    with pytest.raises(
        LakeError,
        match=r"gap: 2026-11-22T10:59: in no manifest: partition 0 offsets 2 to 3; partition 2 offsets 0 to 0",
    ):
        require_agreement([result])
    world.land(LAST)
    assert kinds(world.reconcile()) == ([], [])


def test_an_hour_that_is_not_sealed_to_its_end_is_a_gap(empty: World) -> None:
    empty.land(FIRST)
    [gap] = empty.reconcile().stays
    assert (gap.kind, gap.subject, gap.seen) == (Kind.GAP, str(LAST), "not sealed, and nothing after it is")


@pytest.mark.parametrize(("start", "kind"), [(3, Kind.GAP), (1, Kind.OVERLAP)])
def test_sealed_minutes_that_do_not_touch_are_said(world: World, start: int, kind: Kind) -> None:
    manifest = world.manifest(LAST)
    moved = [OffsetRange(0, start, 4) if s.partition == 0 else s for s in manifest.slices]
    world.put_manifest(replace(manifest, slices=tuple(moved)))
    stays = world.reconcile().stays
    assert (stays[0].kind, stays[0].subject) == (kind, "2026-11-22T10:58 to 2026-11-22T10:59")


def test_sealed_minutes_touch_over_the_hours_edge(world: World) -> None:
    manifest = world.manifest(NEXT)
    world.put_manifest(replace(manifest, slices=(OffsetRange(0, 5, 5), *manifest.slices[1:])))
    for hour in (HOUR, HOUR.plus(1)):  # the next hour was landed first: it begins at the origin
        assert world.reconcile(hour).stays[0].subject == "the origin 2026-11-22T11:00 to 2026-11-22T11:00"


def test_an_object_with_more_lines_than_its_manifest_says_is_said(world: World) -> None:
    manifest = world.manifest(FIRST)
    world.put_manifest(replace(manifest, objects=(replace(manifest.objects[0], records=1),)))
    result = world.reconcile()
    assert kinds(result) == ([], [Kind.COUNT, Kind.COUNT])
    assert [f.seen for f in result.stays] == [
        "2 lines, 1 in its manifest",
        "Athena counts 3 rows, 3 distinct; the manifests say 2",
    ]


def test_offsets_lost_before_they_were_landed_fail_and_are_not_tried_again(empty: World) -> None:
    empty.land(FIRST)
    empty.send(LAST, b'{"n":1}', b'{"n":2}')
    delete_before(empty.topic, 1)
    with pytest.raises(LostOffsetsError):
        empty.land(LAST)
    empty.land(NEXT)
    result = empty.reconcile()
    assert kinds(result) == ([Kind.UNCATALOGUED], [Kind.LOST])
    assert (result.lost, result.stays[0].subject) == (1, "2026-11-22T10:59")
    assert not time_may_heal([result])


def test_offsets_that_kafka_dropped_after_they_were_landed_are_no_difference(world: World) -> None:
    delete_before(world.topic, 3)
    result = world.reconcile()
    assert kinds(result) == ([], [])
    assert result.kafka_partitions == 2


def test_another_topic_with_the_same_offsets_is_seen_by_its_first_and_last_record(world: World) -> None:
    other = make_topic(world.topic, f"other-{world.topic.name}")
    other.send(*[b'{"n":1}'] * 3, at=FIRST.start_ms + 1)
    reader = other.reader()
    result = reconcile(replace(world.sides, landing=replace(world.landing, reader=reader)), (HOUR,), NOW)[0]
    reader.close()
    assert kinds(result) == ([], [Kind.KAFKA, Kind.KAFKA])
    assert result.stays[0].seen == (
        "the log ends at 3, the manifests at 4; its first record is offset 0 of "
        f"{FIRST.start_ms + 1} ms, in S3 it is offset 0 of {FIRST.start_ms} ms"
    )


def test_a_topic_made_again_is_seen_by_its_id(world: World) -> None:
    world.put_manifest(replace(world.manifest(LAST), topic_id="before"))
    again = replace(world.sides, landing=replace(world.landing, topic_id="after"))
    [result] = reconcile(again, (HOUR,), NOW)
    assert kinds(result) == ([], [Kind.KAFKA])
    assert result.stays[0].seen == "landed from the topic with the id before, now it is after"


def make_topic(topic: TestTopic, name: str) -> TestTopic:
    new = NewTopic(name, 3, 1, config={"message.timestamp.type": "CreateTime"})
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    create_topics(admin, new)
    return replace(topic, stream=replace(topic.stream, topic=replace(topic.stream.topic, name=name)))


def test_without_repair_nothing_is_changed(world: World) -> None:
    world.landing.lake.delete([world.manifest(FIRST).objects[0].key])
    put_object(world.landing.lake, TABLE, FIRST, 0, 0, 1)
    before = world.objects()
    repaired, stays = kinds(world.reconcile(repair=False))
    assert (repaired, set(stays)) == ([], {Kind.MISSING, Kind.ORPHAN, Kind.COUNT})
    assert world.objects() == before


def test_an_hour_before_the_table_began_agrees(world: World) -> None:
    assert kinds(world.reconcile(HOUR.plus(-5))) == ([], [])


def test_an_hour_that_is_not_over_is_refused(world: World) -> None:
    with pytest.raises(SettingsError, match="2026-11-23T00 is not over yet"):
        world.reconcile(Hour.parse("2026-11-23T00"))
