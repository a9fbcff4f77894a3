"""Each rule's finding, to the letter: what is wrong, where, and what to do about it; and when there is none."""

from dataclasses import replace

import pytest

from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Hour, Minute
from ticklake.core.proof import reconcile
from ticklake.core.proof.reconcile import (
    Ends,
    Finding,
    Kind,
    Place,
    continuity,
    kafka,
    landed_ends,
    losses,
    objects,
    rows,
    spans,
    stored,
    topic,
)

HOUR = Hour.parse("2026-11-22T10")
MINUTE = Minute.parse("2026-11-22T10:05")
LAND_AGAIN, OTHER_TOPIC = reconcile._LAND_AGAIN, reconcile._OTHER_TOPIC


def stored_object(zone: str, partition: int, start: int, end: int, records: int) -> StoredObject:
    key = str(ObjectKey(zone, "ticks", MINUTE, partition, start, end))
    return StoredObject(key, partition, start, end, records, 1000 * records, f"sum {key}")


ROWS = stored_object(RAW, 0, 0, 4, 3)
MORE = stored_object(RAW, 1, 7, 2000, 1990)
DEAD = stored_object(REJECTED, 0, 0, 4, 1)
MANIFEST = Manifest(
    "ticks", "t", "c", "id-1", MINUTE, "2026-11-22T10:06:00+00:00", "r",
    (OffsetRange(0, 0, 4), OffsetRange(1, 7, 2000)), (ROWS, MORE),
    (DEAD,), (), None, None, 0, 0, {},
)  # fmt: skip


def content(checksum: str, lines: int | None, first: Place | None = None, last: Place | None = None) -> Content:
    return Content(bytes=0, checksum=checksum, lines=lines, first=first, last=last)


LISTED = {o.key: o.bytes for o in (ROWS, MORE, DEAD)}
CONTENTS = {
    ROWS.key: content(ROWS.checksum, 3, (0, 10), (2, 12)),
    MORE.key: content(MORE.checksum, 1990, (7, 5), (1999, 99)),
    DEAD.key: content(DEAD.checksum, 1, (3, 13), (3, 13)),
}


def of_objects(listed: dict[str, int] = LISTED, contents: dict[str, Content] = CONTENTS) -> list[Finding]:
    return list(objects([MANIFEST], listed, contents))


def without(those: dict, key: str) -> dict:
    return {k: v for k, v in those.items() if k != key}


def test_objects_that_are_as_their_manifest_says_are_no_finding() -> None:
    assert of_objects() == []
    assert list(stored([MANIFEST])) == [ROWS, MORE, DEAD]


@pytest.mark.parametrize("one", [ROWS, DEAD])
def test_an_object_that_is_not_there_is_missing(one: StoredObject) -> None:
    found = of_objects(listed=without(LISTED, one.key))
    assert found == [Finding(Kind.MISSING, one.key, "in its manifest and not in S3", LAND_AGAIN)]


def test_an_object_of_another_size_is_damaged_and_was_not_read() -> None:
    found = of_objects({**LISTED, MORE.key: 12_345}, without(CONTENTS, MORE.key))
    assert found == [Finding(Kind.DAMAGED, MORE.key, "12,345 bytes, 1,990,000 in its manifest", LAND_AGAIN)]


@pytest.mark.parametrize("read", [content("another", 3), content(ROWS.checksum, None)])
def test_an_object_with_other_bytes_or_without_readable_lines_is_damaged(read: Content) -> None:
    found = of_objects(contents={**CONTENTS, ROWS.key: read})
    assert found == [Finding(Kind.DAMAGED, ROWS.key, "other bytes than its manifest says", LAND_AGAIN)]


def test_the_sealed_bytes_with_another_number_of_lines_accuse_the_manifest() -> None:
    found = of_objects(contents={**CONTENTS, MORE.key: replace(CONTENTS[MORE.key], lines=1991)})
    changed = "The bytes are those that were sealed: its manifest was changed."
    assert found == [Finding(Kind.COUNT, MORE.key, "1,991 lines, 1,990 in its manifest", changed)]


def test_what_lies_there_and_is_in_no_manifest_is_an_orphan_once_its_minute_is_sealed() -> None:
    orphan = str(ObjectKey(RAW, "ticks", MINUTE, 2, 0, 1))
    unsealed = MINUTE.plus(1)
    waiting = [str(ObjectKey(RAW, "ticks", unsealed, p, 0, 1)) for p in (0, 1)]
    foreign = "raw/ticks/dt=2026-11-22/hr=10/notes.txt"
    moved = "Reconcile with `repair` moves it to quarantine/."
    assert of_objects(listed={**LISTED, **dict.fromkeys([*waiting, orphan, foreign], 1)}) == [
        Finding(Kind.ORPHAN, orphan, "in S3 and in no manifest", moved),
        Finding(Kind.ORPHAN, foreign, "in S3 and in no manifest", moved),
        Finding(
            Kind.GAP,
            "2026-11-22T10:06",
            "not sealed, but 2 objects lie there: it is being landed, or an attempt was killed",
            "Run the DAG reland from 2026-11-22T10:06 to 2026-11-22T10:06.",
        ),
    ]


def test_offsets_that_were_gone_before_they_were_landed_are_said_minute_by_minute() -> None:
    lost = replace(MANIFEST, lost=(OffsetRange(1, 7, 9),))
    assert list(losses([MANIFEST, lost])) == [
        Finding(
            Kind.LOST,
            "2026-11-22T10:05",
            "partition 1 offsets 7 to 8 were gone before they were landed",
            "Nothing brings them back; raise the topic's retention.",
        )
    ]


AGREED = {0: (3, 3), 1: (1990, 1990)}


def of_rows(answer: dict[int, tuple[int, int]] | LakeError | None) -> list[Finding]:
    return list(rows([MANIFEST], answer, "ticks", HOUR))


def test_athena_counts_the_rows_of_all_manifests() -> None:
    assert of_rows(AGREED) == []
    assert list(rows([MANIFEST, MANIFEST], {0: (6, 6), 1: (3980, 3980)}, "ticks", HOUR)) == []


@pytest.mark.parametrize(
    ("answer", "partition", "seen"),
    [
        ({**AGREED, 1: (1991, 1990)}, 1, "Athena counts 1,991 rows, 1,990 distinct; the manifests say 1,990"),
        ({**AGREED, 1: (1991, 1991)}, 1, "Athena counts 1,991 rows, 1,991 distinct; the manifests say 1,990"),
        ({0: (3, 3)}, 1, "Athena counts 0 rows, 0 distinct; the manifests say 1,990"),
        ({**AGREED, 2: (1, 1)}, 2, "Athena counts 1 rows, 1 distinct; the manifests say 0"),
    ],
)
def test_another_count_of_a_kafka_partition_is_a_finding(
    answer: dict[int, tuple[int, int]], partition: int, seen: str
) -> None:
    remedy = "Nothing when an object is missing or no manifest's: see there. Else query them by kafka_offset."
    assert of_rows(answer) == [Finding(Kind.COUNT, f"2026-11-22T10 Kafka partition {partition}", seen, remedy)]


def test_a_query_that_failed_is_a_finding_in_its_own_words() -> None:
    remedy = "A damaged object or one that is none of ours? See there."
    assert of_rows(LakeError("no zip", "x")) == [Finding(Kind.COUNT, "2026-11-22T10", "no zip", remedy)]


def test_an_hour_with_rows_that_the_catalog_does_not_know_is_uncatalogued_and_one_without_is_not() -> None:
    remedy = "Reconcile with `repair` runs the crawler; by hand: a run of s3_to_catalog with the key 2026-11-22T10."
    assert of_rows(None) == [
        Finding(Kind.UNCATALOGUED, "ticks dt=2026-11-22/hr=10", "1,993 rows that Athena does not see", remedy)
    ]
    assert list(rows([replace(MANIFEST, objects=())], None, "ticks", HOUR)) == []


def test_the_span_of_some_manifests_reaches_from_their_first_offset_to_their_last() -> None:
    later = replace(MANIFEST, slices=(OffsetRange(0, 4, 9), OffsetRange(1, 2000, 2000), OffsetRange(2, 0, 1)))
    for order in ([MANIFEST, later], [later, MANIFEST]):
        assert spans(order) == {0: (0, 9), 1: (7, 2000), 2: (0, 1)}


def test_the_ends_of_what_lies_in_s3_are_of_rows_and_rejected_records_together() -> None:
    assert landed_ends([MANIFEST], CONTENTS) == {
        0: Ends((0, 10), (3, 13), 4),
        1: Ends((7, 5), (1999, 99), 2000),
    }
    nothing = {key: replace(read, first=None, last=None) for key, read in CONTENTS.items()}
    assert landed_ends([MANIFEST], nothing) == {0: Ends(None, None, 4), 1: Ends(None, None, 2000)}


def test_another_topic_is_seen_by_its_id_and_an_unknown_id_is_no_other_topic() -> None:
    unknown, other = replace(MANIFEST, topic_id=None), replace(MANIFEST, topic_id="id-0")
    assert list(topic(HOUR, [MANIFEST, unknown], "id-1")) == []
    assert list(topic(HOUR, [MANIFEST, other], None)) == []
    seen = "landed from the topic with the id id-0, id-1, now it is id-2"
    assert list(topic(HOUR, [MANIFEST, other], "id-2")) == [Finding(Kind.KAFKA, "2026-11-22T10", seen, OTHER_TOPIC)]


OURS = Ends((0, 10), (3, 13), 4)


@pytest.mark.parametrize(
    ("theirs", "seen"),
    [
        (OURS, None),
        (Ends(None, None, 4), None),
        (replace(OURS, end=5), None),
        (replace(OURS, end=3), "the log ends at 3, the manifests at 4"),
        (replace(OURS, first=(0, 11)), "its first record is offset 0 of 11 ms, in S3 it is offset 0 of 10 ms"),
        (replace(OURS, last=(3, 14)), "its last record is offset 3 of 14 ms, in S3 it is offset 3 of 13 ms"),
        (
            Ends((1, 10), (3, 14), 4),
            "its first record is offset 1 of 10 ms, in S3 it is offset 0 of 10 ms; "
            "its last record is offset 3 of 14 ms, in S3 it is offset 3 of 13 ms",
        ),
    ],
)
def test_what_kafka_still_holds_must_be_what_lies_in_s3(theirs: Ends, seen: str | None) -> None:
    found = list(kafka(HOUR, {0: OURS, 1: OURS}, {0: theirs, 2: OURS}))
    assert found == ([Finding(Kind.KAFKA, "2026-11-22T10 Kafka partition 0", seen, OTHER_TOPIC)] if seen else [])


def sealed(minute: Minute, *slices: OffsetRange) -> Manifest:
    return replace(MANIFEST, minute=minute, slices=slices)


def test_two_sealed_minutes_that_overlap_are_to_be_looked_into_by_a_person() -> None:
    manifests = [sealed(MINUTE, OffsetRange(0, 0, 5)), sealed(MINUTE.plus(1), OffsetRange(0, 3, 9))]
    [overlap, end] = continuity(HOUR, manifests)
    assert overlap == Finding(
        Kind.OVERLAP,
        "2026-11-22T10:05 to 2026-11-22T10:06",
        "in two manifests: partition 0 offsets 3 to 4",
        "Both are sealed: look into their manifests under manifests/, one of them was changed or restored wrongly.",
    )
    assert end == Finding(
        Kind.GAP,
        "2026-11-22T10:07 to 2026-11-22T10:59",
        "not sealed, and nothing after it is",
        "Run the DAG reland from 2026-11-22T10:07 to 2026-11-22T10:59.",
    )


def test_of_many_partitions_with_a_gap_five_are_shown_and_the_others_counted() -> None:
    before = sealed(MINUTE, *(OffsetRange(p, 0, 1) for p in range(7)))
    after = sealed(MINUTE.plus(1), *(OffsetRange(p, 3, 3) for p in range(7)))
    gap = next(continuity(HOUR, [after, before]))
    shown = "; ".join(f"partition {p} offsets 1 to 2" for p in range(5))
    assert gap.seen == f"in no manifest: {shown} and 2 more"
    five = [replace(m, slices=m.slices[:5]) for m in (before, after)]
    assert next(continuity(HOUR, five)).seen == f"in no manifest: {shown}"


def test_an_hour_that_nothing_reaches_is_a_gap_from_its_first_minute_on() -> None:
    [gap] = continuity(HOUR, [sealed(MINUTE.plus(-600), OffsetRange(0, 0, 1))])
    assert gap.subject == "2026-11-22T10:00 to 2026-11-22T10:59"
    assert list(continuity(HOUR, [])) == []


def test_a_partition_that_the_minute_after_does_not_know_began_there_at_0() -> None:
    before, after = (
        sealed(MINUTE, OffsetRange(0, 0, 1), OffsetRange(1, 0, 5)),
        sealed(MINUTE.plus(1), OffsetRange(0, 1, 1)),
    )
    overlap = next(continuity(HOUR, [before, after]))
    assert (overlap.kind, overlap.seen) == (Kind.OVERLAP, "in two manifests: partition 1 offsets 0 to 4")


def test_an_overlap_with_the_origin_names_it() -> None:
    overlap = next(continuity(HOUR, [sealed(MINUTE, OffsetRange(0, 0, 5)), Origin(MINUTE.plus(1), {0: 3}, None)]))
    assert overlap.subject == "2026-11-22T10:05 to the origin 2026-11-22T10:06"
