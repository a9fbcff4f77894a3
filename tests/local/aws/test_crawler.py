"""The crawler against AWS's documented behaviour (docs/aws-stand-in.md names the pages)."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import CONFIGURATION
from tests.support.waiting import wait_for


def tick(**more):
    return {"Index": "HSI", "Adj Close": 1.5, "Volume": 0, **more}


def test_a_new_hour_is_invisible_until_crawled(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    lake.put("11", "a", tick())
    assert lake.value("SELECT count(*) FROM ticks") == "1"
    lake.crawl()
    assert lake.value("SELECT count(*) FROM ticks") == "2"


def test_a_new_object_in_a_known_hour_is_visible_at_once(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    lake.put("10", "b", tick(), tick())
    assert lake.value("SELECT count(*) FROM ticks") == "3"


def test_types_are_inferred_as_the_json_classifier_does(lake):
    lake.put(
        "10",
        "a",
        {"Int": 1, "Big": 2**31, "Real": 1.5, "Both": 1, "Text": "x", "Yes": True, "None": None, "Mixed": 1},
        {"Both": 0.5, "Mixed": "x", "Row": {"a": 1, "b": {"c": "x"}}, "List": [1, 2.5], "Empty": []},
    )
    assert lake.crawl()["Status"] == "SUCCEEDED"
    assert lake.columns() == {
        "int": "int",
        "big": "bigint",
        "real": "double",
        "both": "double",
        "text": "string",
        "yes": "boolean",
        "none": "string",
        "mixed": "string",
        "row": "struct<a:int,b:struct<c:string>>",
        "list": "array<double>",
        "empty": "array<string>",
    }


def test_the_table_is_described_as_glue_describes_json(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    table = lake.glue.get_table(DatabaseName=lake.name, Name="ticks")["Table"]
    storage = table["StorageDescriptor"]
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}, {"Name": "hr", "Type": "string"}]
    assert storage["SerdeInfo"]["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert storage["InputFormat"] == "org.apache.hadoop.mapred.TextInputFormat"
    assert storage["Location"] == f"s3://{lake.name}/raw/ticks/"
    assert table["Parameters"]["classification"] == "json"
    assert "adj close" in lake.columns()  # lower case, the space stays


def test_partitions_inherit_the_tables_columns(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    lake.put("11", "a", tick(Late="x"))
    lake.crawl()
    for hour in ("10", "11"):
        found = lake.glue.get_partition(DatabaseName=lake.name, TableName="ticks", PartitionValues=["2026-11-22", hour])
        assert [c["Name"] for c in found["Partition"]["StorageDescriptor"]["Columns"]] == list(lake.columns())


def test_a_column_that_appears_later_is_added_and_null_before(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    lake.put("10", "b", tick(Late=7))
    lake.crawl()
    assert lake.columns()["late"] == "int"
    assert lake.rows("SELECT late FROM ticks ORDER BY late")[1:] == [["7"], [None]]


def test_merge_new_columns_never_changes_a_type(lake):
    lake.put("10", "a", tick())
    lake.crawl()
    lake.put("11", "a", tick(Volume=5_000_000_000))
    lake.crawl()
    assert lake.columns()["volume"] == "int"
    assert "HIVE_BAD_DATA" in lake.reason("SELECT sum(volume) FROM ticks")


def test_a_crawl_under_way_refuses_another(lake):
    for n in range(300):
        lake.put("10", f"{n}", *[tick(n=n)] * 200)

    def refused() -> bool:
        # On a busy machine a crawl may end before it is asked for again: then there is another one.
        lake.glue.start_crawler(Name=lake.name)
        try:
            lake.glue.start_crawler(Name=lake.name)
        except lake.glue.exceptions.CrawlerRunningException:
            return True
        finally:
            assert lake.crawled()["Status"] == "SUCCEEDED"
        return False

    wait_for(refused, "a second start that is refused")


def test_other_requests_are_answered_during_a_crawl(lake):
    for n in range(100):
        lake.put("10", f"{n}", *[tick(n=n)] * 500)

    def answered_during_a_crawl() -> bool:
        lake.glue.start_crawler(Name=lake.name)
        lake.s3.list_buckets()
        running = lake.glue.get_crawler(Name=lake.name)["Crawler"]["State"] == "RUNNING"
        assert lake.crawled()["Status"] == "SUCCEEDED"
        return running

    # On a busy machine a crawl may end before the answer is seen; when every answer waits for the crawl, none is ever.
    wait_for(answered_during_a_crawl, "an answer while the crawl goes on")


def test_what_is_not_json_lines_fails_the_crawl_in_words(lake):
    lake.put("10", "a", "PAR1 and so on")
    crawl = lake.crawl()
    assert (crawl["Status"], "Parquet" in crawl["ErrorMessage"]) == ("FAILED", True)


def test_a_missing_database_fails_the_crawl_in_words(lake):
    lake.put("10", "a", tick())
    lake.glue.delete_database(Name=lake.name)
    assert lake.crawl()["ErrorMessage"] == f"Database {lake.name} not found."


def test_an_empty_target_succeeds_and_makes_nothing(lake):
    assert lake.crawl()["Status"] == "SUCCEEDED"
    assert lake.glue.get_tables(DatabaseName=lake.name)["TableList"] == []


def test_an_unknown_crawler_is_not_found(lake):
    with pytest.raises(lake.glue.exceptions.EntityNotFoundException):
        lake.glue.start_crawler(Name="nobody")


def test_get_partitions_filters_and_pages(lake):
    for hour in ("09", "10", "11"):
        lake.put(hour, "a", tick())
    lake.crawl()
    wanted = {"DatabaseName": lake.name, "TableName": "ticks"}
    found = lake.glue.get_partitions(**wanted, Expression="dt = '2026-11-22' AND hr >= '10'")["Partitions"]
    assert [p["Values"][1] for p in found] == ["10", "11"]
    first = lake.glue.get_partitions(**wanted, MaxResults=2)
    rest = lake.glue.get_partitions(**wanted, MaxResults=2, NextToken=first["NextToken"])
    assert [len(first["Partitions"]), len(rest["Partitions"]), "NextToken" in rest] == [2, 1, False]
    with pytest.raises(ClientError, match="InvalidInputException"):
        lake.glue.get_partitions(**wanted, Expression="volume = 1")


JSON_TABLE: Any = {
    "Name": "declared",
    "Parameters": {"classification": "json"},
    "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hr", "Type": "string"}],
    "StorageDescriptor": {
        "Columns": [{"Name": "index", "Type": "string"}, {"Name": "volume", "Type": "bigint"}],
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe", "Parameters": {}},
    },
}


@pytest.fixture
def declared(lake):
    """A table that a person declared, and the lake's crawler turned to it."""
    storage = JSON_TABLE["StorageDescriptor"] | {"Location": f"s3://{lake.name}/raw/ticks/"}
    lake.glue.create_table(DatabaseName=lake.name, TableInput=JSON_TABLE | {"StorageDescriptor": storage})
    lake.glue.update_crawler(**targets(lake))
    return lake


def targets(lake, behavior="LOG", **more):
    return {
        "Name": lake.name,
        "Targets": {"S3Targets": [], "CatalogTargets": [{"DatabaseName": lake.name, "Tables": ["declared"]}], **more},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": behavior},
        "Configuration": json.dumps(CONFIGURATION),
    }


def test_a_catalog_target_gets_its_partitions_and_keeps_its_types(declared):
    declared.put("10", "a", tick(Volume=1))
    declared.crawl()
    declared.put("11", "a", tick(Volume=3_000_000_000))
    assert declared.value("SELECT count(*) FROM declared") == "1"
    assert declared.crawl()["Status"] == "SUCCEEDED"
    assert declared.value("SELECT sum(volume) FROM declared") == "3000000001"


def test_a_catalog_target_gets_new_columns_and_no_new_table(declared):
    declared.put("10", "a", tick(Late=7))
    declared.crawl()
    tables = declared.glue.get_tables(DatabaseName=declared.name)["TableList"]
    assert [t["Name"] for t in tables] == ["declared"]
    columns = {c["Name"]: c["Type"] for c in tables[0]["StorageDescriptor"]["Columns"]}
    assert columns == {"index": "string", "volume": "bigint", "adj close": "double", "late": "int"}
    assert declared.value("SELECT late FROM declared") == "7"


def test_an_empty_catalog_target_succeeds(declared):
    assert declared.crawl()["Status"] == "SUCCEEDED"


def test_a_catalog_target_that_is_gone_fails_the_crawl_in_words(declared):
    declared.glue.delete_table(DatabaseName=declared.name, Name="declared")
    assert "declared of the crawler's catalog target not found" in declared.crawl()["ErrorMessage"]


def test_folders_that_are_not_the_tables_partition_columns_fail_the_crawl_in_words(declared):
    declared.s3.put_object(Bucket=declared.name, Key="raw/ticks/day=1/x.jsonl", Body=b'{"a":1}\n')
    assert "['day']" in declared.crawl()["ErrorMessage"]


@pytest.mark.parametrize("how", ["DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE"])
def test_a_catalog_target_demands_that_nothing_is_deleted(lake, how):
    with pytest.raises(lake.glue.exceptions.InvalidInputException, match="LOG"):
        lake.glue.update_crawler(**targets(lake, how))


def test_catalog_targets_do_not_mix_with_others(lake):
    with pytest.raises(lake.glue.exceptions.InvalidInputException, match="mixed"):
        lake.glue.update_crawler(**targets(lake, S3Targets=[{"Path": f"s3://{lake.name}/raw/ticks/"}]))


def test_a_catalog_target_is_not_crawled_incrementally(lake):
    with pytest.raises(lake.glue.exceptions.InvalidInputException, match="Incremental"):
        lake.glue.update_crawler(**targets(lake), RecrawlPolicy={"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"})
