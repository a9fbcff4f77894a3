"""The one template on the stand-in: made, kept, changed, repaired, and refused in words."""

import gzip
import json
import uuid
from typing import Any

import boto3
import pytest

from local.provision import TEMPLATE, provision
from tests.support.waiting import wait_for
from ticklake.clients.aws.athena import Athena, Question
from ticklake.core.errors import LakeError

CREDENTIALS: Any = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture
def endpoint(aws_endpoint):
    return aws_endpoint


@pytest.fixture
def make(endpoint):
    """Provision a stack of the test's own, all names its own."""
    name = f"s{uuid.uuid4().hex[:10]}"
    names = {"BucketName": name, "DatabaseName": name, "CrawlerName": name, "WorkgroupName": name}
    return lambda template=TEMPLATE, **more: provision(
        endpoint, names | more, stack=name, template=template, **CREDENTIALS
    )


def client(endpoint, service):
    return boto3.client(service, endpoint_url=endpoint, **CREDENTIALS)


def stack_events(endpoint, made):
    # The stack's name is the bucket's.
    found = client(endpoint, "cloudformation").describe_stack_events(StackName=made["BucketName"])["StackEvents"]
    return [event["EventId"] for event in found]


def test_everything_of_the_template_is_there(endpoint, make):
    made = make()
    bucket = made["BucketName"]
    s3 = client(endpoint, "s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {r["ID"] for r in rules} == {
        "abort-unfinished-uploads",
        "expire-query-results",
        "expire-old-counts",
        "expire-old-findings",
        "expire-old-versions",
    }
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    crawler = client(endpoint, "glue").get_crawler(Name=made["CrawlerName"])["Crawler"]
    assert crawler["Targets"]["CatalogTargets"] == [{"DatabaseName": made["DatabaseName"], "Tables": ["stock_ticks"]}]
    assert crawler["DatabaseName"] == made["DatabaseName"]
    table = client(endpoint, "glue").get_table(DatabaseName=made["DatabaseName"], Name="stock_ticks")["Table"]
    assert table["StorageDescriptor"]["Location"] == f"s3://{bucket}/raw/stock_ticks/"
    workgroup = client(endpoint, "athena").get_work_group(WorkGroup=made["WorkgroupName"])["WorkGroup"]
    assert workgroup["Configuration"]["ResultConfiguration"]["OutputLocation"] == f"s3://{bucket}/athena-results/"


def test_a_second_call_changes_nothing(endpoint, make):
    first = make()
    events = stack_events(endpoint, first)
    assert events
    assert make() == first
    assert stack_events(endpoint, first) == events
    make(ResultsDays="7")
    assert stack_events(endpoint, first) != events, "a change would have been seen"


def test_a_change_is_made_in_place(endpoint, make):
    made = make()
    client(endpoint, "s3").put_object(Bucket=made["BucketName"], Key="raw/x", Body=b"kept")
    make(ResultsDays="7")
    rules = client(endpoint, "s3").get_bucket_lifecycle_configuration(Bucket=made["BucketName"])["Rules"]
    assert [r["Expiration"]["Days"] for r in rules if "Expiration" in r] == [7]
    assert client(endpoint, "s3").get_object(Bucket=made["BucketName"], Key="raw/x")["Body"].read() == b"kept"


def test_a_stack_that_failed_halfway_is_made_again(endpoint, make):
    name = f"w{uuid.uuid4().hex[:10]}"
    athena = client(endpoint, "athena")
    athena.create_work_group(Name=name)
    with pytest.raises(LakeError, match=rf"Workgroup .*{name} already exists"):
        make(WorkgroupName=name)
    athena.delete_work_group(WorkGroup=name)
    assert make(WorkgroupName=name)["WorkgroupName"] == name


def test_an_empty_bucket_left_behind_is_no_hindrance(endpoint, make):
    name = f"b{uuid.uuid4().hex[:10]}"
    client(endpoint, "s3").create_bucket(Bucket=name)
    assert make(BucketName=name)["BucketName"] == name


def test_somebodys_bucket_with_objects_is_never_touched(endpoint, make):
    name = f"b{uuid.uuid4().hex[:10]}"
    s3 = client(endpoint, "s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="x", Body=b"x")
    with pytest.raises(LakeError, match=rf"{name} is there with objects"):
        make(BucketName=name)
    assert s3.get_object(Bucket=name, Key="x")["Body"].read() == b"x"


def test_a_wrong_name_is_refused_before_anything_is_made(make):
    with pytest.raises(LakeError, match="BucketName"):
        make(BucketName="Not_A_Bucket")


def test_nobody_at_the_endpoint_is_said_so(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LakeError, match=r"http://127\.0\.0\.1:9"):
        provision("http://127.0.0.1:9", {"BucketName": "abc"}, **CREDENTIALS)


def put_rows(endpoint, bucket, hour, *rows):
    body = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode(), mtime=0)
    client(endpoint, "s3").put_object(
        Bucket=bucket, Key=f"raw/stock_ticks/dt=2026-11-22/hr={hour}/{hour}.jsonl.gz", Body=body
    )


def crawl(endpoint, made):
    glue = client(endpoint, "glue")
    glue.start_crawler(Name=made["CrawlerName"])
    wait_for(lambda: glue.get_crawler(Name=made["CrawlerName"])["Crawler"]["State"] == "READY", "the end of the crawl")
    crawler = glue.get_crawler(Name=made["CrawlerName"])["Crawler"]
    assert crawler["LastCrawl"]["Status"] == "SUCCEEDED", crawler["LastCrawl"]


def ask(endpoint, made, select):
    athena = Athena(client(endpoint, "athena"), made["DatabaseName"], made["WorkgroupName"], "")
    return athena.ask({"q": Question(f"SELECT {select} FROM stock_ticks")})["q"].rows


@pytest.mark.parametrize("volume", [4_000_000_000, 2.5, 1e18])
def test_numbers_larger_than_those_of_the_first_crawl_are_read(endpoint, make, volume):
    made = make()
    row = {"Index": "HSI", "Open": 1, "Volume": 0, "kafka_partition": 0, "kafka_offset": 0, "kafka_timestamp": 0}
    put_rows(endpoint, made["BucketName"], "10", row)
    crawl(endpoint, made)
    later = row | {"Open": 1.25, "Volume": volume, "kafka_offset": 3_000_000_000, "kafka_timestamp": 1795391863986}
    put_rows(endpoint, made["BucketName"], "11", later)
    crawl(endpoint, made)
    wanted = "count(*), sum(open), sum(volume), max(kafka_offset), max(kafka_timestamp)"
    assert ask(endpoint, made, wanted) == ((2, 2.25, float(volume), 3_000_000_000, 1795391863986),)


def before_tables_were_declared(tmp_path):
    """The template as it was when the crawler still made the table."""
    text = TEMPLATE.read_text()
    text = text[: text.index("  RawTable:\n")] + text[text.index("  CrawlerRole:\n") :]
    target = text[text.index("        CatalogTargets:\n") : text.index("      RecrawlPolicy:")]
    text = text.replace(target, "        S3Targets:\n          - Path: !Sub s3://${Bucket}/raw/${TableName}/\n")
    file = tmp_path / "stack.yaml"
    file.write_text(text.replace("!Ref RawTable", "!Ref TableName"))
    return file


def test_a_table_that_the_crawler_once_made_gives_way_to_the_declared_one(endpoint, make, tmp_path):
    made = make(template=before_tables_were_declared(tmp_path))
    put_rows(endpoint, made["BucketName"], "10", {"Index": "HSI", "kafka_offset": 1})
    crawl(endpoint, made)
    put_rows(endpoint, made["BucketName"], "11", {"Index": "HSI", "kafka_offset": 3_000_000_000})
    assert make() == made
    assert ask(endpoint, made, "count(*), max(kafka_offset)") == ((2, 3_000_000_000),)


def test_somebodys_table_of_that_name_is_never_touched(endpoint, make, tmp_path):
    made = make(template=before_tables_were_declared(tmp_path))
    glue = client(endpoint, "glue")
    table = {"Name": "stock_ticks", "StorageDescriptor": {"Location": "s3://elsewhere/"}}
    glue.create_table(DatabaseName=made["DatabaseName"], TableInput=table)
    with pytest.raises(LakeError, match=r"RawTable .*stock_ticks already exists"):
        make()
    kept = glue.get_table(DatabaseName=made["DatabaseName"], Name="stock_ticks")["Table"]
    assert kept["StorageDescriptor"]["Location"] == "s3://elsewhere/"
