import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import LakeError
from ticklake.core.landing.object_key import (
    RAW,
    REJECTED,
    ObjectKey,
    counts_key,
    day_counts_key,
    day_reconciled_key,
    hour_prefix,
    manifest_key,
    manifest_minute,
    minute_prefix,
    origin_key,
    quarantine_key,
    reconciled_key,
    redriven_key,
    total_counts_key,
    total_reconciled_key,
)
from ticklake.core.minute import Minute

minutes = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(Minute.containing)
offsets = st.integers(0, 2**63 - 1)


def test_a_key_is_the_one_in_the_contract() -> None:
    key = ObjectKey(RAW, "stock_ticks", Minute.parse("2026-11-22T10:05"), 3, 123456, 124001)
    assert str(key) == (
        "raw/stock_ticks/dt=2026-11-22/hr=10/1005-p00003-00000000000000123456-00000000000000124001.jsonl.gz"
    )


@given(st.sampled_from([RAW, REJECTED]), minutes, st.integers(0, 99_999), offsets, offsets)
def test_a_key_survives_its_text(zone: str, minute: Minute, partition: int, a: int, b: int) -> None:
    key = ObjectKey(zone, "stock_ticks", minute, partition, min(a, b), max(a, b))
    assert ObjectKey.parse(str(key)) == key
    assert str(key).startswith(minute_prefix(zone, "stock_ticks", minute))
    assert str(key).startswith(hour_prefix(zone, "stock_ticks", minute.hour))


@given(
    st.text() | st.from_regex(r"(raw|rejected)/\w+/dt=\d{4}-\d\d-\d\d/hr=\d\d/\d{4}-p\d{5}-\d{20}-\d{20}\.jsonl\.gz")
)
def test_any_text_is_one_of_our_keys_to_the_letter_or_refused(text: str) -> None:
    try:
        key = ObjectKey.parse(text)
    except LakeError:
        return
    assert str(key) == text


@given(minutes, minutes)
def test_manifests_sort_by_minute_so_that_listings_are_in_order_of_time(a: Minute, b: Minute) -> None:
    keys = [manifest_key("t", a), manifest_key("t", b)]
    assert (keys[0] < keys[1]) == (a < b)
    assert manifest_minute(keys[0]) == a


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (
            "raw/t/dt=2026-11-22/hr=10/1105-p00003-00000000000000123456-00000000000000124001.jsonl.gz",
            "is not the key of a landed object",
        ),
        (
            "raw/t/dt=2026-11-22/hr=10/1061-p00003-00000000000000123456-00000000000000124001.jsonl.gz",
            "names no minute that exists",
        ),
        ("raw/t/dt=2026-11-22/hr=10/notes.txt", "is not the key of a landed object"),
    ],
)
def test_a_key_that_contradicts_itself_is_not_ours_and_is_named(key: str, said: str) -> None:
    with pytest.raises(LakeError, match=f"^{re.escape(repr(key))} {said}"):
        ObjectKey.parse(key)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("manifests/t/dt=2026-11-22/10:05.json", "is not the key of a manifest"),
        ("manifests/t/dt=2026-11-22/1065.json", "names no minute that exists"),
    ],
)
def test_what_is_no_manifest_s_key_is_named(key: str, said: str) -> None:
    with pytest.raises(LakeError, match=f"^{re.escape(repr(key))} {said}"):
        manifest_minute(key)


HOUR = Minute.parse("2026-11-22T10:05").hour


def test_every_other_kind_of_key_is_the_one_in_the_contract() -> None:
    """What lies in buckets already is found by these names: they never change."""
    minute = Minute.parse("2026-11-22T10:05")
    # A table may be called as a zone is.
    rejected = ObjectKey(REJECTED, "rejected", minute, 3, 1, 2)
    assert [
        manifest_key("ticks", minute),
        origin_key("ticks"),
        redriven_key(rejected),
        counts_key("ticks", HOUR, "rows"),
        day_counts_key("ticks", HOUR),
        total_counts_key("ticks"),
        reconciled_key("ticks", HOUR),
        day_reconciled_key("ticks", HOUR),
        total_reconciled_key("ticks"),
        quarantine_key("raw/ticks/x"),
    ] == [
        "manifests/ticks/dt=2026-11-22/1005.json",
        "origins/ticks.json",
        "redriven/rejected/dt=2026-11-22/hr=10/1005-p00003-00000000000000000001-00000000000000000002.json",
        "counts/ticks/dt=2026-11-22/hr=10/rows.json",
        "counts/ticks/dt=2026-11-22/hours.json",
        "counts/ticks/totals.json",
        "reconciled/ticks/dt=2026-11-22/hr=10.json",
        "reconciled/ticks/dt=2026-11-22/hours.json",
        "reconciled/ticks/totals.json",
        "quarantine/raw/ticks/x",
    ]
