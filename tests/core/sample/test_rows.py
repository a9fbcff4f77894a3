"""Rows as Kafka records: their JSON, their key."""

import json
import random

import pytest

from ticklake.core.errors import SettingsError
from ticklake.core.sample.rows import compact, key_of, pool, record_maker, to_json

HEADER = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"
ROW = "HSI,1986-12-31,2568.300049,2568.300049,2568.300049,2568.300049,2568.300049,0.0,333.87900637"


def records(table, key):
    make = record_maker(table, key)
    return [make(row) for batch in table.batches() for row in batch]


def test_a_row_becomes_json_with_exactly_the_columns_of_the_csv(table):
    assert records(table(HEADER, ROW), 0) == [
        (
            b"HSI",
            b'{"Index":"HSI","Date":"1986-12-31","Open":2568.300049,"High":2568.300049,"Low":2568.300049,'
            b'"Close":2568.300049,"Adj Close":2568.300049,"Volume":0,"CloseUSD":333.87900637}',
        )
    ]


def test_a_missing_value_is_null():
    assert to_json({"a": None, "b": "ü"}) == '{"a":null,"b":"ü"}'.encode()


def test_the_key_is_the_streams_column_where_the_file_has_it(table):
    assert key_of(table("a,INDEX", "1,x"), None, "Index") == 1
    assert key_of(table("a,b", "1,x"), None, "Index") is None


def test_the_setting_names_another_column_in_whatever_case(table):
    assert key_of(table("Index,Symbol", "1,x"), "symbol", "Index") == 1


def test_a_key_that_is_no_column_is_an_error_that_names_the_nearest(table):
    with pytest.raises(
        SettingsError, match=r"^TICKLAKE_CSV_KEY = 'Symbl' is not a column of .*\. Did you mean Symbol\?"
    ):
        key_of(table("Index,Symbol", "1,x"), "Symbl", "Index")


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        (["x", "NA"], [b"x", None]),
        (["5.0", "7"], [b"5", b"7"]),
        (["1.5"], [b"1.5"]),
        (["TRUE"], [b"true"]),
        (["29/06/1979"], [b"1979-06-29"]),
        (["ü"], ["ü".encode()]),
    ],
)
def test_a_key_is_the_value_as_the_row_has_it(table, rows, keys):
    assert [key for key, _ in records(table("k", *rows), 0)] == keys


def test_a_record_that_is_kept_is_the_same_in_memory_of_its_own():
    value = to_json({"a": 1})
    key, copied = compact((b"k", value))
    assert (key, copied) == (b"k", value)
    assert copied is not value


def test_without_a_key_there_is_none(table):
    assert [key for key, _ in records(table("a", "1"), None)] == [None]


def test_whole_numbers_of_64_bits_are_written_exactly(table):
    ((_, value),) = records(table("n", "9223372036854775807"), None)
    assert json.loads(value) == {"n": 9223372036854775807}


def test_a_pool_of_a_small_file_is_the_whole_file():
    assert pool(iter("abc"), 5, random.Random(1)) == ["a", "b", "c"]


def test_a_pool_is_bounded_and_gives_each_row_the_same_chance():
    chance = random.Random(1)
    seen = [n for _ in range(2000) for n in pool(range(20), 5, chance)]
    assert all(400 < seen.count(n) < 600 for n in range(20))
