"""`./ticklake aws` against the stand-in: what changes is shown and asked for, nothing is lost unasked."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any
from uuid import uuid4

import boto3
import pytest

from local.aws_deploy import run
from local.cli import parse
from local.provision import TEMPLATE
from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.settings.environment import Settings


class Typed:
    """`./ticklake aws …` on a stack whose names are all the same."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint, self.name = endpoint, f"d{uuid4().hex[:10]}"

    def __call__(self, what: str, *words: str, answer: str | None = None) -> int:
        """Run it; ``answer`` is what the person types, None when nobody is there."""

        def ask(question: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        kinds = ("DatabaseName", "CrawlerName", "WorkgroupName", "BucketName") if what == "deploy" else ()
        names = [word for kind in kinds for word in ("--parameter", f"{kind}={self.name}")]
        line = [
            "aws",
            what,
            "--stack",
            self.name,
            "--region",
            "us-east-1",
            "--endpoint",
            self._endpoint,
            *names,
            *words,
        ]
        parsed = parse(line)
        assert parsed
        return run(parsed[1], ask)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self._endpoint, region_name="us-east-1")


@pytest.fixture(scope="module")
def credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("MAX_ATTEMPTS", "1")):
            environment.setenv(f"AWS_{name}", value)
        yield


@pytest.fixture
def aws(aws_endpoint: str, credentials: None) -> Typed:
    """A stack that is not there yet."""
    return Typed(aws_endpoint)


@pytest.fixture(scope="module")
def standing(aws_endpoint: str, credentials: None) -> tuple[Typed, str]:
    """A stack made after a yes, and what was shown meanwhile."""
    typed, shown = Typed(aws_endpoint), io.StringIO()
    with redirect_stdout(shown):
        assert typed("deploy", "--parameter", "ResultsDays=9", answer="y") == 0
    return typed, shown.getvalue()


def test_what_will_be_made_is_shown_and_made_after_a_yes(standing):
    aws, shown = standing
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


def test_a_change_is_shown_as_one_and_parameters_left_out_stay(standing, capsys):
    aws, _ = standing
    aws("deploy", "--yes", "--parameter", "BytesScannedCutoffPerQuery=20000000")
    changes = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("Add", "Modify", "Remove"))]
    assert [line.split()[:3] for line in changes] == [["Modify", "Workgroup", "AWS::Athena::WorkGroup"]]
    rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=aws.name)["Rules"]
    assert [r["Expiration"]["Days"] for r in rules if "Expiration" in r] == [9]
    aws("deploy")  # nobody is asked
    assert "nothing to change" in capsys.readouterr().out


def test_the_environment_is_one_that_the_pipeline_takes(standing, capsys):
    aws, _ = standing
    aws("outputs", "--env")
    lines = capsys.readouterr().out.splitlines()
    environment = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
    settings = Settings.from_env(environment)
    assert (settings.bucket, settings.workgroup) == (aws.name, aws.name)
    connection = json.loads(environment[f"AIRFLOW_CONN_{settings.aws_landing.upper()}"])
    assert re.fullmatch(r"arn:aws:iam::\d{12}:role/.*LandingRole.*", connection["extra"]["role_arn"])
    aws("outputs")
    assert re.search(rf"BucketName +{aws.name}", capsys.readouterr().out)


def test_data_are_removed_only_when_told_and_kept_ones_are_taken_over_by_the_next_stack(aws, capsys):
    aws("deploy", "--yes")
    s3 = aws.client("s3")
    s3.put_object(Bucket=aws.name, Key="raw/x", Body=b"1")
    s3.delete_object(Bucket=aws.name, Key="raw/x")  # an old version is data too
    with pytest.raises(LakeError, match=r"holds data\. --keep-data"):
        aws("destroy", "--yes")
    assert aws.client("glue").get_database(Name=aws.name)

    assert aws("destroy", "--keep-data", answer="y") == 0
    s3.put_object(Bucket=aws.name, Key="raw/y", Body=b"2")
    capsys.readouterr()
    assert aws("deploy", "--yes") == 0
    assert re.search(r"Import +Bucket", capsys.readouterr().out)
    aws("deploy")
    assert "nothing to change" in capsys.readouterr().out
    assert s3.get_object(Bucket=aws.name, Key="raw/y")["Body"].read() == b"2"

    assert aws("destroy", "--delete-data", answer="y") == 1  # the bucket's name is asked for
    assert aws.client("glue").get_database(Name=aws.name)
    assert aws("destroy", "--delete-data", answer=aws.name) == 0
    assert aws.name not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


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
