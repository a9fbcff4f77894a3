"""Which of the things that Kafka may give now are what was sealed."""

import io
from dataclasses import replace

import pytest

from tests.core.landing.test_manifest import MANIFEST
from ticklake.core.landing.gzip_writer import Packed
from ticklake.core.landing.manifest import StoredObject
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.rewrite import differs, has_rows_of, not_in_log

STORED = StoredObject("raw/k", 0, 5, 9, 3, 120, "sum", 77, "isal")
OLD = replace(STORED, crc32=None, encoder=None)
MADE = Packed(5, 9, 3, 120, "sum", 77, "isal", io.BytesIO())
REPACKED = replace(MADE, size=130, checksum="other", encoder="zlib")
SPAN = (1, 2)  # the manifest's


@pytest.mark.parametrize(
    ("stored", "made"),
    [
        (STORED, MADE),
        (STORED, REPACKED),
        (STORED, replace(REPACKED, encoder="isal")),  # the rows' checksum says it, whatever the names of encoders
        (OLD, MADE),
        (OLD, REPACKED),
        (replace(OLD, encoder="isal"), REPACKED),
    ],
)
def test_the_same_rows_may_take_an_objects_place_whatever_packed_them(stored: StoredObject, made: Packed) -> None:
    assert differs(MANIFEST, stored, made, SPAN) is None


@pytest.mark.parametrize(
    ("stored", "made", "why"),
    [
        (STORED, None, "gives 0 of its 3 records: the topic was compacted"),
        (STORED, replace(MADE, records=2), "gives 2 of its 3 records: the topic was compacted"),
        (STORED, replace(MADE, records=4), "gives 4 rows where 3 were sealed"),
        (STORED, replace(REPACKED, crc32=78), "as many records, but other ones"),
        (STORED, replace(REPACKED, crc32=78, encoder="isal"), "as many records, but other ones"),
        (replace(OLD, encoder="isal"), replace(REPACKED, encoder="isal"), "as many records, but other ones"),
    ],
)
def test_fewer_more_or_other_rows_may_not(stored: StoredObject, made: Packed | None, why: str) -> None:
    assert why in (differs(MANIFEST, stored, made, SPAN) or "")


@pytest.mark.parametrize("span", [(0, 2), (1, 3), (None, None)])
def test_records_of_other_times_than_the_manifests_are_others(span: tuple[int | None, int | None]) -> None:
    """All that tells where an older manifest knows neither encoder nor the rows' checksum, and no topic id."""
    assert "other ones" in (differs(MANIFEST, OLD, REPACKED, span) or "")
    assert "other ones" in (
        differs(replace(MANIFEST, min_timestamp=None, max_timestamp=None), OLD, REPACKED, SPAN) or ""
    )


@pytest.mark.parametrize(
    ("low", "high", "why"),
    [
        (5, 9, None),
        (0, 50, None),
        (6, 9, "holds partition 0 from offset 6 on only (retention): its offsets 5 to 5 are gone"),
        (20, 50, "holds partition 0 from offset 20 on only (retention): its offsets 5 to 8 are gone"),
        (0, 8, "the log of partition 0 ends at offset 8, short of its end 9"),
    ],
)
def test_the_log_gives_what_it_spans(low: int, high: int, why: str | None) -> None:
    found = not_in_log(STORED, {0: low}, {0: high})
    assert found is None if why is None else why in (found or "")


def test_a_partition_that_the_topic_no_longer_has_is_named() -> None:
    assert "has no partition 0 any more" in (not_in_log(STORED, {}, {}) or "")


@pytest.mark.parametrize(
    ("stored", "lines", "crc32", "same"),
    [(STORED, 3, 77, True), (STORED, 2, 77, False), (STORED, 3, 78, False), (STORED, None, None, False)],
)
def test_an_object_has_the_rows_that_were_sealed_when_their_number_and_checksum_are_the_same(
    stored: StoredObject, lines: int | None, crc32: int | None, same: bool
) -> None:
    assert has_rows_of(Content(130, "other", lines, None, None, crc32), stored) is same


def test_without_a_checksum_of_the_rows_nothing_is_proven_of_an_object() -> None:
    assert not has_rows_of(Content(130, "other", 3, None, None, None), OLD)


def test_the_reasons_are_said_to_their_end() -> None:
    assert differs(MANIFEST, STORED, None, SPAN) == (
        "Kafka gives 0 of its 3 records: the topic was compacted since, or a broker answered short"
    )
    assert differs(MANIFEST, STORED, replace(REPACKED, crc32=78), SPAN) == (
        "Kafka gives as many records, but other ones: other rules made its rows, or it is another topic"
    )
    assert not_in_log(STORED, {}, {}) == "the topic has no partition 0 any more: its offsets 5 to 8 are gone"
    assert not_in_log(STORED, {0: 0}, {0: 7}) == (
        "the log of partition 0 ends at offset 7, short of its end 9: "
        "the log was cut back, or the broker that answered is behind"
    )


@pytest.mark.parametrize("span", [(1, 1), (2, 2), (1, 2)])
def test_records_within_the_times_of_the_manifest_may_be_the_same(span: tuple[int, int]) -> None:
    assert differs(replace(MANIFEST, min_timestamp=1, max_timestamp=2), OLD, REPACKED, span) is None


@pytest.mark.parametrize("outer", [(None, 2), (1, None)])
def test_a_manifest_without_one_of_its_times_proves_nothing(outer: tuple[int | None, int | None]) -> None:
    manifest = replace(MANIFEST, min_timestamp=outer[0], max_timestamp=outer[1])
    assert differs(manifest, OLD, REPACKED, SPAN) is not None
