"""Large objects are parsed once and kept as columns; nobody may notice but by the time it takes."""

import random

import pytest

from tests.local.aws.conftest import Lake
from tests.support.aws_stand_in import running_aws

NOISE = random.Random(1).randbytes(100_000).hex()  # packs to 100 kB: an object with it is large
KINDS = {
    "n": "int",
    "big": "bigint",
    "tiny": "tinyint",
    "ratio": "double",
    "flag": "boolean",
    "name": "string",
    "price": "decimal(10,2)",
    "day": "date",
    "moment": "timestamp",
    "row": "struct<a:int,b:string>",
    "list": "array<double>",
    "*": "int",
    "never": "string",
}
ROWS = [
    '{"N":1,"Big":9007199254740993,"Tiny":-128,"Ratio":1,"Flag":true,"Name":"a\\"b\\u00e9\\\\"}',
    '{"n":"2","Big":"+3","Tiny":null,"Ratio":"1.5","Flag":"FALSE","Name":1.50,"Price":"12.345"}',
    '{"N":3,"n":null,"Ratio":-2.5E-3,"Name":{"x":[1]},"Price":7,"Day":"2026-11-22","Moment":"2026-11-22 10:11:12.123"}',
    '{"N":4,"Row":{"A":5,"b":null},"List":[1,2.5,null],"Name":null,"*":1}',
    '{"N":5,"Row":{},"List":[],"Day":null,"Name":""}',
]


@pytest.fixture
def kept(aws_endpoint, aws_folder):
    """How many objects are kept as columns."""
    return lambda: len(list((aws_folder / "tmp" / "ticklake-parsed").glob("*")))


@pytest.fixture
def ticks(lake):
    """A large object of two rows at 10."""
    lake.put("10", "a", {"Volume": 1, "Offset": 0, "Note": NOISE}, {"Volume": 2, "Offset": 1, "Note": None})
    lake.crawl()
    return lake


def _table(lake: Lake, name: str, *objects: list[str], kinds: dict[str, str] = KINDS) -> None:
    for n, lines in enumerate(objects):
        lake.s3.put_object(Bucket=lake.name, Key=f"{name}/{n}.jsonl", Body="".join(f"{x}\n" for x in lines).encode())
    lake.glue.create_table(DatabaseName=lake.name, TableInput=_definition(lake, name, kinds))


def _definition(lake: Lake, name: str, kinds: dict[str, str]) -> dict[str, object]:
    storage = {
        "Columns": [{"Name": n, "Type": kind} for n, kind in kinds.items()],
        "Location": f"s3://{lake.name}/{name}/",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    return {"Name": name, "StorageDescriptor": storage}


def test_values_are_the_same_from_lines_and_from_columns(lake, kept):
    _table(lake, "small", *([line] for line in ROWS))
    _table(lake, "large", [*ROWS, f'{{"Pad":"{NOISE}"}}'])
    before = kept()
    of_lines = lake.rows("SELECT * FROM small ORDER BY n")
    of_columns = [lake.rows("SELECT * FROM large WHERE n IS NOT NULL ORDER BY n") for _ in range(2)]
    assert of_columns == [of_lines, of_lines]
    assert len(of_lines) == 6
    assert kept() == before + 1, "of two queries the first one parses, and nothing but the large object"


def test_small_and_large_objects_are_counted_together_as_the_bytes_that_lie_in_s3(ticks):
    ticks.put("10", "small", {"Volume": 3})
    execution = ticks.run("SELECT sum(volume) FROM ticks")
    assert ticks.value("SELECT sum(volume) FROM ticks") == "6"
    listed = ticks.s3.list_objects_v2(Bucket=ticks.name, Prefix="raw/")["Contents"]
    assert execution["Statistics"]["DataScannedInBytes"] == sum(o["Size"] for o in listed)


def test_a_value_that_does_not_fit_fails_only_the_query_that_reads_it(ticks):
    ticks.put("10", "bad", {"Volume": 1.5, "Offset": 2, "Note": NOISE})
    for _ in range(2):
        assert ticks.reason("SELECT sum(volume) FROM ticks").startswith("HIVE_BAD_DATA")
        assert ticks.value('SELECT sum("offset") FROM ticks') == "3"


@pytest.mark.parametrize(("line", "reason"), [("no json", "HIVE_CURSOR_ERROR: Row is not"), ("", "NOT_SUPPORTED: ")])
def test_a_wrong_line_in_a_large_object_fails_each_query(ticks, line, reason):
    ticks.put("10", "bad", {"Note": NOISE}, line, {"Volume": 1})
    for _ in range(2):
        assert ticks.reason("SELECT count(*) FROM ticks").startswith(reason)


def test_an_object_that_is_written_anew_or_deleted_is_not_answered_from_what_was_kept(ticks):
    assert ticks.value("SELECT sum(volume) FROM ticks") == "3"
    ticks.put("10", "a", {"Volume": 5, "Note": NOISE})
    assert ticks.value("SELECT sum(volume) FROM ticks") == "5"
    ticks.s3.delete_object(Bucket=ticks.name, Key="raw/ticks/dt=2026-11-22/hr=10/a.jsonl.gz")
    assert ticks.value("SELECT count(*) FROM ticks") == "0"


def test_a_column_that_comes_later_is_found_in_an_object_that_was_kept_before(lake):
    _table(lake, "ticks", [f'{{"N":1,"Name":"a","Pad":"{NOISE}"}}'], kinds={"n": "int"})
    assert lake.value("SELECT sum(n) FROM ticks") == "1"
    lake.glue.update_table(
        DatabaseName=lake.name, TableInput=_definition(lake, "ticks", {"n": "int", "name": "string"})
    )
    assert lake.value("SELECT name FROM ticks") == "a"


def test_queries_at_the_same_time_parse_an_object_once(ticks, kept):
    before = kept()
    for n in range(8):
        ticks.put("11", str(n), {"Volume": 1, "Note": NOISE})
    ticks.run("MSCK REPAIR TABLE ticks")
    started = [ticks.start("SELECT sum(volume) FROM ticks WHERE hr = '11'") for _ in range(5)]
    assert {ticks.ended(i)["Status"]["State"] for i in started} == {"SUCCEEDED"}
    assert kept() == before + 8
    assert ticks.value("SELECT sum(volume) FROM ticks WHERE hr = '11'") == "8"


def test_nothing_that_was_kept_outlives_the_process(tmp_path):
    folder = tmp_path / "tmp" / "ticklake-parsed"
    folder.mkdir(parents=True)
    (folder / "killed").touch()
    with running_aws(tmp_path) as endpoint:
        assert not folder.exists(), "what a process left that was killed"
        lake = Lake(endpoint)
        lake.put("10", "a", {"Volume": 1, "Note": NOISE})
        lake.crawl()
        assert lake.value("SELECT sum(volume) FROM ticks") == "1"
        assert len(list(folder.iterdir())) == 1
    assert not folder.exists()
