"""`./ticklake aws` against the stand-in: what changes is shown and asked for, nothing is lost unasked."""

import json
import re
from uuid import uuid4

import boto3
import pytest

from local.aws_deploy import run
from local.cli import parse
from local.provision import TEMPLATE
from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.settings import Settings


@pytest.fixture
def aws(aws_endpoint, monkeypatch):
    """Runs `./ticklake aws …` on a stack of the test's own; ``answer`` is what the person types."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    name = f"d{uuid4().hex[:10]}"
    kinds = ("DatabaseName", "CrawlerName", "WorkgroupName", "BucketName")
    names = [word for kind in kinds for word in ("--parameter", f"{kind}={name}")]

    def call(what: str, *words: str, answer: str | None = None) -> int:
        def ask(question: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        given = names if what == "deploy" else []
        line = ["aws", what, "--stack", name, "--region", "us-east-1", "--endpoint", aws_endpoint, *given, *words]
        parsed = parse(line)
        assert parsed
        return run(parsed[1], ask)

    call.name = name  # what everything of the stack is called
    call.client = lambda service: boto3.client(service, endpoint_url=aws_endpoint, region_name="us-east-1")
    return call


def test_what_will_be_made_is_shown_and_made_after_a_yes(aws, capsys):
    assert aws("deploy", answer="y") == 0
    shown = capsys.readouterr().out
    assert re.search(r"Add +Bucket +AWS::S3::Bucket", shown)
    assert "BrokerHost" not in shown
    assert re.search(r"CREATE_COMPLETE +Bucket \(AWS::S3::Bucket\)", shown)
    assert aws.client("glue").get_table(DatabaseName=aws.name, Name="stock_ticks")


@pytest.mark.parametrize("answer", ["n", "", "yess"])
def test_without_a_yes_nothing_is_made(aws, answer):
    assert aws("deploy", answer=answer) == 1
    with pytest.raises(LakeError, match="There is no stack"):
        aws("outputs")


def test_without_anybody_to_answer_it_says_how_to_go_on(aws):
    with pytest.raises(SettingsError, match="--yes"):
        aws("deploy")


def test_a_change_is_shown_as_one_and_parameters_left_out_stay(aws, capsys):
    aws("deploy", "--yes", "--parameter", "ResultsDays=9")
    capsys.readouterr()
    aws("deploy", "--yes", "--parameter", "BytesScannedCutoffPerQuery=20000000")
    changes = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("Add", "Modify", "Remove"))]
    assert [line.split()[:3] for line in changes] == [["Modify", "Workgroup", "AWS::Athena::WorkGroup"]]
    rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=aws.name)["Rules"]
    assert [r["Expiration"]["Days"] for r in rules if "Expiration" in r] == [9]
    aws("deploy")  # nobody is asked
    assert "nothing to change" in capsys.readouterr().out


def test_the_environment_is_one_that_the_pipeline_takes(aws, capsys):
    aws("deploy", "--yes")
    capsys.readouterr()
    aws("outputs", "--env")
    lines = capsys.readouterr().out.splitlines()
    environment = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
    settings = Settings.from_env(environment)
    assert (settings.bucket, settings.workgroup) == (aws.name, aws.name)
    connection = json.loads(environment[f"AIRFLOW_CONN_{settings.aws_landing.upper()}"])
    assert re.fullmatch(r"arn:aws:iam::\d{12}:role/.*LandingRole.*", connection["extra"]["role_arn"])
    aws("outputs")
    assert re.search(rf"BucketName +{aws.name}", capsys.readouterr().out)


def test_a_bucket_with_data_is_not_removed_unless_told(aws):
    aws("deploy", "--yes")
    s3 = aws.client("s3")
    s3.put_object(Bucket=aws.name, Key="raw/x", Body=b"1")
    s3.delete_object(Bucket=aws.name, Key="raw/x")  # an old version is data too
    with pytest.raises(LakeError, match=r"holds data\. --keep-data"):
        aws("destroy", "--yes")
    assert aws("destroy", "--delete-data", answer="y") == 1  # the bucket's name is asked for
    assert aws.client("glue").get_database(Name=aws.name)
    assert aws("destroy", "--delete-data", answer=aws.name) == 0
    assert aws.name not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_kept_data_is_taken_over_by_the_next_stack(aws, capsys):
    aws("deploy", "--yes")
    s3 = aws.client("s3")
    s3.put_object(Bucket=aws.name, Key="raw/x", Body=b"1")
    assert aws("destroy", "--keep-data", answer="y") == 0
    assert s3.get_object(Bucket=aws.name, Key="raw/x")["Body"].read() == b"1"
    capsys.readouterr()
    assert aws("deploy", "--yes") == 0
    assert re.search(r"Import +Bucket", capsys.readouterr().out)
    aws("deploy")
    assert "nothing to change" in capsys.readouterr().out
    assert s3.get_object(Bucket=aws.name, Key="raw/x")["Body"].read() == b"1"


def test_an_empty_bucket_goes_with_its_stack(aws):
    aws("deploy", "--yes")
    assert aws("destroy", "--yes") == 0
    assert aws.name not in [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]]
    with pytest.raises(LakeError, match="There is no stack"):
        aws("destroy", "--yes")


def test_a_resource_that_the_stand_in_cannot_make_is_named(aws):
    with pytest.raises(LakeError, match="AWS::MSK::ServerlessCluster"):
        aws("deploy", "--yes", "--parameter", "Broker=msk-serverless")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parameter", "ResultsDays"], "ResultsDays is not NAME=VALUE"),
        (["--parameter", "ResultDays=1"], "ResultDays is not a parameter of the template"),
        (["--parameter", "ClientCidr=0.0.0.0/0"], "ClientCidr"),
        (["--profile", "nobody"], "nobody"),
        (["--endpoint", "http://127.0.0.1:9"], r"AWS does not answer.*http://127\.0\.0\.1:9"),
    ],
)
def test_what_is_wrong_is_said_in_words(aws, words, said):
    with pytest.raises((LakeError, SettingsError), match=said):
        aws("deploy", "--yes", *words)


def test_no_credentials_is_said_in_words(aws, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(LakeError, match="no AWS credentials"):
        aws("outputs")


def test_the_template_fits_into_a_request():
    assert len(TEMPLATE.read_bytes()) < 51_200
