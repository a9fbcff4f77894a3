"""Athena against AWS's documented behaviour (docs/aws-stand-in.md names the pages)."""

import csv
import io
import threading

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def ticks(lake):
    """Two hours: at 10 five ticks of two indices, at 11 one."""
    rows = [
        {"Index": "NYA" if n % 2 else "HSI", "Adj Close": n + 0.5, "Volume": n * 10, "Partition": 0, "Offset": n}
        for n in range(5)
    ]
    lake.sizes = {"10": lake.put("10", "a", *rows), "11": lake.put("11", "a", rows[0] | {"Offset": 5, "Partition": 1})}
    lake.crawl()
    return lake


def test_unnamed_columns_are_called_after_their_place(ticks):
    assert ticks.rows("SELECT hr, count(*), max(volume) + 1 FROM ticks WHERE hr = '10' GROUP BY hr") == [
        ["hr", "_col1", "_col2"],
        ["10", "5", "41"],
    ]


def test_names_have_no_case_and_may_have_spaces(ticks):
    assert ticks.value("SELECT sum(\"Adj Close\") FROM ticks WHERE INDEX = 'NYA'") == "5.0"


def test_only_matching_partitions_are_read_and_counted_as_scanned(ticks):
    for where, hours in (
        ("hr = '10'", ["10"]),
        ("hr IN ('11') AND volume = 0", ["11"]),
        ("dt = '2026-11-22'", ["10", "11"]),
        ("dt < '2026-11-22'", []),
        ("hr = '10' OR volume = 0", ["10", "11"]),
    ):
        execution = ticks.run(f"SELECT count(*) FROM ticks WHERE {where}")
        assert execution["Statistics"]["DataScannedInBytes"] == sum(ticks.sizes[h] for h in hours), where


def test_pruning_does_not_change_an_outer_join(ticks):
    sql = """SELECT count(*) FROM ticks a LEFT JOIN ticks b ON a."offset" = b."offset" AND b.hr = '11'
             WHERE coalesce(b.hr, 'none') = 'none'"""
    assert ticks.value(sql) == "5"


def test_count_distinct_of_a_row_is_right(ticks):
    ticks.put("10", "twice", {"Partition": 0, "Offset": 0})
    assert ticks.value('SELECT count(DISTINCT ("partition", "offset")) FROM ticks') == "6"
    assert ticks.value("SELECT count(*) FROM ticks") == "7"


def test_ctes_joins_windows_and_unions(ticks):
    sql = """WITH per AS (SELECT index, count(*) AS n FROM ticks GROUP BY index)
             SELECT t.index, per.n, row_number() OVER (PARTITION BY t.index ORDER BY "offset") AS place
             FROM ticks t JOIN per ON per.index = t.index WHERE t."offset" < 3 ORDER BY 1, 3"""
    assert ticks.rows(sql)[1:] == [["HSI", "4", "1"], ["HSI", "4", "2"], ["NYA", "2", "1"]]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 / 2e0", "3.5"),
        ("sum(volume) / count(*)", "16"),
        ('sum("adj close") / 2', "6.5"),
        ("round(avg(volume), 2)", "16.67"),
        ("CAST(avg(volume) AS bigint)", "17"),
        ("CAST(2.5e0 AS bigint)", "3"),
        ("TRY_CAST('x' AS bigint)", None),
        ("1e10", "1.0E10"),
        ("0.0001e0", "1.0E-4"),
        ("greatest(1, NULL)", None),
        ("from_unixtime(1795391863986 / 1000e0)", "2026-11-22 23:57:43.986 UTC"),
        ("date_trunc('minute', from_unixtime(1795391863))", "2026-11-22 23:57:00.000 UTC"),
        ("date_format(from_unixtime(1795391863), '%Y-%m-%d %H:%i')", "2026-11-22 23:57"),
        ("date_parse('2026-11-22 10:05', '%Y-%m-%d %H:%i')", "2026-11-22 10:05:00.000"),
        ("date_diff('hour', TIMESTAMP '2026-11-22 09:59:00', TIMESTAMP '2026-11-22 10:01:00')", "0"),
        ("DATE '2026-11-22' - INTERVAL '1' DAY", "2026-11-21"),
        ("approx_distinct(index)", "2"),
        ('max_by(index, "offset")', "HSI"),
        ("count(*) FILTER (WHERE volume > 10)", "3"),
        ("true", "true"),
        ("concat('a', 'b') || 'c'", "abc"),
    ],
)
def test_values_are_trinos(ticks, expression, value):
    assert ticks.value(f"SELECT {expression} FROM ticks GROUP BY ()") == value


def test_metadata_tells_athenas_types(ticks):
    sql = 'SELECT index, volume, "adj close", count(*), true, hr, current_date, now() FROM ticks GROUP BY 1, 2, 3, hr'
    identity = ticks.run(sql)["QueryExecutionId"]
    columns = ticks.athena.get_query_results(QueryExecutionId=identity)["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [c["Type"] for c in columns] == [
        "varchar",
        "integer",
        "double",
        "bigint",
        "boolean",
        "varchar",
        "date",
        "timestamp with time zone",
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT nope FROM ticks", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("SELECT 1 FROM nope", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{lake}.nope' does not exist"),
        ("SELECT 1 FROM nope.t", "SCHEMA_NOT_FOUND: line 1:20: Schema 'nope' does not exist"),
        ("SELECT hr AS h FROM ticks GROUP BY h", "COLUMN_NOT_FOUND: line 1:36: Column 'h'"),
        ("SELECT index FROM ticks WHERE hr = 10", "TYPE_MISMATCH: line 1:31: Cannot apply operator"),
        ("SELECT a.index FROM ticks a, ticks b WHERE volume = 1", "AMBIGUOUS_NAME: line 1:44"),
        ("SELECT index, count(*) FROM ticks", "SYNTAX_ERROR: "),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast 'x' to BIGINT"),
    ],
)
def test_a_wrong_query_fails_with_athenas_reason(ticks, sql, reason):
    assert ticks.reason(sql).startswith(reason.format(lake=ticks.name))


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("CREATE TABLE x AS SELECT 1 AS a", "CREATE TABLE x"),
        ("INSERT INTO ticks SELECT 1", "INSERT INTO ticks"),
        ("SELECT json_extract_scalar(index, '$.a') FROM ticks", "function json_extract_scalar"),
        ("SELECT url_decode(index) FROM ticks", "function url_decode"),
        ("SELECT * FROM ticks TABLESAMPLE BERNOULLI (10)", "tablesample"),
        ("SELECT 100.0 * count(*) / 3 FROM ticks", "division of decimals"),
        ("SELECT x FROM ticks CROSS JOIN UNNEST(ARRAY[1]) AS t(x)", "unnest"),
        ("WITH RECURSIVE a(n) AS (SELECT 1) SELECT n FROM a", "WITH RECURSIVE"),
        ("SELECT date_format(now(), '%W')", "time format"),
        ("SELECT 1 FROM information_schema.tables", "information_schema"),
    ],
)
def test_what_is_not_emulated_fails_and_is_named(ticks, sql, named):
    reason = ticks.reason(sql)
    assert "not emulated by the local stand-in" in reason
    assert named in reason


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT index::varchar FROM ticks", "SELECT 1; SELECT 2", "SELECT (1"])
def test_what_is_not_sql_is_not_taken(ticks, sql):
    with pytest.raises(ticks.athena.exceptions.InvalidRequestException):
        ticks.start(sql)


def test_a_line_that_is_not_json_fails_the_query(ticks):
    ticks.put("10", "bad", {"Index": "HSI"}, "not json")
    assert ticks.reason("SELECT count(*) FROM ticks").startswith("HIVE_CURSOR_ERROR: Row is not a valid JSON Object")
    assert ticks.value("SELECT count(*) FROM ticks WHERE hr = '11'") == "1"


def test_a_value_that_does_not_fit_its_column_fails_the_query(ticks):
    ticks.put("10", "bad", {"Volume": 1.5})
    assert ticks.reason("SELECT sum(volume) FROM ticks").startswith("HIVE_BAD_DATA")


def test_structs_and_lists_are_read(lake):
    lake.put("10", "a", {"Row": {"a": 1, "B": "x"}, "List": [1, 2]}, {"Other": 1})
    lake.crawl()
    assert lake.rows('SELECT "row".a, list, "row" FROM ticks WHERE other IS NULL')[1:] == [
        ["1", "[1, 2]", "{a=1, B=x}"]
    ]


def test_results_come_in_pages_and_the_header_on_the_first_only(ticks):
    identity = ticks.run('SELECT "offset" FROM ticks ORDER BY 1')["QueryExecutionId"]
    pages = ticks.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=identity, PaginationConfig={"PageSize": 3}
    )
    rows = [[r["Data"][0]["VarCharValue"] for r in p["ResultSet"]["Rows"]] for p in pages]
    assert rows == [["offset", "0", "1"], ["2", "3", "4"], ["5"]]


def test_the_csv_lies_in_the_output_location(ticks):
    execution = ticks.run("SELECT index, CAST(NULL AS varchar) AS n, '' AS e, 'a\"b' AS q FROM ticks WHERE hr = '11'")
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{ticks.name}/athena-results/{execution['QueryExecutionId']}.csv"
    key = location.removeprefix(f"s3://{ticks.name}/")
    body = ticks.s3.get_object(Bucket=ticks.name, Key=key)["Body"].read().decode()
    assert body == '"index","n","e","q"\n"HSI",,"","a""b"\n'
    assert list(csv.reader(io.StringIO(body)))[1] == ["HSI", "", "", 'a"b']
    result = ticks.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]["Rows"][1]
    assert result["Data"] == [{"VarCharValue": "HSI"}, {}, {"VarCharValue": ""}, {"VarCharValue": 'a"b'}]


def test_an_enforced_workgroup_decides_the_output_location_and_the_limit(ticks):
    ticks.athena.create_work_group(
        Name=ticks.name,
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://{ticks.name}/enforced/"},
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
    )
    execution = ticks.run("SELECT count(*) FROM ticks", WorkGroup=ticks.name)
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{ticks.name}/enforced/")
    key = "raw/ticks/dt=2026-11-22/hr=10/big.jsonl.gz"
    ticks.s3.put_object(Bucket=ticks.name, Key=key, Body=bytes(10_000_001))
    status = ticks.run("SELECT count(*) FROM ticks", WorkGroup=ticks.name)["Status"]
    assert (status["State"], "Bytes scanned limit" in status["StateChangeReason"]) == ("CANCELLED", True)


def test_execution_parameters_fill_the_question_marks(ticks):
    sql = "SELECT count(*) FROM ticks WHERE hr = ? AND volume >= ?"
    assert ticks.value(sql, ExecutionParameters=["'10'", "20"]) == "3"
    assert "Incorrect number of parameters" in ticks.reason(sql, ExecutionParameters=["'10'"])
    assert "literal" in ticks.reason(sql, ExecutionParameters=["'10'", "(SELECT 1)"])


def test_parameters_fill_the_question_marks_in_the_order_in_which_they_stand(ticks):
    sql = "WITH a AS (SELECT ? AS x, hr FROM ticks WHERE hr = ?) SELECT ? AS y, x, ? AS z FROM a WHERE x = ? LIMIT 1"
    assert ticks.rows(sql, ExecutionParameters=["1", "'11'", "'?'", "-3", "1"]) == [["y", "x", "z"], ["?", "1", "-3"]]


def test_the_same_token_starts_one_query(ticks):
    token = "t" * 32
    first = ticks.start("SELECT 1", ClientRequestToken=token)
    assert ticks.start("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        ticks.start("SELECT 2", ClientRequestToken=token)


def test_a_query_can_be_stopped_and_others_go_on(ticks):
    for n in range(3):
        ticks.put("10", f"many{n}", *[{"Offset": i} for i in range(3000)])
    slow = (
        'SELECT count(*) FROM ticks a CROSS JOIN ticks b CROSS JOIN ticks c WHERE a."offset" + b."offset" > c."offset"'
    )
    identity = ticks.start(slow)
    assert ticks.value("SELECT 1") == "1"
    ticks.athena.stop_query_execution(QueryExecutionId=identity)
    assert ticks.ended(identity)["Status"]["State"] == "CANCELLED"
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        ticks.athena.get_query_results(QueryExecutionId=identity)
    # The workers are free again: the query that was stopped would hold one for hours.
    for started in [ticks.start("SELECT count(*) FROM ticks") for _ in range(8)]:
        assert ticks.ended(started)["Status"]["State"] == "SUCCEEDED"


def test_several_queries_at_once_while_objects_are_written(ticks):
    writing = threading.Thread(target=lambda: [ticks.put("10", f"w{n}", {"Offset": n}) for n in range(30)])
    writing.start()
    started = [ticks.start("SELECT count(*) FROM ticks") for _ in range(10)]
    writing.join()
    statuses = [ticks.ended(i)["Status"] for i in started]
    assert [s for s in statuses if s["State"] != "SUCCEEDED"] == []
    assert ticks.value("SELECT count(*) FROM ticks") == "36"


def test_an_hour_of_hundreds_of_small_objects_is_counted(ticks):
    for n in range(360):
        ticks.put("11", f"n{n}", *[{"Offset": i} for i in range(10)])
    assert ticks.value("SELECT count(*) FROM ticks WHERE hr = '11'") == "3601"


def test_partitions_can_be_shown_and_repaired_by_statement(ticks):
    ticks.put("12", "a", {"Offset": 9})
    assert ticks.rows("SHOW PARTITIONS ticks") == [["dt=2026-11-22/hr=10"], ["dt=2026-11-22/hr=11"]]
    ticks.run("MSCK REPAIR TABLE ticks")
    assert ticks.value("SELECT count(*) FROM ticks WHERE hr = '12'") == "1"
    ticks.run("ALTER TABLE ticks DROP PARTITION (dt='2026-11-22', hr='12')")
    ticks.run("ALTER TABLE ticks ADD IF NOT EXISTS PARTITION (dt='2026-11-22', hr='10')")
    assert ticks.rows("SHOW PARTITIONS ticks")[-1] == ["dt=2026-11-22/hr=11"]
    assert ticks.rows("SHOW TABLES") == [["ticks"]]
    assert "already exists" in ticks.reason("ALTER TABLE ticks ADD PARTITION (dt='2026-11-22', hr='10')")


def test_queries_are_listed_newest_first(ticks):
    started = [ticks.run("SELECT 1")["QueryExecutionId"] for _ in range(2)]
    listed = ticks.athena.list_query_executions()["QueryExecutionIds"]
    assert listed[:2] == started[::-1]
    found = ticks.athena.batch_get_query_execution(QueryExecutionIds=[*started, "nobody"])
    assert (len(found["QueryExecutions"]), len(found["UnprocessedQueryExecutionIds"])) == (2, 1)
