"""A row typed by a person is held to the kinds of the file's columns."""

import pytest

from ticklake.core.errors import SettingsError
from ticklake.core.sample.typed import typed_row

FILE = ("Index,Date,Open,Volume,flag", "HSI,31/05/2021,1.5,2,true")


def test_a_typed_record_gets_all_columns_in_order(table):
    record = {"Date": "2021-05-31", "Index": "HSI", "Open": 5}
    assert typed_row(record, table(*FILE)) == ("HSI", "2021-05-31", 5.0, None, None)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ([1], "not a JSON object"),
        ({"Index": 5}, "Index = 5"),
        ({"Date": "31.5.2021"}, "Date = '31.5.2021' is not a date YYYY-MM-DD"),
        ({"Index": "\ud800"}, "Index"),
        ({"Opne": 1}, "'Opne' is not a column of"),
        ({"Open": "1"}, "Open = '1'"),
        ({"Open": True}, "Open = True"),
        ({"Open": float("nan")}, "Open = nan"),
        ({"Open": 10**400}, "Open = 1"),
        ({"Volume": 2**63}, "Volume = 9223372036854775808"),
        ({"flag": 1}, "flag = 1 is not a true or false"),
    ],
)
def test_a_wrong_field_of_a_typed_record_is_named(table, record, named):
    with pytest.raises(SettingsError, match="record: ") as error:
        typed_row(record, table(*FILE))
    assert named in str(error.value)
