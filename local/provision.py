"""Make the stand-in's side from `include/aws/stack.yaml`, or bring it to what the template says; harmless to repeat."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.cloudformation import NEVER_STOOD, CloudStack, outputs
from ticklake.clients.aws.glue import crawl
from ticklake.core.errors import LakeError

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).resolve().parents[1] / "include" / "aws" / "stack.yaml"
STACK = "ticklake"
_SECONDS = 300.0


def provision(
    endpoint: str | None,
    parameters: Mapping[str, str],
    *,
    stack: str = STACK,
    template: Path = TEMPLATE,
    seconds: float = _SECONDS,
    **credentials: str,
) -> dict[str, str]:
    """Create, update or repair the stack, and wait until it stands.

    Args:
        endpoint: URL of the stand-in; None for AWS.
        parameters: of the template, by name; ``BucketName`` at least.
        stack: the stack's name.
        template: the template's file.
        seconds: how long to wait.
        credentials: ``region_name``, ``aws_access_key_id``, ``aws_secret_access_key`` of boto3; all optional.

    Returns:
        The stack's outputs by name.

    Raises:
        LakeError: names the resource that could not be made, and why.
    """
    session = boto3.Session(**credentials)
    clients = _Clients(*(session.client(name, endpoint_url=endpoint) for name in ("cloudformation", "s3", "glue")))
    try:
        return _bring_to(clients, CloudStack(clients.cloudformation, stack, seconds), template.read_text(), parameters)
    except (ClientError, BotoCoreError) as e:
        raise LakeError(f"The stack {stack} could not be provisioned at {endpoint or 'AWS'}: {e}.") from e


@dataclass(frozen=True)
class _Clients:
    cloudformation: Any
    s3: Any
    glue: Any


def _bring_to(clients: _Clients, stack: CloudStack, template: str, parameters: Mapping[str, str]) -> dict[str, str]:
    found = stack.wait()
    if found is not None and found["StackStatus"] in NEVER_STOOD:
        log.warning("Stack %s is %s: removing it and making it again.", stack.name, found["StackStatus"])
        stack.remove()
        found = None
    if found is not None and found["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        stack.unlock()
    plan = stack.plan(template, parameters)
    if plan is None:
        return outputs(found or {})
    if found is None:
        _remove_left_bucket(clients.s3, stack.name, parameters["BucketName"])
    crawlers = _remove_crawled_table(clients.glue, stack) if any(c.name == "RawTable" for c in plan.changes) else []
    done = stack.carry_out(plan)
    for crawler in crawlers:
        crawl(clients.glue, crawler)
    return done


def _remove_left_bucket(s3: Any, stack: str, bucket: str) -> None:
    """A creation that was cut off leaves its bucket behind; S3 only deletes one that is empty."""
    try:
        s3.head_bucket(Bucket=bucket)
        s3.delete_bucket(Bucket=bucket)
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code == "BucketNotEmpty":
            raise LakeError(
                f"The bucket {bucket} is there with objects in it, but no stack {stack} owns it.",
                "Import it into a stack of that name, or choose another bucket name.",
            ) from e
        if code not in ("404", "NoSuchBucket"):
            raise LakeError(f"The bucket {bucket} belongs to somebody else ({code}).", "Choose another.") from e


def _remove_crawled_table(glue: Any, stack: CloudStack) -> list[str]:
    """Stacks once had no table of their own, the crawler made it: it gives way to the declared one.

    Only what the catalog says of it goes, no data. Returns the crawlers that must run again, for its partitions.
    """
    known = stack.resources() if stack.find() else {}
    if "RawTable" in known or "Database" not in known:
        return []
    database, crawler = known["Database"], known["Crawler"]
    for table in glue.get_tables(DatabaseName=database)["TableList"]:
        if table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == crawler:
            log.warning("Table %s.%s was made by a crawl: declaring it again.", database, table["Name"])
            glue.delete_table(DatabaseName=database, Name=table["Name"])
    return [crawler]
