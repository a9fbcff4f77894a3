"""What a field may be, and what it must not become: nothing is lost by a type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.sample.kinds import NULLS, ColumnKind, kinds_of, proven, values

W, N, B, D, S = ColumnKind.WHOLE, ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.DATE, ColumnKind.STRING

digits = st.from_regex(r"[+-]?[0-9]{0,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
fields = digits | st.sampled_from([*NULLS, "0", "-0", "007", "1.0", "true", "29/06/1979"]) | st.text(max_size=5)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("0", {W, N, S}),
        ("-17", {W, N, S}),
        ("+1", {W, N, S}),
        (" 5 ", {W, N, S}),
        ("5.0", {W, N, S}),
        ("5.5", {N, S}),
        (".5", {N, S}),
        ("1e5", {N, S}),
        ("1E-300", {N, S}),
        ("9223372036854775807", {W, S}),  # a double would round it
        ("-9223372036854775808", {W, N, S}),
        ("9223372036854775808", {N, S}),  # 2**63 is a double, and no bigint
        ("12345678901234567890123", {S}),
        ("9" * 5000, {S}),
        ("007", {S}),  # an id
        ("007.5", {S}),
        ("1e999", {S}),
        ("inf", {S}),
        ("1_000", {S}),
        ("1,234", {S}),  # a thousand, or one and a bit
        ("1,5", {S}),
        ("0x10", {S}),
        ("١٢", {S}),
        ("true", {B, S}),
        ("TRUE", {B, S}),
        ("False", {B, S}),
        ("yes", {S}),
        ("29/06/1979", {D, S}),
        ("1979-06-29", {D, S}),
        ("29.6.1979", {D, S}),
        ("1979/06/29", {D, S}),
        ("30/02/1979", {S}),
        ("29/06/79", {S}),
        ("29/06-1979", {S}),
        ("1979-W01-1", {S}),
        ("19790629", {W, N, S}),
    ],
)
def test_what_a_field_fits(text, kinds):
    assert kinds_of(text) == kinds


@given(st.lists(fields, max_size=6))
def test_what_is_proven_for_a_batch_is_true_of_each_of_its_fields(texts):
    """The quick way may only ever say less than the careful one."""
    kinds = proven(texts)
    for text in texts:
        assert kinds is None or text == "" or kinds <= kinds_of(text)


def test_a_line_end_within_a_field_proves_nothing():
    assert proven(["1\n2"]) is None


@given(st.lists(fields))
def test_values_are_what_was_written_or_null(texts):
    """For each kind that all fields fit: a number reads as the same number, a string is itself, null tokens are null."""
    wanted = set(ColumnKind)
    for text in texts:
        if text.strip() not in NULLS:
            wanted &= kinds_of(text)
    for kind in wanted - {D}:
        for text, value in zip(texts, values(kind, texts), strict=True):
            if text.strip() in NULLS:
                assert value is None
            elif kind is S:
                assert value == text
            elif kind is B:
                assert str(value).lower() == text.strip().lower()
            else:
                assert type(value) is (int if kind is W else float)
                assert value == (int(text.strip().partition(".")[0]) if kind is W else float(text))


@pytest.mark.parametrize("kind", [W, N, B, D])
def test_a_field_that_no_longer_fits_is_refused_not_guessed(kind):
    with pytest.raises(ValueError, match=r"'abc' is not a|'abc' is not true"):
        values(kind, ["abc"], "DD/MM/YYYY")


def test_dates_become_iso():
    assert values(D, ["29/06/1979", "", "1/7/1979"], "DD/MM/YYYY") == ["1979-06-29", None, "1979-07-01"]


@pytest.mark.parametrize("text", [*sorted(NULLS), "  ", " NaN "])
@pytest.mark.parametrize("kind", list(ColumnKind))
def test_null_is_null_in_columns_of_every_kind(kind, text):
    assert values(kind, [text], "DD/MM/YYYY") == [None]
