from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import LakeError
from ticklake.core.keys import RAW, REJECTED, ObjectKey, hour_prefix, manifest_key, manifest_minute, minute_prefix
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
    "key",
    [
        "raw/t/dt=2026-11-22/hr=10/1105-p00003-00000000000000123456-00000000000000124001.jsonl.gz",
        "raw/t/dt=2026-11-22/hr=10/1061-p00003-00000000000000123456-00000000000000124001.jsonl.gz",
        "raw/t/dt=2026-11-22/hr=10/notes.txt",
    ],
)
def test_a_key_that_contradicts_itself_is_not_ours(key: str) -> None:
    with pytest.raises(LakeError):
        ObjectKey.parse(key)
