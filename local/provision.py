"""Make the AWS side from `include/aws/stack.yaml`, or bring it to what the template says; harmless to repeat."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ticklake.core.errors import LakeError

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).resolve().parents[1] / "include" / "aws" / "stack.yaml"
STACK = "ticklake"
_SECONDS = 300.0
_NOTHING_TO_DO = "No updates are to be performed"
# A stack that never stood: it can only be removed and made again. Its bucket goes with it as long as it is empty.
_NEVER_STOOD = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


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
    clients = _Clients(
        session.client("cloudformation", endpoint_url=endpoint), session.client("s3", endpoint_url=endpoint)
    )
    try:
        return _Stack(clients, stack, seconds).bring_to(template.read_text(), dict(parameters))
    except (ClientError, BotoCoreError) as e:
        raise LakeError(f"The stack {stack} could not be provisioned at {endpoint or 'AWS'}: {e}.") from e


class _Clients:
    def __init__(self, cloudformation: Any, s3: Any) -> None:
        self.cloudformation, self.s3 = cloudformation, s3


class _Stack:
    """One stack, and the ways to bring it to where it should be."""

    def __init__(self, clients: _Clients, name: str, seconds: float) -> None:
        self._clients, self._api, self._name = clients, clients.cloudformation, name
        self._deadline = time.monotonic() + seconds

    def bring_to(self, template: str, parameters: dict[str, str]) -> dict[str, str]:
        request = {
            "StackName": self._name,
            "TemplateBody": template,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM"],
        }
        found = self._wait()
        if found is not None and found["StackStatus"] in _NEVER_STOOD:
            log.warning("Stack %s is %s: removing it and making it again.", self._name, found["StackStatus"])
            self._remove()
            found = None
        if found is None:
            self._remove_left_bucket(parameters["BucketName"])
            self._api.create_stack(**request, OnFailure="ROLLBACK")
        else:
            self._update(found, request)
        done = self._wait()
        if done is None or done["StackStatus"] not in _GOOD:
            raise LakeError(f"Stack {self._name} is {done and done['StackStatus']}: {self._failures()}")
        return {o["OutputKey"]: o["OutputValue"] for o in done.get("Outputs", [])}

    def _update(self, found: dict[str, Any], request: dict[str, Any]) -> None:
        if found["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
            self._api.continue_update_rollback(StackName=self._name)
            self._wait()
        try:
            self._api.update_stack(**request)
        except ClientError as e:
            if _NOTHING_TO_DO not in str(e):
                raise

    def _remove(self) -> None:
        self._api.delete_stack(StackName=self._name)
        self._wait()

    def _remove_left_bucket(self, bucket: str) -> None:
        """A creation that was cut off leaves its bucket behind; S3 only deletes one that is empty."""
        try:
            self._clients.s3.head_bucket(Bucket=bucket)
            self._clients.s3.delete_bucket(Bucket=bucket)
        except ClientError as e:
            code = e.response["Error"]["Code"]
            if code == "BucketNotEmpty":
                raise LakeError(
                    f"The bucket {bucket} is there with objects in it, but no stack {self._name} owns it.",
                    "Import it into a stack of that name, or choose another bucket name.",
                ) from e
            if code not in ("404", "NoSuchBucket"):
                raise LakeError(f"The bucket {bucket} belongs to somebody else ({code}).", "Choose another.") from e

    def _wait(self) -> dict[str, Any] | None:
        """The stack when nothing is being done to it any more; None when there is none."""
        pause = 0.1
        while True:
            try:
                found: dict[str, Any] = self._api.describe_stacks(StackName=self._name)["Stacks"][0]
            except ClientError as e:
                if "does not exist" in str(e):
                    return None
                raise
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                return None if found["StackStatus"] == "DELETE_COMPLETE" else found
            if time.monotonic() > self._deadline:
                raise LakeError(f"Stack {self._name} is still {found['StackStatus']}.", "Look at its events.")
            time.sleep(pause)
            pause = min(pause * 1.5, 5)

    def _failures(self) -> str:
        events = self._api.describe_stack_events(StackName=self._name)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED") and e.get("ResourceStatusReason")]
        causes = [e for e in failed if "cancelled" not in e["ResourceStatusReason"].lower()]
        shown = [f"{e['LogicalResourceId']} ({e['ResourceType']}): {e['ResourceStatusReason']}" for e in causes[:3]]
        return "; ".join(shown) or "its events give no reason"
