"""`./ticklake aws deploy|outputs|destroy`: the template's stack on AWS, each change shown before it is made."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from local.cloudformation import NEVER_STOOD, CloudStack, Plan, outputs
from local.provision import TEMPLATE
from local.terminal import doing, say
from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.settings.environment import AWS_ACTORS
from ticklake.core.text_table import text_table

_SECONDS = 3600.0  # MSK Serverless takes a quarter of an hour
_NAMED = "BucketName: !Ref BucketName"
_AT_ONCE = 1000  # of DeleteObjects
Ask = Callable[[str], str]


@dataclass(frozen=True)
class Account:
    """The AWS account and region of the command, and its stack."""

    session: Any
    endpoint: str | None
    stack: CloudStack

    @classmethod
    def of(cls, options: Namespace) -> Account:
        """As the command line says; raises SettingsError."""
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        api = session.client("cloudformation", endpoint_url=options.endpoint)
        return cls(session, options.endpoint, CloudStack(api, options.stack, _SECONDS, say))

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.session.client(service, endpoint_url=self.endpoint)

    @property
    def number(self) -> str:
        """The account's number."""
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def place(self) -> str:
        """Where the stack is, in words."""
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"stack {self.stack.name} in account {self.number}, {self.session.region_name}{at}"


def run(options: Namespace, ask: Ask = input) -> int:
    """Run one of the three; returns the exit code."""
    with _words():
        return {"deploy": deploy, "outputs": show_outputs, "destroy": destroy}[options.what](options, ask)


def deploy(options: Namespace, ask: Ask) -> int:
    """Make the stack or change it to the template; what changes is shown and asked for."""
    account = Account.of(options)
    parameters = _parameters(options.parameter)
    say(account.place)
    found = account.stack.find()
    if found and (found["StackStatus"] in NEVER_STOOD or found["StackStatus"].endswith("_FAILED")):
        raise LakeError(
            f"Stack {account.stack.name} is {found['StackStatus']}.",
            "Remove it first: ./ticklake aws destroy --keep-data",
        )
    template = TEMPLATE.read_text()
    if not found:
        bucket = parameters.setdefault("BucketName", f"ticklake-{account.number}-{account.session.region_name}")
        if adopts := _exists(account.client("s3"), bucket):
            # CloudFormation takes over only what the template names literally.
            template = template.replace(_NAMED, f"BucketName: {bucket}")
    with doing("asking CloudFormation what it would change"):
        plan = account.stack.plan(template, parameters, adopt=not found and adopts)
    if plan is None:
        say("nothing to change")
        return 0
    print(_table(plan))
    if not _agreed(options, ask, f"Carry out these {len(plan.changes)} changes? [y/N] "):
        account.stack.discard(plan)
        say("nothing was changed")
        return 1
    with doing("waiting for CloudFormation"):
        account.stack.carry_out(plan)
    say(f"{account.stack.name} stands; what Airflow must know: ./ticklake aws outputs --env")
    return 0


def show_outputs(options: Namespace, ask: Ask) -> int:
    """Print the stack's outputs as a table, or as the environment of Airflow."""
    account = Account.of(options)
    found = account.stack.find()
    if found is None:
        raise LakeError(f"There is no {account.place}.", "Make it: ./ticklake aws deploy")
    values = outputs(found)
    if options.env:
        print("\n".join(environment(values, account.session.region_name, account.endpoint)))
    else:
        print(text_table(("output", "value"), sorted(values.items())))
    return 0


def environment(values: Mapping[str, str], region: str, endpoint: str | None) -> Iterator[str]:
    """Lines ``NAME='value'`` for Airflow's environment: the stack's names, and a connection for each role."""
    names = {
        "TICKLAKE_BUCKET": "BucketName",
        "TICKLAKE_GLUE_DATABASE": "DatabaseName",
        "TICKLAKE_CRAWLER": "CrawlerName",
        "TICKLAKE_WORKGROUP": "WorkgroupName",
    }
    for name, output in names.items():
        yield f"{name}='{values[output]}'"
    for actor in AWS_ACTORS:
        extra = {"region_name": region, "role_arn": values[f"{actor.title()}RoleArn"]}
        if endpoint:
            extra["endpoint_url"] = endpoint
        connection = f"ticklake_aws_{actor}"
        yield f"TICKLAKE_AWS_{actor.upper()}='{connection}'"
        yield f"AIRFLOW_CONN_{connection.upper()}='{json.dumps({'conn_type': 'aws', 'extra': extra})}'"
    if "BrokerAddress" in values:
        yield f"# Kafka: bootstrap.servers={values['BrokerAddress']} security.protocol=SASL_SSL sasl.mechanism=SCRAM-SHA-512"
        yield f"# ssl.ca.location: a copy of {values['BrokerCertificate']}"
        for actor in ("produce", "landing", "redrive", "health"):
            yield f"# user and password of ticklake_kafka_{actor}: the secret {values[f'{actor.title()}SecretArn']}"
    if "ClusterArn" in values:
        yield f"# bootstrap.servers: aws kafka get-bootstrap-brokers --cluster-arn {values['ClusterArn']}"


def destroy(options: Namespace, ask: Ask) -> int:
    """Remove the stack; a bucket with data only when told so."""
    account = Account.of(options)
    if account.stack.find() is None:
        raise LakeError(f"There is no {account.place}.")
    bucket, s3 = account.stack.resources().get("Bucket", ""), account.client("s3")
    holds_data = bool(bucket) and next(_versions(s3, bucket), None) is not None
    if holds_data and not (options.keep_data or options.delete_data):
        raise LakeError(
            f"The bucket {bucket} holds data.",
            "--keep-data leaves it and its data, to be taken over by the next deploy; --delete-data deletes every object and "
            "every old version of it.",
        )
    say(account.place)
    print(
        text_table(("goes", "is called"), sorted((k, v) for k, v in account.stack.resources().items() if k != "Bucket"))
    )
    deletes = holds_data and options.delete_data
    if deletes and not options.yes:
        agreed = _answer(ask, f"Type {bucket} to delete this bucket with all that is in it: ") == bucket
    else:
        agreed = _agreed(options, ask, f"Remove the stack {account.stack.name}? [y/N] ")
    if not agreed:
        say("nothing was removed")
        return 1
    with doing("waiting for CloudFormation"):
        account.stack.remove()
    _after(s3, bucket, keep=options.keep_data)
    return 0


def _after(s3: Any, bucket: str, keep: bool) -> None:
    """The template retains the bucket: empty it and delete it, unless it is to be kept."""
    if not bucket or not _exists(s3, bucket):
        say("all is gone")
    elif keep:
        say(f"all is gone but the bucket {bucket}")
    else:
        with doing(f"deleting what is in {bucket}"):
            count = _empty(s3, bucket)
        s3.delete_bucket(Bucket=bucket)
        say(f"all is gone, the bucket {bucket} with {count:,} objects and versions too")


def _exists(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket"):
            return False
        if code in ("403", "301", "PermanentRedirect"):
            raise LakeError(
                f"The bucket {bucket} belongs to somebody else or to another region.",
                "Choose another name: --parameter BucketName=NAME",
            ) from e
        raise
    return True


def _versions(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield {"Key": entry["Key"], "VersionId": entry["VersionId"]}
    except s3.exceptions.NoSuchBucket:
        return


def _empty(s3: Any, bucket: str) -> int:
    count = 0
    while some := [version for version, _ in zip(_versions(s3, bucket), range(_AT_ONCE), strict=False)]:
        failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True}).get("Errors", ())
        for error in failed:
            raise LakeError(f"S3 did not delete s3://{bucket}/{error['Key']}: {error.get('Message')}.")
        count += len(some)
    return count


def _parameters(given: Sequence[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise SettingsError(f"--parameter {text} is not NAME=VALUE.", "Such as --parameter ResultsDays=7")
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def _table(plan: Plan) -> str:
    rows = [(c.action, c.name, c.kind, c.replaced) for c in plan.changes]
    return text_table(("change", "resource", "type", ""), rows)


def _agreed(options: Namespace, ask: Ask, question: str) -> bool:
    return bool(options.yes) or _answer(ask, question).strip().lower() in ("y", "yes")


def _answer(ask: Ask, question: str) -> str:
    sys.stdout.flush()
    try:
        return ask(question)
    except EOFError as e:
        raise SettingsError("Nobody is there to answer.", "--yes carries it out without a question.") from e


@contextmanager
def _words() -> Iterator[None]:
    """boto3's errors as ours."""
    try:
        yield
    except NoCredentialsError as e:
        raise LakeError("There are no AWS credentials.", "Give --profile NAME, or log in with the AWS CLI.") from e
    except NoRegionError as e:
        raise LakeError("No AWS region is set.", "Give --region, such as --region us-east-1.") from e
    except ProfileNotFound as e:
        raise LakeError(f"{e}.", "Profiles are in ~/.aws/config.") from e
    except EndpointConnectionError as e:
        raise LakeError(f"AWS does not answer: {e}", "Check the network, --region and --endpoint.") from e
    except ClientError as e:
        error = e.response.get("Error", {})
        remedies = {
            "ExpiredToken": "Log in again.",
            "AccessDenied": "Who deploys needs rights on CloudFormation and all that the template makes.",
            "InvalidClientTokenId": "Check the credentials.",
        }
        what = f"AWS refuses {e.operation_name}: {error.get('Message') or error.get('Code')}"
        raise LakeError(f"{what.rstrip('.')}.", remedies.get(str(error.get("Code")), "")) from e
    except BotoCoreError as e:
        raise LakeError(f"AWS cannot be asked: {e}.") from e
