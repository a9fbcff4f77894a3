"""A CSV read twice: what is counted, what is refused, and that every string comes out as it was."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticklake.core.errors import InputError
from ticklake.core.sample import table as table_module
from ticklake.core.sample.kinds import NULLS, ColumnKind, kinds_of
from ticklake.core.sample.table import read_table

HEADER = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"
ROW = "HSI,1986-12-31,2568.300049,2568.300049,2568.300049,2568.300049,2568.300049,0.0,333.87900637"

names = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=2, max_size=5, unique=True).filter(
    lambda found: not {"dt", "hr"} & set(found)
)
# All that a file may hold: quotes, separators, line ends of every kind; no lone surrogates, no zero bytes.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


# With \n between rows Python's writer leaves a \r unquoted, which no reader could tell from a line's end.
HOW = [("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL)]


@given(data=st.data(), separator=st.sampled_from(",;\t|"), how=st.sampled_from(HOW), header=names)
def test_any_table_of_strings_comes_out_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data, separator, how, header
):
    rows = data.draw(st.lists(st.lists(texts, min_size=len(header), max_size=len(header)), min_size=1, max_size=8))
    out = io.StringIO()
    end, quoting = how
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(out.getvalue().encode())
    kept = [row for row in rows if any(field.strip() for field in row)]
    if not kept:
        with pytest.raises(InputError, match="has no rows"):
            read_table(path)
        return
    read = read_table(path)
    assert read is not None
    assert (read.rows, read.blank, read.short) == (len(kept), len(rows) - len(kept), 0)
    strings = [place for place, column in enumerate(read.columns) if column.kind is ColumnKind.STRING]
    for row, values in zip(kept, (row for batch in read.batches() for row in batch), strict=True):
        for place in strings:
            assert values[place] == (None if row[place].strip() in NULLS else row[place])
    # What is no column of strings is none for a reason: each value is of that kind.
    for place, column in enumerate(read.columns):
        for row in kept:
            assert row[place].strip() in NULLS or column.kind in kinds_of(row[place])


def test_the_sample_is_read_with_the_types_of_its_table(table):
    (tick,) = table(HEADER, ROW).ticks()
    assert tick == {
        "Index": "HSI",
        "Date": "1986-12-31",
        **dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close"), 2568.300049),
        "Volume": 0,
        "CloseUSD": 333.87900637,
    }


def test_windows_line_ends_old_mac_ones_and_a_byte_order_mark_do_no_harm(table):
    plain = list(table(HEADER, ROW, ROW).ticks())
    assert list(table(HEADER, ROW, ROW, end="\r\n", encoding="utf-8-sig").ticks()) == plain
    assert list(table(HEADER, ROW, ROW, end="\r").ticks()) == plain


def test_blank_rows_are_skipped_and_counted_wherever_they_stand(table):
    read = table("", HEADER, ",,,,,,,,", ROW, "", " , ,", ROW, *[",,,,,,,,"] * 2000)
    assert (read.rows, read.blank, len(list(read.ticks()))) == (2, 2004, 2)


def test_rows_that_are_too_short_are_filled_with_null_and_counted(table):
    read = table("a,b,c", "1,2,3", "4", "5,6")
    assert [list(tick.values()) for tick in read.ticks()] == [[1, 2, 3], [4, None, None], [5, 6, None]]
    assert read.short == 2


def test_rows_that_are_too_long_are_refused_with_their_lines(refusal):
    said = refusal("a,b", "1,2", "3,4,5", '"6\n7",8', "9,10,11,12")
    assert said.splitlines()[1:] == [
        "  line 3: 3 fields, and the header has 2: '3,4,5'",
        "  line 6: 4 fields, and the header has 2: '9,10,11,12'",
    ]


def test_separators_at_the_end_of_a_row_add_nothing(table):
    assert [list(tick.values()) for tick in table("a,b", "1,2,,", "3,4").ticks()] == [[1, 2], [3, 4]]


def test_an_unclosed_quote_is_named_by_the_line_it_begins_in(refusal):
    assert refusal("a,b", "1,2", '3,"x', "4,5").startswith("FILE, line 3: not CSV: unexpected end of data")


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(refusal):
    assert "line 2: not CSV: field larger than field limit" in refusal("a,b", '1,"x', *["y" * 1000] * 1500)


def test_a_long_field_is_no_error(table):
    assert next(table("a,b", f"1,{'x' * 900_000}").ticks())["b"] == "x" * 900_000


def test_long_rows_come_in_small_batches(table, monkeypatch):
    monkeypatch.setattr(table_module, "_BATCH_BYTES", 100_000)
    assert max(map(len, table("a,b", *[f"1,{'x' * 10_000}"] * 100).batches())) < 20


def test_an_empty_file_and_one_with_a_header_only_are_told(refusal):
    assert refusal() == "FILE is empty. Its first line is to name the columns."
    assert refusal("", " ") == "FILE is empty. Its first line is to name the columns."
    assert refusal(HEADER, ",,").startswith("FILE has no rows but its header.")


def test_reading_ends_when_it_is_told_to(written):
    assert read_table(written("a", *"123"), stop=lambda: True) is None


def test_progress_is_told_as_a_share_of_the_file(written):
    told = []
    read_table(written("a,b", *[f"{n},x" for n in range(100_000)]), progress=lambda *how_far: told.append(how_far))
    rows, shares = zip(*told, strict=True)
    assert list(rows) == sorted(rows)
    assert rows[-1] == 100_000
    assert 0 < shares[0] < 0.1
    assert shares[-1] == 1.0
    assert list(shares) == sorted(shares)


@pytest.mark.parametrize("now", ["a,b\n1,x\n", "a\n1\n", "a,b\n1,2\n3,4,5\n"])
def test_a_file_that_changes_while_it_is_read_is_told_and_not_guessed(written, now):
    path: Path = written("a,b", "1,2")
    read = read_table(path)
    assert read is not None
    path.write_text(now)
    with pytest.raises(InputError, match=r"has changed|3 fields"):
        list(read.batches())
