import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.refusal import refusal
from ticklake.core.errors import LakeError, TicklakeError
from ticklake.core.keys import RAW, ObjectKey
from ticklake.core.manifest import Manifest, StoredObject
from ticklake.core.minute import Minute
from ticklake.core.slices import Slice

MANIFEST = Manifest(
    table="stock_ticks",
    topic="stock_ticks",
    cluster_id="abc",
    topic_id="Q1w3pUxDR0-hcZpXVVRsLw",
    minute=Minute.parse("2026-11-22T10:05"),
    sealed_at="2026-11-22T10:06:02.000+00:00",
    run_id="r",
    slices=(Slice(0, 5, 9), Slice(1, 7, 7)),
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
slices = st.builds(lambda p, a, b: Slice(p, min(a, b), max(a, b)), st.integers(0, 99_999), offsets, offsets)
objects = st.builds(
    StoredObject, st.text(), st.integers(0), offsets, offsets, st.integers(0), st.integers(0), st.text()
)
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


def test_a_newer_version_is_refused_in_words() -> None:
    newer = json.dumps({**json.loads(MANIFEST.to_json()), "version": 2}).encode()
    with pytest.raises(LakeError, match="version 2, this Ticklake reads 1"):
        Manifest.from_json(newer)


@pytest.mark.parametrize(
    "change", [{"records": 4}, {"slices": [{"partition": 0, "start": 9, "end": 5}]}, {"minute": "x"}]
)
def test_a_manifest_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"contradicts itself|not a manifest|is not a minute"):
        Manifest.from_json(json.dumps({**json.loads(MANIFEST.to_json()), **change}).encode())


def test_what_is_not_json_is_not_a_manifest() -> None:
    with pytest.raises(LakeError, match="not a manifest"):
        Manifest.from_json(b"<xml/>")


KEY = ObjectKey(RAW, "stock_ticks", MANIFEST.minute, 0, 5, 9)
AT_HOME = replace(MANIFEST, objects=(StoredObject(str(KEY), 0, 5, 9, 3, 120, "c"),), rejected_objects=())


def test_a_manifest_is_at_home_where_it_was_written() -> None:
    assert refusal(AT_HOME.require_at_home, "stock_ticks", MANIFEST.minute) is None


@pytest.mark.parametrize("place", [("stock_ticks", MANIFEST.minute.plus(1)), ("other", MANIFEST.minute)])
def test_a_manifest_that_was_copied_to_another_minute_or_table_is_refused(place: tuple[str, Minute]) -> None:
    with pytest.raises(LakeError, match="This is the manifest of stock_ticks at 2026-11-22T10:05"):
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
        LakeError, match=r"This manifest lists .* in the place of raw/stock_ticks/dt=2026-11-22/hr=10/1005-"
    ):
        forged.require_at_home("stock_ticks", MANIFEST.minute)
