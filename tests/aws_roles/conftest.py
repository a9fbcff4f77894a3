"""The template's stack on a stand-in that enforces IAM and speaks TLS, and sessions of its roles."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

from local.provision import provision
from tests.support.aws_stand_in import running_aws
from tests.support.certificates import make_certificate

TABLE = "stock_ticks"
ROOT: Any = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
ACTORS = ("Landing", "Catalog", "Crawler", "Counts", "Reconcile", "Redrive", "Produce", "Health")


@dataclass(frozen=True)
class Cloud:
    """A stack whose names are all the same, and boto3 clients under its roles or as the account's root."""

    endpoint: str
    name: str
    outputs: dict[str, str]

    def root(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, **ROOT)

    def clients(self, actor: str) -> "Clients":
        arn = self.outputs[f"{actor}RoleArn"]
        got = self.root("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        login = {
            "region_name": "us-east-1",
            "aws_access_key_id": got["AccessKeyId"],
            "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }
        return Clients(*(boto3.client(s, endpoint_url=self.endpoint, **login) for s in ("s3", "glue", "athena")))


@dataclass(frozen=True)
class Clients:
    """Clients of one session."""

    s3: Any
    glue: Any
    athena: Any


@pytest.fixture(scope="package")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a stand-in that enforces IAM."""
    certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
    with (
        pytest.MonkeyPatch.context() as environment,
        running_aws(tmp_path_factory.mktemp("aws"), certificate, AUTH="true") as endpoint,
    ):
        environment.setenv("AWS_CA_BUNDLE", str(certificate / "certificate.pem"))
        yield endpoint


@pytest.fixture(scope="module")
def cloud(enforcing: str) -> Cloud:
    """A stack of the module's own."""
    name = f"roles{uuid4().hex[:10]}"
    names = {"BucketName": name, "DatabaseName": name, "CrawlerName": name, "WorkgroupName": name}
    made = Cloud(enforcing, name, provision(enforcing, names, stack=name, **ROOT))
    _let_tests_assume_the_crawlers_role(made)
    return made


def _let_tests_assume_the_crawlers_role(cloud: Cloud) -> None:
    """Only Glue may; what the role may do does not change."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    cloud.root("iam").update_assume_role_policy(
        RoleName=cloud.outputs["CrawlerRoleArn"].rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
