import boto3
import pytest
from botocore.config import Config

from tests.support.catalogued import TABLE, Catalogued
from tests.support.landed import land
from ticklake.clients.aws.glue import crawl, has_hour
from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour

HOUR = Hour.parse("2026-11-22T10")


def test_an_hour_is_in_the_catalog_after_the_crawl_that_finds_it(catalogued: Catalogued):
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (0, 3)})
    assert not has_hour(catalogued.glue, catalogued.name, TABLE, HOUR)  # not even the table is
    catalogued.crawl()
    assert has_hour(catalogued.glue, catalogued.name, TABLE, HOUR)
    assert not has_hour(catalogued.glue, catalogued.name, TABLE, HOUR.plus(1))


def test_a_glue_that_does_not_answer_is_not_a_missing_hour():
    away = boto3.client(
        "glue",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(LakeError, match=r"ticks has the hour 2026-11-22T10"):
        has_hour(away, "db", TABLE, HOUR)


def test_a_crawl_under_way_is_waited_for_and_another_is_run_since_it_may_have_passed_the_hour(catalogued: Catalogued):
    catalogued.glue.start_crawler(Name=catalogued.name)
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (0, 3)})
    crawl(catalogued.glue, catalogued.name)
    assert has_hour(catalogued.glue, catalogued.name, TABLE, HOUR)


def test_a_crawl_that_fails_is_an_error_with_the_crawlers_words(catalogued: Catalogued):
    catalogued.glue.update_crawler(Name=catalogued.name, Targets={"S3Targets": [{"Path": "s3://no-such-bucket/raw/"}]})
    with pytest.raises(LakeError, match=f"{catalogued.name}' ended as FAILED: .*no-such-bucket"):
        crawl(catalogued.glue, catalogued.name)
