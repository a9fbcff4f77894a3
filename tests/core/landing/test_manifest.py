import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.refusal import refusal
from ticklake.core.errors import LakeError, TicklakeError
from ticklake.core.landing.manifest import Manifest, StoredObject, with_bytes_of
from ticklake.core.landing.object_key import RAW, ObjectKey
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute

MANIFEST = Manifest(
    table="stock_ticks",
    topic="stock_ticks",
    cluster_id="abc",
    topic_id="Q1w3pUxDR0-hcZpXVVRsLw",
    minute=Minute.parse("2026-11-22T10:05"),
    sealed_at="2026-11-22T10:06:02.000+00:00",
    run_id="r",
    slices=(OffsetRange(0, 5, 9), OffsetRange(1, 7, 7)),
    objects=(StoredObject("raw/k", 0, 5, 9, 3, 120, "c"),),
    rejected_objects=(StoredObject("rejected/k", 0, 5, 9, 1, 80, "d"),),
    lost=(),
    min_timestamp=1,
    max_timestamp=2,
    early=0,
    late=1,
    seconds={"write": 0.1},
)

offsets = st.integers(0, 2**63 - 1)
slices = st.builds(lambda p, a, b: OffsetRange(p, min(a, b), max(a, b)), st.integers(0, 99_999), offsets, offsets)
objects = st.builds(
    StoredObject, st.text(), st.integers(0), offsets, offsets, st.integers(0), st.integers(0), st.text(),
    st.none() | st.integers(0, 2**32 - 1), st.sampled_from([None, "isal", "zlib"]),
)  # fmt: skip
manifests = st.builds(
    Manifest, st.text(), st.text(), st.text(), st.none() | st.text(), st.just(MANIFEST.minute), st.text(), st.text(),
    st.lists(slices).map(tuple),
    st.lists(objects).map(tuple), st.lists(objects).map(tuple), st.lists(slices).map(tuple), st.none() | offsets,
    st.none() | offsets, st.integers(0), st.integers(0), st.dictionaries(st.text(), st.floats(0, 1e6)),
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["partition", "start", "end"]), inner),
)


@given(manifests)
def test_a_manifest_survives_its_json(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


@given(st.sampled_from(sorted(json.loads(MANIFEST.to_json()))), anything)
def test_a_manifest_with_any_field_spoiled_is_read_or_refused_in_words(field: str, value: object) -> None:
    spoiled = json.dumps({**json.loads(MANIFEST.to_json()), field: value}).encode()
    said = refusal(Manifest.from_json, spoiled)
    if said is None:
        manifest = Manifest.from_json(spoiled)
        assert Manifest.from_json(manifest.to_json()) == manifest
    else:
        assert re.search("manifest|minute", said)


@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_manifest_or_refused_in_words(body: bytes) -> None:
    with pytest.raises(TicklakeError):
        Manifest.from_json(body)


def test_a_manifest_of_an_empty_minute_survives() -> None:
    empty = replace(MANIFEST, objects=(), rejected_objects=(), min_timestamp=None, max_timestamp=None)
    assert Manifest.from_json(empty.to_json()) == empty
    assert empty.records == 0


def test_a_manifest_from_before_topic_ids_is_read_with_its_topic_not_known() -> None:
    document = json.loads(MANIFEST.to_json())
    del document["topic_id"]
    assert Manifest.from_json(json.dumps(document).encode()) == replace(MANIFEST, topic_id=None)


ONE = StoredObject("raw/1", 0, 5, 7, 2, 120, "c", 9, "isal")
OTHER = StoredObject("raw/2", 0, 7, 9, 2, 130, "d", 8, "zlib")


def test_an_encoder_stands_once_and_with_an_object_only_where_it_is_another_one() -> None:
    """A minute may list hundreds of objects, nearly always packed by one encoder."""
    manifest = replace(MANIFEST, objects=(ONE, replace(ONE, key="raw/3"), OTHER, replace(OTHER, encoder=None)))
    document = json.loads(manifest.to_json())
    assert document["encoder"] == "isal"
    assert [o.get("encoder", "-") for o in document["objects"]] == ["-", "-", "zlib", None]
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_a_manifest_from_before_encoders_is_read_with_none_known() -> None:
    document = json.loads(replace(MANIFEST, objects=(ONE,)).to_json())
    del document["encoder"], document["objects"][0]["crc32"]
    [read] = Manifest.from_json(json.dumps(document).encode()).objects
    assert read == replace(ONE, crc32=None, encoder=None)


@pytest.mark.parametrize("encoder", ["isal", "zlib", None])
def test_new_bytes_of_an_object_change_nothing_else_of_its_manifest(encoder: str | None) -> None:
    """What a later version has added to it stays, too."""
    manifest = replace(MANIFEST, objects=(ONE, OTHER))
    before = {**json.loads(manifest.to_json()), "added": "later"}
    before["objects"][0]["also"] = "later"
    new = replace(ONE, bytes=99, checksum="new", encoder=encoder)
    body = with_bytes_of(json.dumps(before).encode(), [new])
    after = json.loads(body)
    changed = after["objects"][0]
    assert Manifest.from_json(body) == replace(manifest, objects=(new, OTHER))
    assert changed.pop("encoder", "isal") == encoder
    assert changed == {**before["objects"][0], "bytes": 99, "checksum": "new"}
    assert {**after, "objects": 0} == {**before, "objects": 0}
    assert after["objects"][1:] == before["objects"][1:]


@pytest.mark.parametrize("change", [{"key": "raw/9"}, {"records": 3}, {"start": 6}, {"end": 8}, {"crc32": 1}])
def test_an_object_that_the_manifest_does_not_list_so_is_not_put_into_it(change: dict[str, Any]) -> None:
    with pytest.raises(LakeError, match="does not list raw/"):
        with_bytes_of(replace(MANIFEST, objects=(ONE,)).to_json(), [replace(ONE, **change)])


def test_a_newer_version_is_refused_in_words() -> None:
    newer = json.dumps({**json.loads(MANIFEST.to_json()), "version": 2}).encode()
    with pytest.raises(
        LakeError, match=r"version 2, this Ticklake reads 1.* Update Ticklake: a newer one has written to this bucket\."
    ):
        Manifest.from_json(newer)


@pytest.mark.parametrize(
    "change", [{"records": 4}, {"slices": [{"partition": 0, "start": 9, "end": 5}]}, {"minute": "x"}]
)
def test_a_manifest_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"contradicts itself|not a manifest|is not a minute"):
        Manifest.from_json(json.dumps({**json.loads(MANIFEST.to_json()), **change}).encode())


def test_what_is_not_json_is_not_a_manifest() -> None:
    with pytest.raises(LakeError, match="not a manifest: JSONDecodeError"):
        Manifest.from_json(b"<xml/>")


def test_an_object_that_another_encoder_packed_again_as_the_usual_one_loses_the_name_of_the_other() -> None:
    written_by_another = replace(MANIFEST, objects=(replace(ONE, encoder="zlib"), OTHER)).to_json()
    [first, *_] = Manifest.from_json(with_bytes_of(written_by_another, [replace(ONE, bytes=99)])).objects
    assert (first.bytes, first.encoder) == (99, ONE.encoder)


KEY = ObjectKey(RAW, "stock_ticks", MANIFEST.minute, 0, 5, 9)
AT_HOME = replace(MANIFEST, objects=(StoredObject(str(KEY), 0, 5, 9, 3, 120, "c"),), rejected_objects=())


def test_a_manifest_is_at_home_where_it_was_written() -> None:
    assert refusal(AT_HOME.require_at_home, "stock_ticks", MANIFEST.minute) is None


@pytest.mark.parametrize("place", [("stock_ticks", MANIFEST.minute.plus(1)), ("other", MANIFEST.minute)])
def test_a_manifest_that_was_copied_to_another_minute_or_table_is_refused(place: tuple[str, Minute]) -> None:
    with pytest.raises(
        LakeError, match=r"This is the manifest of stock_ticks at 2026-11-22T10:05\. Landing did not write it so"
    ):
        AT_HOME.require_at_home(*place)


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, zone="rejected"),
        replace(KEY, table="other"),
        replace(KEY, minute=MANIFEST.minute.plus(1)),
        replace(KEY, partition=1),
        replace(KEY, end=10),
        "manifests/stock_ticks/dt=2026-11-22/1005.json",
    ],
)
def test_a_manifest_that_lists_what_is_not_its_own_is_refused(key: object) -> None:
    forged = replace(AT_HOME, objects=(replace(AT_HOME.objects[0], key=str(key)),))
    with pytest.raises(
        LakeError,
        match=r"This manifest lists .* in the place of raw/stock_ticks/dt=2026-11-22/hr=10/1005-.*back the version before it\.",
    ):
        forged.require_at_home("stock_ticks", MANIFEST.minute)
