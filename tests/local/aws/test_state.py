"""The stand-in keeps what it answered, and S3's conditional writes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import Lake, client
from tests.support.aws_stand_in import StandIn, running_aws


@pytest.fixture
def own(tmp_path):
    process = StandIn(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_keeps_everything_that_was_answered(own, end):
    lake = Lake(own.endpoint)
    lake.put("10", "a", {"Index": "HSI"})
    lake.crawl()
    query = lake.run("SELECT count(*) FROM ticks")["QueryExecutionId"]
    lake.athena.create_work_group(Name="late")
    lake.put("10", "b", {"Index": "NYA"})
    client(own.endpoint, "iam").create_role(RoleName="late", AssumeRolePolicyDocument="{}")
    lake.s3.put_bucket_versioning(Bucket=lake.name, VersioningConfiguration={"Status": "Enabled"})
    if end == "kill":
        own.kill()
    else:
        own.stop()
    own.start()
    assert lake.value("SELECT count(*) FROM ticks") == "2"
    assert lake.athena.get_work_group(WorkGroup="late")["WorkGroup"]["Name"] == "late"
    assert client(own.endpoint, "iam").get_role(RoleName="late")["Role"]["RoleName"] == "late"
    assert lake.s3.get_bucket_versioning(Bucket=lake.name)["Status"] == "Enabled"
    assert lake.glue.get_crawler(Name=lake.name)["Crawler"]["State"] == "READY"
    assert lake.athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]


def test_a_crawl_that_was_cut_off_has_failed_and_can_be_repeated(own):
    lake = Lake(own.endpoint)
    for n in range(200):
        lake.put("10", str(n), *[{"Index": "HSI"}] * 500)
    lake.glue.start_crawler(Name=lake.name)
    own.kill()
    own.start()
    assert lake.crawled()["Status"] in ("FAILED", "SUCCEEDED")
    assert lake.crawl()["Status"] == "SUCCEEDED"


def test_only_the_first_of_two_conditional_writers_wins(lake):
    def write(n):
        try:
            lake.s3.put_object(Bucket=lake.name, Key="manifest", Body=str(n).encode(), IfNoneMatch="*")
        except ClientError as e:
            return e.response["ResponseMetadata"]["HTTPStatusCode"]
        return 200

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(8))) == [200] + [412] * 7


def test_auth_in_the_environment_makes_it_enforce_policies(tmp_path):
    with (
        running_aws(tmp_path / "data", AUTH="true") as endpoint,
        pytest.raises(ClientError, match=r"AccessDenied|Inval"),
    ):
        client(endpoint, "s3", key="AKIAUNKNOWNUNKNOWN00", secret="wrong").list_buckets()


def test_nothing_is_written_outside_the_data_folder(own, tmp_path):
    Lake(own.endpoint).put("10", "a", {"Index": "HSI"})
    assert {p.name for p in (tmp_path / "data").iterdir()} == {"s3", "state", "tmp", "log"}
