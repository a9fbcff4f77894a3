"""Whatever is proven for many records at once must be what the check of each one says: the slow way is the oracle."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticklake.core.formats.json_rows import Batch, Splicer, UnfitError

EXAMPLE = b'{"a":-1.5e1,"b c":"x\\u00e9","n":{"t":true,"z":null}}'
FIT = [
    EXAMPLE,
    b' { "n" : {"z":1,"t":null}, "a":7,"b c":"\xc3\xa9"}\t',
    b'{"b c":"","a":null,"n":{"t":false,"z":true}}',
]
TOKENS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b" ", b"\n", b"\r", b"\t", b"0", b"1", b"9" * 400, b".",
          b"-", b"+", b"e", b"E5", b"1e999", b"true", b"null", b"NaN", b"a", b'"a"', b'"a":1,', b'"A":1,', b'"x":"y",',
          b'"kafka_offset":1,', b"\x00", b"\x1f", b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\\ud800", b"\xef\xbb\xbf",
          b"\xe2\x80\xa8", b"\x0b", b"\xa0", b"b c", b'\\"', b"d83d"]  # fmt: skip


def batch(values: Sequence[bytes | None], first: int = 5, **columns: Any) -> Batch:
    stamps = [1_000 + n // 2 for n in range(len(values))]
    given_columns = {"offsets": range(first, first + len(values)), "timestamps": stamps, **columns}
    return Batch(3, (), values, **given_columns)


def taught(fit: bytes = EXAMPLE) -> Splicer:
    splicer = Splicer()
    splicer.row(fit, 0, 0, 0)
    splicer.learn()
    return splicer


def taught_more() -> Splicer:
    """One that knows four shapes, two of them with as many quotes."""
    splicer = taught()
    for fit in (b'{"a":1}', b'{"only":1}', b'{"only":"this"}'):
        splicer.row(fit, 0, 0, 0)
        splicer.learn()
    return splicer


def one_by_one(taken: Batch) -> bytes | None:
    """The rows, each made alone by a splicer that has seen nothing; None when one is unfit."""
    try:
        columns = zip(taken.values, taken.offsets, taken.timestamps, strict=True)
        return b"".join(Splicer().row(value, taken.partition, offset, time_ms) for value, offset, time_ms in columns)
    except UnfitError:
        return None


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    value = draw(st.sampled_from(FIT))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        gone = draw(st.integers(0, 4))
        value = value[:at] + draw(st.sampled_from([*TOKENS, b""])) + value[at + gone :]
    return value


@given(mutations() | st.binary(max_size=30))
@example(b'{"a":1,"b c":"x","n":{"t":true,"z":null},"a":1}')
@example(b'{"a":1,"b c":"x","n":{"t":true,"z":null,"t":true}}')
def test_what_is_proven_at_once_is_what_the_check_of_each_record_says(value: bytes) -> None:
    taken = batch([EXAMPLE, value, EXAMPLE])
    rows = taught().rows(taken)
    assert rows is None or rows == one_by_one(taken)


@pytest.mark.parametrize("value", FIT)
def test_a_record_of_a_known_shape_is_proven_whatever_its_order_blanks_and_numbers(value: bytes) -> None:
    taken = batch([value, EXAMPLE])
    assert taught().rows(taken) == one_by_one(taken)


@pytest.mark.parametrize(
    "values",
    [
        [None],
        [b'{"a":1,"b c":"x","n":{"t":true}}'],  # a key is missing
        [b'{"a":1,"b c":"x","n":{"t":true,"z":null},"more":1}'],
        [b'{"a":1,"b c":"x\\"","n":{"t":true,"z":null}}'],  # a quote within a text looks like one more key
        [b'{"a":1,\n"b c":"x","n":{"t":true,"z":null}}'],  # must become one line
        [b'{"a":1', b'"b c":"x","n":{"t":true,"z":null}}'],  # two that together would be one
    ],
)
def test_what_is_not_proven_is_left_to_the_check_of_each_record(values: list[bytes | None]) -> None:
    assert taught().rows(batch(values)) is None


@given(st.integers(0, 5_000), st.integers(1, 2_500))
def test_offsets_are_written_the_same_in_a_run_as_one_by_one(first: int, count: int) -> None:
    rows = taught().rows(batch([EXAMPLE] * count, first))
    assert rows is not None
    assert [json.loads(row)["kafka_offset"] for row in rows.splitlines()] == list(range(first, first + count))
    assert rows[: rows.index(b"\n") + 1] == Splicer().row(EXAMPLE, 3, first, 1_000)


def test_gaps_between_offsets_stay() -> None:
    taken = batch([EXAMPLE] * 3, offsets=[4, 6, 1_000_000])
    assert taught().rows(taken) == one_by_one(taken)


@pytest.mark.parametrize("fit", [b"{}", b'{"a":[1]}', b'{"a":{}}', b'{"\\"":1}', b'{"a\\\\b":"c"}', b'{"\xc3\xa9":1}'])
def test_a_shape_that_cannot_be_learned_leaves_every_record_to_its_own_check(fit: bytes) -> None:
    splicer = taught(fit)
    rows = splicer.rows(batch([fit, fit]))
    assert rows is None or rows == one_by_one(batch([fit, fit]))
    assert one_by_one(batch([fit])) is not None


def test_the_shape_that_came_last_is_the_one_that_is_tried() -> None:
    splicer = taught()
    other = b'{"only":"this"}'
    assert splicer.rows(batch([other])) is None
    splicer.row(other, 0, 0, 0)
    splicer.learn()
    assert splicer.rows(batch([other])) == one_by_one(batch([other]))


def test_records_of_several_known_shapes_are_proven_together() -> None:
    taken = batch([EXAMPLE, b'{"only":7}', b'{"only":"x"}', b'{"a":null}', EXAMPLE, b'{"only":"this"}'])
    rows = taught_more().rows(taken)
    assert rows == one_by_one(taken)
    assert rows is not None


@given(mutations() | st.binary(max_size=30))
@example(b'{"a":1,"a":2}')
@example(b'{"a":1,"only":2}')
@example(b'{"only":"\\""}')
def test_what_is_proven_among_several_shapes_is_what_the_check_of_each_record_says(value: bytes) -> None:
    taken = batch([b'{"only":"this"}', value, EXAMPLE])
    rows = taught_more().rows(taken)
    assert rows is None or rows == one_by_one(taken)


def test_a_stream_of_ever_new_shapes_is_not_tried_against_all_of_them() -> None:
    splicer = taught()
    for n in range(20):
        splicer.row(b'{"k%d":1}' % n, 0, 0, 0)
        splicer.learn()
    assert splicer.rows(batch([EXAMPLE, b'{"k3":1}'])) is not None
    assert splicer.rows(batch([EXAMPLE, b'{"k4":1}'])) is None


def keys(count: int) -> bytes:
    return json.dumps({f"k{n}": n for n in range(count)}).encode()


def test_a_shape_may_have_a_thousand_keys_and_no_more() -> None:
    for count, proven in ((1000, True), (1001, False)):
        taken = batch([keys(count)] * 2)
        assert taught(keys(count)).rows(taken) == (one_by_one(taken) if proven else None)
        nested = b'{"a":%b}' % keys(count)
        assert (taught(nested).rows(batch([nested])) is not None) == proven


def test_a_thousand_shapes_are_remembered_and_no_more() -> None:
    splicer = Splicer()
    for n in range(1001):
        splicer.row(b'{"k%d":1,"s":"%b"}' % (n, b"x" * (n % 2)), 0, 0, 0)
        splicer.learn()
    known = [b'{"k%d":1,"s":""}' % n for n in (0, 1, 2, 3)]
    assert splicer.rows(batch(known)) is not None
    assert splicer.rows(batch([b'{"k1000":1,"s":""}'])) is None, "one too many"
    assert splicer.rows(batch([b'{"k999":1,"s":""}'])) is not None, "the last that was learned is tried first"


@pytest.mark.parametrize(("more", "proven"), [(0, True), (1, False)])
def test_a_batch_of_eight_megabytes_is_proven_at_once_and_a_larger_one_is_not(more: int, proven: bool) -> None:
    half = (8 << 20) // 2
    fit = b'{"a":"%b"}'
    values = [fit % (b"x" * (half - 8)), fit % (b"x" * (half - 8 + more))]
    assert sum(map(len, values)) == (8 << 20) + more
    assert (taught(fit % b"").rows(batch(values)) is not None) == proven


@pytest.mark.parametrize("value", [b'{"a":1}', b'{"a":"1"}', b'{"a":true}', b'{"a":1.5}'])
@pytest.mark.parametrize("fit", [b'{"a":1}', b'{"a":"1"}', b'{"a":true}', b'{"a":null}', b'{"a":1.5}'])
def test_a_number_a_text_and_a_boolean_are_of_different_shapes_and_null_says_only_that_it_is_no_text(
    fit: bytes, value: bytes
) -> None:
    kinds = {b"1": "number", b"1.5": "number", b'"1"': "text", b"true": "boolean"}
    same = (fit == b'{"a":null}' and value != b'{"a":"1"}') or kinds.get(fit[5:-1]) == kinds[value[5:-1]]
    taken = batch([value])
    assert taught(fit).rows(taken) == (one_by_one(taken) if same else None)


@pytest.mark.parametrize("broken", [b'{"a":1,\r"b c":"x","n":{"t":true,"z":null}}', EXAMPLE + b"\n", b"\r" + EXAMPLE])
def test_a_record_with_a_line_break_is_not_proven_alone_or_among_others(broken: bytes) -> None:
    for splicer in (taught(), taught_more()):
        assert splicer.rows(batch([broken])) is None
        assert splicer.rows(batch([EXAMPLE, broken])) is None


def test_nothing_is_proven_before_anything_was_learned() -> None:
    splicer = Splicer()
    splicer.row(EXAMPLE, 0, 0, 0)
    assert splicer.rows(batch([EXAMPLE])) is None


def test_two_known_shapes_are_told_apart_by_their_quotes() -> None:
    splicer = taught()
    splicer.row(b'{"only":1}', 0, 0, 0)
    splicer.learn()
    taken = batch([EXAMPLE, b'{"only":2}', EXAMPLE])
    assert splicer.rows(taken) == one_by_one(taken)


def test_two_records_that_differ_only_within_a_column_are_of_two_shapes() -> None:
    splicer = taught(b'{"a":{"b":1}}')
    splicer.row(b'{"a":{"c":1}}', 0, 0, 0)
    splicer.learn()
    taken = batch([b'{"a":{"c":7}}'])
    assert splicer.rows(taken) == one_by_one(taken)
