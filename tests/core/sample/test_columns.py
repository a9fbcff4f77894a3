"""Names of columns, and the type of each over the whole file."""

from pathlib import Path

import pytest
import yaml

from ticklake.core.sample.columns import DECLARED
from ticklake.core.sample.kinds import ColumnKind


def kinds(table) -> dict[str, ColumnKind]:
    return {column.name: column.kind for column in table.columns}


def note(table) -> str:
    (column,) = table.columns
    return column.note


def test_all_names_that_cannot_be_columns_are_told_in_one_error_with_their_places(refusal):
    said = refusal('good,,"a,b",Close,dt,kafka_offset,close,' + "x" * 256, "1,2,3,4,5,6,7,8")
    assert said.startswith("FILE, line 1: 6 of the header's names cannot be names of columns:\n")
    assert said.splitlines()[1:-1] == [
        "  column 2 has no name",
        "  column 3: not a column name: 'a,b'",
        "  column 5: reserved column: dt",
        "  column 6: reserved column: kafka_offset",
        f"  column 8: not a column name: '{'x' * 255}'",
        "  columns 4 and 7 are all 'close' (Athena does not tell upper from lower case) ",
    ]
    assert said.splitlines()[-1] == "Give each column of the first line a name of its own."


def test_blanks_around_a_name_are_no_part_of_it(table):
    assert table(" a , b c ", "1,2").names == ("a", "b c")


def test_a_type_is_decided_over_the_whole_file(table):
    rows = [f"{n},{n},{n}.5,true,x{n}" for n in range(2000)]
    read = table("whole,number,price,flag,text", *rows, "7,1.5,2,FALSE,9")
    assert kinds(read) == dict(
        zip(
            ("whole", "number", "price", "flag", "text"),
            (ColumnKind.WHOLE, ColumnKind.NUMBER, ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.STRING),
            strict=True,
        )
    )
    first, *_, last = read.ticks()
    assert first == {"whole": 0, "number": 0.0, "price": 0.5, "flag": True, "text": "x0"}
    assert [type(value) for value in first.values()] == [type(value) for value in last.values()]


@pytest.mark.parametrize("place", [0, 1, 700, 1999])
def test_one_value_that_is_no_number_makes_a_column_of_strings_and_is_named(table, place):
    rows = [str(n) for n in range(2000)]
    rows[place] = "n/a"
    read = table("price", *rows)
    assert kinds(read) == {"price": ColumnKind.STRING}
    assert note(read) == f"strings, since line {place + 2} has 'n/a'"
    assert [tick["price"] for tick in read.ticks()] == rows


def test_the_value_is_named_also_where_the_numbers_come_long_after_it(table):
    assert note(table("price", *["n/a"] * 1000, *map(str, range(2000)))) == "strings, since line 2 has 'n/a'"


def test_a_column_of_texts_needs_no_note(table):
    assert note(table("name", "a", "b")) == ""


def test_whole_numbers_that_a_double_would_round_are_no_numbers_beside_fractions(table):
    assert kinds(table("n", "9007199254740993", "1")) == {"n": ColumnKind.WHOLE}
    read = table("n", "9007199254740993", "1.5")
    assert kinds(read) == {"n": ColumnKind.STRING}
    assert next(read.ticks()) == {"n": "9007199254740993"}


def test_whole_numbers_beyond_64_bits_are_strings(table):
    read = table("n", "1", "98765432109876543210")
    assert note(read) == "strings, since line 3 has '98765432109876543210'"


@pytest.mark.parametrize(
    ("rows", "expected", "said"),
    [
        (["29/06/1979", "01/07/1979"], ["1979-06-29", "1979-07-01"], "DD/MM/YYYY becomes YYYY-MM-DD"),
        (["06/29/1979", "07/01/1979"], ["1979-06-29", "1979-07-01"], "MM/DD/YYYY becomes YYYY-MM-DD"),
        (["01/07/1979", "29.06.1979"], ["01/07/1979", "29.06.1979"], "strings, since line 3 has '29.06.1979'"),
        (["29/06/1979", "06/29/1979"], ["29/06/1979", "06/29/1979"], "strings, since line 3 has '06/29/1979'"),
        (["1979-06-29", "null"], ["1979-06-29", None], ""),
        (["1979-02-30", "1979-06-29"], ["1979-02-30", "1979-06-29"], "strings, since line 2 has '1979-02-30'"),
        (
            ["01/02/1979", "03/04/1980"],
            ["01/02/1979", "03/04/1980"],
            "as written: day and month cannot be told apart, DD/MM/YYYY or MM/DD/YYYY",
        ),
    ],
)
def test_dates_become_iso_where_one_form_fits_the_whole_column(table, rows, expected, said):
    for name in ("Date", "day"):  # the sample's own column is no other
        read = table(name, *rows)
        assert [tick[name] for tick in read.ticks()] == expected
        assert note(read) == said


def test_one_date_decides_day_and_month_for_all_that_came_before(table):
    rows = [f"{n % 12 + 1:02d}/{n % 11 + 1:02d}/2001" for n in range(1500)]
    read = table("d", *rows, "13/01/2001")
    assert next(read.ticks()) == {"d": "2001-01-01"}
    assert read.columns[0].form == "DD/MM/YYYY"


def test_a_column_without_values_is_null_and_said(table):
    read = table("a,b,Close", "1,,", "2,NA,-", "3,null,NaN")
    assert [tick["b"] for tick in read.ticks()] == [None] * 3
    assert read.columns[1].note == "no values"
    assert [tick["Close"] for tick in read.ticks()] == [None] * 3


def test_the_declared_columns_are_those_of_the_template():
    """One rule: what the table of the stack is declared with is what the file is held to."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml says nothing of its types
        pass

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load(Path("include/aws/stack.yaml").read_text(), Loader)
    storage = template["Resources"]["RawTable"]["Properties"]["TableInput"]["StorageDescriptor"]
    declared = {column["Name"]: column["Type"] for column in storage["Columns"]}
    for name in ("kafka_partition", "kafka_offset", "kafka_timestamp"):
        del declared[name]
    types = {ColumnKind.STRING: "string", ColumnKind.NUMBER: "double"}
    assert {name: types[kinds[-1]] for name, kinds in DECLARED.items()} == declared


def test_what_does_not_fit_a_declared_column_is_named_with_line_and_column(refusal):
    assert refusal("Index,Close", "HSI,1.5", "HSI,abc") == "FILE, line 3, column Close: 'abc' is not a number."


def test_several_misfits_are_told_at_once_and_the_rest_counted(refusal):
    said = refusal("Index,Close,volume", *(["HSI,1.5,2"] * 600), *(f"HSI,x{n},y" for n in range(10)), "HSI,1,2,3")
    assert said.splitlines()[0] == "FILE does not fit its columns in 21 places:"
    assert said.splitlines()[1] == "  line 602, column Close: 'x0' is not a number"
    assert said.splitlines()[-1] == "  and 16 more"


def test_declared_strings_stay_strings_and_prices_numbers_however_they_look(table):
    read = table("index,open,Volume", "1,2,0.0", "2,3,1500.0")
    assert list(read.ticks()) == [
        {"index": "1", "open": 2.0, "Volume": 0},
        {"index": "2", "open": 3.0, "Volume": 1500},
    ]


def test_volumes_with_a_fraction_among_them_are_numbers(table):
    assert [tick["Volume"] for tick in table("Index,Volume", "HSI,1", "HSI,1.5").ticks()] == [1.0, 1.5]
