import base64
import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.verdict import verdicts
from ticklake.core.formats.dead_letters import kind_of_reason, rejected_line
from ticklake.core.formats.json_rows import RESERVED, Batch, Record, Splicer, UnfitError
from ticklake.core.message_headers import headers_of

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)  # a lone surrogate is not UTF-8
# Within a column, Hive knows letters and digits of the first 65,536 code points, and these few marks.
letters = st.characters(
    categories=["Lu", "Ll", "Lt", "Lm", "Lo", "Nd"], max_codepoint=0xFFFF, include_characters="_.$ "
)
fields = st.text(letters, min_size=1, max_size=20)
columns = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=",\ufffe\uffff"), min_size=1, max_size=20
).filter(lambda name: name.lower() not in RESERVED)
plain = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text
)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=3))
objects = st.dictionaries(columns, values, max_size=5)
# What a careless or hostile producer may send: any names, any text, and JSON with some bytes of it changed.
odd_values = st.recursive(
    plain | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
odd_objects = st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(RESERVED)), odd_values, max_size=4)
odd_texts = st.builds(
    lambda value, indent, escaped, spaced: json.dumps(
        value, indent=indent, ensure_ascii=escaped, separators=(" , ", " : ") if spaced else (",", ":")
    ).encode(errors="surrogatepass"),
    odd_objects, st.sampled_from([None, None, 1]), st.booleans(), st.booleans(),
)  # fmt: skip


def unique(value: Any) -> bool:
    """Whether no object in it has keys that differ only in case."""
    if isinstance(value, dict):
        return len({k.lower() for k in value}) == len(value) and all(map(unique, value.values()))
    return all(map(unique, value)) if isinstance(value, list) else True


@given(objects.filter(unique), st.sampled_from([None, 2]), st.booleans())
def test_any_json_object_becomes_one_line_with_its_value_unchanged(
    value: dict[str, Any], indent: int | None, escaped: bool
) -> None:
    payload = json.dumps(value, indent=indent, ensure_ascii=escaped)
    row = Splicer().row(f" {payload}\r\n".encode(), 3, 7, 11)
    assert row.count(b"\n") == 1
    assert row.endswith(b"}\n")
    assert b"\r" not in row
    assert json.loads(row) == {**value, "kafka_partition": 3, "kafka_offset": 7, "kafka_timestamp": 11}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """JSON with a few bytes put in, replaced or left out."""
    payload = bytearray(draw(odd_texts))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | st.sampled_from(ODD_BITS))
    return bytes(payload)


ODD_BITS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b" ",
    b"\n",
    b"1e999",
    b"NaN",
    b"0",
    b'"a":1,',
    b"\xff",
    b"\xc3",
    b"\\ud800",
]


@settings(max_examples=300)
@given(st.none() | st.binary() | st.text().map(lambda t: t.encode(errors="surrogatepass")) | odd_texts | damaged())
def test_any_bytes_are_a_row_or_rejected_just_as_the_rules_say(payload: bytes | None) -> None:
    expected = verdicts(payload)
    if expected:
        with pytest.raises(UnfitError) as unfit:
            Splicer().row(payload, 0, 0, 0)
        assert kind_of_reason(str(unfit.value)) in expected
    else:
        assert json.loads(Splicer().row(payload, 0, 0, 0))["kafka_offset"] == 0


def test_a_hundred_deep_is_a_row_a_hundred_and_one_is_not_whatever_the_stack() -> None:
    splicer = Splicer()
    assert splicer.row(b'{"a":' * 100 + b"1" + b"}" * 100, 0, 0, 0)
    assert splicer.row(b'{"a":' + b"[" * 99 + b"1" + b"]" * 99 + b"}", 0, 0, 0)
    with pytest.raises(UnfitError):
        splicer.row(b'{"a":' + b"[" * 100 + b"1" + b"]" * 100 + b"}", 0, 0, 0)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "tombstone"),
        (b"", "not JSON"),
        (b"\xff{}", "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":Infinity}', "not JSON"),
        (b'{"a":1} {"b":2}', "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b"[1]", "not a JSON object: array"),
        (b"7", "not a JSON object: number"),
        (b"null", "not a JSON object: null"),
        (b'{"kafka_offset":1}', "reserved column: kafka_offset"),
        (b'{"Kafka_Offset":1}', "reserved column: Kafka_Offset"),
        (b'{"a":1,"a":2}', "key twice"),
        (b'{"a":1,"a" :2}', "key twice"),
        (b'{"a":1,"A":2}', "key twice"),
        (b'{"a":{"b":1,"B":2}}', "key twice"),
        (b'{"a":[{"b":1,"b":2}]}', "key twice"),
        (b'{"a":"\\":","a":1}', "key twice"),
        (b'{"\\u0061":1,"a":1}', "key twice"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested more than 100 deep"),
        (b'{"a":' + b"[" * 500 + b"1" + b"]" * 500 + b"}", "nested more than 100 deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON"),
    ],
)
def test_what_cannot_become_a_row_has_its_reason(payload: bytes | None, reason: str) -> None:
    with pytest.raises(UnfitError, match=reason):
        Splicer().row(payload, 0, 0, 0)


def test_a_known_shape_does_not_open_the_door_for_a_key_twice() -> None:
    splicer = Splicer()
    splicer.row(b'{"a":1,"b":2}', 0, 0, 0)
    for payload in (b'{"a":1,"b":2,"a":3}', b'{"a":1,"b" :2,"b":3}', b'{"a":1,"b":{"c":1,"c":2}}'):
        with pytest.raises(UnfitError, match="key twice"):
            splicer.row(payload, 0, 0, 0)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (b'{"a":1,\n"b":2}', b'{"a":1, "b":2'),
        (b'{"a":1,\r"b":2}', b'{"a":1, "b":2'),
        (b'\r\n\t {"a":1,\r\n"b":2}\n', b'{"a":1,  "b":2'),
        (b'{"a":1,\t"b":2}', b'{"a":1,\t"b":2'),
    ],
)
def test_a_line_break_between_two_tokens_becomes_a_blank_and_nothing_else_changes(given: bytes, text: bytes) -> None:
    row = Splicer().row(given, 1, 2, 3)
    assert row == text + b',"kafka_partition":1,"kafka_offset":2,"kafka_timestamp":3}\n'


@pytest.mark.parametrize("blank", [b" ", b"\n", b"\t", b"\r"])
def test_a_blank_between_a_key_and_its_colon_hides_no_key_that_stands_twice(blank: bytes) -> None:
    splicer = Splicer()
    splicer.row(b'{"a":1}', 0, 0, 0)
    with pytest.raises(UnfitError, match="key twice"):
        splicer.row(b'{"a":1,"a"%b:2}' % blank, 0, 0, 0)


def test_an_empty_object_is_a_row_of_the_three_columns() -> None:
    assert Splicer().row(b"{ }", 1, 2, 3) == b'{ "kafka_partition":1,"kafka_offset":2,"kafka_timestamp":3}\n'


class Given:
    """A record as Kafka gives it."""

    def value(self) -> bytes:
        return b"\xff"

    def key(self) -> bytes:
        return b"HSI"

    def headers(self) -> list[tuple[str, bytes | None]]:
        return [("trace", b"\x00\x01"), ("empty", None)]

    def offset(self) -> int:
        return 9

    def timestamp(self) -> tuple[int, int]:
        return (1, 5)


def test_a_rejected_record_keeps_all_that_is_needed_to_send_it_again() -> None:
    whole = rejected_line(Given(), 4, 5, "not JSON")
    assert whole.endswith(b"}\n"), "one line"
    line = json.loads(whole)
    assert base64.b64decode(line["value"]) == b"\xff"
    assert base64.b64decode(line["key"]) == b"HSI"
    assert line["headers"] == [["trace", "AAE="], ["empty", None]]
    assert (line["kafka_partition"], line["kafka_offset"], line["kafka_timestamp"], line["reason"]) == (
        4,
        9,
        5,
        "not JSON",
    )


class Odd(Given):
    """Without a payload, with a key that the client made text of, and headers that it cannot read."""

    def value(self) -> None:  # type: ignore[override]
        return None

    def key(self) -> str:  # type: ignore[override]
        return "Ä"

    def headers(self) -> Any:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def test_headers_that_cannot_be_read_are_none_and_a_key_that_is_text_is_kept_as_its_bytes() -> None:
    line = json.loads(rejected_line(Odd(), 4, 5, "tombstone"))
    assert headers_of(Odd()) is None
    assert (line["headers"], line["value"], base64.b64decode(line["key"])) == (None, None, "Ä".encode())


def test_a_record_without_headers_has_none_of_them() -> None:
    bare = Given()
    bare.headers = lambda: None  # type: ignore[method-assign,assignment,return-value]
    assert headers_of(bare) == ()
    assert json.loads(rejected_line(bare, 4, 5, "not JSON"))["headers"] == []


def batch(values: list[bytes | None], offsets: Any, timestamps: list[int], partition: int = 3) -> Batch:
    return Batch(partition, [cast(Record, Given())] * len(values), values, offsets, timestamps)


def learned() -> Splicer:
    splicer = Splicer()
    splicer.row(b'{"a":1}', 0, 0, 0)
    splicer.learn()
    return splicer


@pytest.mark.parametrize("start", [0, 7, 990, 998, 999, 1000, 1001, 123_997, 999_999_998])
@pytest.mark.parametrize("count", [1, 2, 3, 1002, 2001])
def test_rows_made_at_once_are_those_made_one_by_one_wherever_a_thousand_of_offsets_begins(
    start: int, count: int
) -> None:
    splicer, offsets = learned(), range(start, start + count)
    values: list[bytes | None] = [b' {"a":%d}\r' % n if n % 2 else b'{"a":%d}' % n for n in range(count)]
    made = splicer.rows(batch([v.strip() if v else v for v in values], offsets, [5 + n // 2 for n in range(count)]))
    assert made == b"".join(
        splicer.row(v, 3, o, 5 + n // 2) for n, (v, o) in enumerate(zip(values, offsets, strict=True))
    )


def test_rows_made_at_once_have_their_own_offsets_where_some_are_missing() -> None:
    made = learned().rows(batch([b'{"a":1}', b'{"a":2}'], [4, 1004], [7, 7]))
    assert made is not None
    assert [json.loads(line)["kafka_offset"] for line in made.splitlines()] == [4, 1004]


def test_nothing_is_made_at_once_of_what_is_not_proven() -> None:
    assert Splicer().rows(batch([b'{"a":1}'], range(1), [0])) is None
    assert learned().rows(batch([b'{"b":1}'], range(1), [0])) is None
    assert learned().rows(batch([None], range(1), [0])) is None


def test_a_part_of_a_batch_is_that_part_of_each_column() -> None:
    whole = batch([b"0", b"1", b"2", b"3"], range(10, 14), [5, 6, 7, 8])
    part = whole.part(1, 3)
    assert (len(whole), len(part), part.partition, len(part.records)) == (4, 2, 3, 2)
    assert (part.values, part.offsets, part.timestamps) == ([b"1", b"2"], range(11, 13), [6, 7])


def test_the_kind_of_a_reason_is_what_stands_before_the_colon() -> None:
    assert [kind_of_reason(reason) for reason in ("tombstone", "not JSON: at: 5")] == ["tombstone", "not JSON"]


def test_more_than_32_megabytes_are_rejected_and_exactly_as_many_are_not() -> None:
    empty = len(b'{"a":""}')
    assert Splicer().row(b'{"a":"%b"}' % (b"x" * (32_000_000 - empty)), 0, 0, 0)
    with pytest.raises(UnfitError, match=r"^larger than 32 MB: 32000001 bytes$"):
        Splicer().row(b'{"a":"%b"}' % (b"x" * (32_000_001 - empty)), 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "not a column name: ''"),
        ("a,b", "not a column name: 'a,b'"),
        ("a\x1f", "not a column name: 'a\\x1f'"),
        ("ä" * 127 + "b", None),
        ("ä" * 128, f"not a column name: '{'ä' * 128}'"),
        ("x" * 255, None),
        ("x" * 300, f"not a column name: '{'x' * 255}'"),
        ("a\tb", None),
        ("kafka_Partition", "reserved column: kafka_Partition"),
        ("DT", "reserved column: DT"),
    ],
)
def test_a_column_s_name_is_one_that_glue_and_hive_take(name: str, said: str | None) -> None:
    value = json.dumps({name: 1}).encode()
    if said is None:
        assert Splicer().row(value, 0, 0, 0)
    else:
        with pytest.raises(UnfitError) as unfit:
            Splicer().row(value, 0, 0, 0)
        assert str(unfit.value) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b.c$_1", None),
        ("Äß", None),
        ("", "not a column name: '', within another column"),
        ("a-b", "not a column name: 'a-b', within another column"),
        ("ä-b", "not a column name: 'ä-b', within another column"),
        ("\U00010400", "not a column name: '\U00010400', within another column"),
        ("x" * 300 + "-", f"not a column name: '{'x' * 255}', within another column"),
    ],
)
@pytest.mark.parametrize("around", [lambda inner: inner, lambda inner: [[inner]], lambda inner: {"b": inner}])
def test_a_field_s_name_within_a_column_is_one_that_hive_reads(name: str, said: str | None, around: Any) -> None:
    value = json.dumps({"a": around({name: 1})}).encode()
    if said is None:
        assert Splicer().row(value, 0, 0, 0)
    else:
        with pytest.raises(UnfitError) as unfit:
            Splicer().row(value, 0, 0, 0)
        assert str(unfit.value) == said


def test_keys_that_only_upper_case_makes_the_same_are_two_since_athena_lowers_them() -> None:
    assert Splicer().row('{"ß":1,"SS":2}'.encode(), 0, 0, 0)


def test_a_key_twice_is_said_with_the_second_of_them() -> None:
    with pytest.raises(UnfitError) as unfit:
        Splicer().row(b'{"ab":1,"Ab":2}', 0, 0, 0)
    assert str(unfit.value) == "key twice: Ab (Athena does not tell upper from lower case)"
