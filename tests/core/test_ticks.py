import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import InputError, SettingsError
from ticklake.core.ticks import COLUMNS, TickFile, check_typed, pool, to_json

HEADER = ",".join(COLUMNS)
ROW = "HSI,1986-12-31,2568.300049,2568.300049,2568.300049,2568.300049,2568.300049,0.0,333.87900637"

numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?", fullmatch=True) | st.sampled_from(
    ["", "0", "-0", "007", "1e5", "+1"]
)


@pytest.fixture
def csv(tmp_path: Path):
    def write(*lines: str, end: str = "\n", start: bytes = b"") -> TickFile:
        path = tmp_path / "ticks.csv"
        path.write_bytes(start + end.join([*lines, ""]).encode("utf-8", "surrogateescape"))
        return TickFile(path)

    return write


def row(**changes: str) -> str:
    values = dict(zip(COLUMNS, ROW.split(","), strict=True))
    return ",".join({**values, **{name.replace("_", " "): value for name, value in changes.items()}}.values())


def fails(file: TickFile) -> str:
    with pytest.raises(InputError) as error:
        list(file)
    return str(error.value)


def test_a_row_becomes_json_with_exactly_the_columns_of_the_csv(csv):
    (tick,) = csv(HEADER, ROW)
    assert to_json(tick) == (
        b'{"Index":"HSI","Date":"1986-12-31","Open":2568.300049,"High":2568.300049,"Low":2568.300049,'
        b'"Close":2568.300049,"Adj Close":2568.300049,"Volume":0,"CloseUSD":333.87900637}'
    )


def test_a_whole_price_stays_a_double_so_that_the_column_has_one_type(csv):
    (tick,) = csv(HEADER, row(Open="2500"))
    assert b'"Open":2500.0,' in to_json(tick)


@pytest.mark.parametrize(
    ("text", "value"), [("0.0", 0), ("1.5e9", 1500000000), ("9007199254740993", 9007199254740993), ("10.5", 10.5)]
)
def test_a_volume_is_an_int_where_it_is_whole_and_not_rounded(csv, text, value):
    (tick,) = csv(HEADER, row(Volume=text))
    assert tick["Volume"] == value
    assert type(tick["Volume"]) is type(value)


@given(
    st.lists(st.tuples(
        st.from_regex(r"[A-Za-z0-9.^_-]{1,9}", fullmatch=True), st.dates().map(str), st.lists(numbers, min_size=7, max_size=7)
    ), min_size=1, max_size=5)
)  # fmt: skip
def test_a_row_is_the_same_tick_whether_it_is_read_the_quick_or_the_careful_way(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[str]]]
) -> None:
    """A blank before a number changes nothing in it, and is what the quick way does not take."""
    file = tmp_path_factory.mktemp("ticks") / "ticks.csv"
    both = []
    for blank in ("", " "):
        lines = [",".join([index, day, *(f"{blank}{n}" for n in values)]) for index, day, values in rows]
        file.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
        both.append([(tick, to_json(tick)) for tick in TickFile(file)])
    assert both[0] == both[1]


def test_a_volume_beyond_64_bits_is_written_as_it_is(csv):
    (tick,) = csv(HEADER, row(Volume="9" * 30))
    assert b'"Volume":%b,' % (b"9" * 30) in to_json(tick)


def test_blank_rows_are_skipped_and_counted(csv):
    file = csv("", HEADER, ",,,,,,,,", ROW, "", " , ,", ROW)
    assert len(list(file)) == 2
    assert (file.rows, file.blank) == (2, 4)


def test_counts_start_anew_with_each_reading(csv):
    file = csv(HEADER, ROW, ",,")
    assert [len(list(file)), len(list(file))] == [1, 1]
    assert (file.rows, file.blank) == (1, 1)


def test_a_missing_number_is_null(csv):
    (tick,) = csv(HEADER, row(High="", Volume=" ", Adj_Close=""))
    assert (tick["High"], tick["Volume"], tick["Adj Close"]) == (None, None, None)
    assert b'"High":null' in to_json(tick)


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(csv):
    assert list(csv(HEADER, ROW, end="\r\n", start=b"\xef\xbb\xbf")) == list(csv(HEADER, ROW))


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "-Infinity", "1_000", "1,5", "0x10", "1e999", "١٢", "9" * 5000])
def test_what_is_no_number_is_named_by_file_line_and_column(csv, text):
    file = csv(HEADER, ROW, "", row(Close=f'"{text}"'))
    assert fails(file).startswith(f"{file.path}, line 4, column Close: '{text[:100]}' is not a number")


@pytest.mark.parametrize("text", ["", "31.12.1986", "19861231", "1986-02-30", "1986-W01-1", "1986-1-2"])
def test_what_is_no_date_is_named(csv, text):
    assert "line 2, column Date" in fails(csv(HEADER, row(Date=text)))


def test_a_missing_index_is_named(csv):
    assert "line 2, column Index: '' is no index: it is missing" in fails(csv(HEADER, row(Index="")))


def test_bytes_that_are_not_utf8_are_named(csv):
    assert "line 3, column Index" in fails(csv(HEADER, ROW, row(Index="H\udcffI")))


@pytest.mark.parametrize("line", [ROW + ",1", "HSI,1986-12-31"])
def test_a_row_with_another_number_of_fields_is_named(csv, line):
    assert f"line 3: {line.count(',') + 1} fields instead of 9" in fails(csv(HEADER, ROW, line))


def test_an_unclosed_quote_is_named_by_the_line_it_begins_in(csv):
    assert "line 3: not CSV" in fails(csv(HEADER, ROW, row(Index='"HSI')))


def test_a_quoted_line_break_does_not_shift_the_line_numbers(csv):
    assert "line 4, column Open" in fails(csv(HEADER, row(Open='"1\n"'), row(Open="x")))


def test_another_schema_shows_expected_and_found_columns(csv):
    message = fails(csv("Region,Exchange,Index,Currency", "a,b,c,d"))
    assert f"expected: {HEADER}" in message
    assert "found:    'Region,Exchange,Index,Currency'" in message


def test_an_empty_file_and_a_missing_file_are_told_in_words(csv, tmp_path):
    assert "is empty" in fails(csv())
    assert "cannot be read: No such file or directory" in fails(TickFile(tmp_path / "none.csv"))


def test_reading_keeps_one_row_in_memory(csv):
    """The first tick comes before the rest of the file is looked at: a later error is not seen yet."""
    ticks = iter(csv(HEADER, *[ROW] * 3, "bad"))
    assert next(ticks)["Index"] == "HSI"


def test_a_pool_of_a_small_file_is_the_whole_file():
    assert pool(iter("abc"), 5, random.Random(1)) == ["a", "b", "c"]


def test_a_pool_is_bounded_and_gives_each_row_the_same_chance():
    chance = random.Random(1)
    seen = [n for _ in range(2000) for n in pool(range(20), 5, chance)]
    assert all(400 < seen.count(n) < 600 for n in range(20))


def test_a_typed_record_gets_all_columns_in_order():
    tick = check_typed({"Date": "2021-05-31", "Index": "HSI", "Open": 5})
    assert tuple(tick) == COLUMNS
    assert json.loads(to_json(tick))["Open"] == 5.0
    assert tick["Close"] is None


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ([1], "not a JSON object"),
        ({"Index": "HSI"}, "Date"),
        ({"Date": "2021-05-31"}, "Index"),
        ({"Index": 5, "Date": "2021-05-31"}, "Index = 5"),
        ({"Index": "HSI", "Date": "31.5.2021"}, "Date"),
        ({"Index": "\ud800", "Date": "2021-05-31"}, "Index"),
        ({"Index": "HSI", "Date": "2021-05-31", "Opne": 1}, "'Opne' is not a column"),
        ({"Index": "HSI", "Date": "2021-05-31", "Open": "1"}, "Open = '1'"),
        ({"Index": "HSI", "Date": "2021-05-31", "Open": True}, "Open = True"),
        ({"Index": "HSI", "Date": "2021-05-31", "Open": float("nan")}, "Open = nan"),
        ({"Index": "HSI", "Date": "2021-05-31", "Open": 10**400}, "Open = 1"),
    ],
)
def test_a_wrong_field_of_a_typed_record_is_named(record, named):
    with pytest.raises(SettingsError, match="record: ") as error:
        check_typed(record)
    assert named in str(error.value)
