"""Dates of records can be any 64-bit number: none may break what shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.moment import milliseconds, moment, span


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        (1_795_391_863_986_000, "1795391863986000 ms since 1970"),
        (2**63 - 1, "9223372036854775807 ms since 1970"),
    ],
)
def test_a_date_reads_as_one_where_a_calendar_has_it(ms: int, text: str) -> None:
    assert moment(ms) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_date_that_a_record_can_have_can_be_told(ms: int) -> None:
    assert moment(ms)


@given(st.integers(0, 4_102_444_800_000))
def test_a_manifests_date_comes_back_to_the_millisecond(ms: int) -> None:
    # A float's rounding would make the moment of a seal a millisecond too early.
    assert milliseconds(moment(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (450, "450 ms"),
        (1500, "1.5 s"),
        (30_000, "30 s"),
        (3_600_000, "1.0 h"),
        (864_000_000, "10 days"),
        (2_314_224_000_000, "26,785 days"),
    ],
)
def test_a_length_of_time_reads_in_its_largest_unit(ms: int, text: str) -> None:
    assert span(ms) == text
