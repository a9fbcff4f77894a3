"""One CloudFormation stack: planned as a change set, carried out, watched until it stands, removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from ticklake.core.errors import LakeError, SettingsError

GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
# A stack that never stood: it can only be removed and made again. Its bucket goes with it as long as it is empty.
NEVER_STOOD = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_EMPTY = "REVIEW_IN_PROGRESS"  # nothing of it was made yet
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_CAPABILITIES = ["CAPABILITY_IAM"]


@dataclass(frozen=True)
class Change:
    """What will be done to one resource: ``Add``, ``Modify``, ``Remove`` or ``Import``, and whether it is replaced."""

    action: str
    name: str
    kind: str
    replaced: str


@dataclass(frozen=True)
class Plan:
    """A change set that waits to be carried out."""

    id: str
    changes: tuple[Change, ...]


class CloudStack:
    """One stack of CloudFormation.

    Args:
        api: a boto3 CloudFormation client.
        name: the stack's name.
        seconds: how long a step may take.
        tell: called with each event of the stack during the wait.

    Every method raises botocore's errors, and LakeError when the stack does not get where it should.
    """

    def __init__(self, api: Any, name: str, seconds: float, tell: Callable[[str], None] | None = None) -> None:
        self._api, self.name, self._seconds, self._tell = api, name, seconds, tell

    def find(self) -> dict[str, Any] | None:
        """The stack as CloudFormation describes it; None when there is none."""
        try:
            found: dict[str, Any] = self._api.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as e:
            if "does not exist" in str(e):
                return None
            raise
        return None if found["StackStatus"] in ("DELETE_COMPLETE", _EMPTY) else found

    def plan(self, template: str, parameters: Mapping[str, str], *, adopt: bool = False) -> Plan | None:
        """What would have to be done to bring the stack to the template; None: nothing.

        Args:
            template: the template's text.
            parameters: by name; for a stack that stands, those left out keep their value.
            adopt: take over resources of the template that are there already and outlive their stack: its bucket.
        """
        found = self.find()
        declared = {p["ParameterKey"] for p in self._api.get_template_summary(TemplateBody=template)["Parameters"]}
        for name in sorted(parameters.keys() - declared):
            raise SettingsError(
                f"{name} is not a parameter of the template.", f"Known are {', '.join(sorted(declared))}."
            )
        given: list[dict[str, Any]] = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        if found:
            kept = declared & {p["ParameterKey"] for p in found.get("Parameters", [])} - parameters.keys()
            given += [{"ParameterKey": k, "UsePreviousValue": True} for k in sorted(kept)]
        made = self._api.create_change_set(
            StackName=self.name,
            ChangeSetName=f"ticklake-{uuid4().hex[:12]}",
            ChangeSetType="UPDATE" if found else "CREATE",
            TemplateBody=template,
            Parameters=given,
            Capabilities=_CAPABILITIES,
            OnStackFailure="ROLLBACK",
            ImportExistingResources=adopt,
        )
        return self._described(made["Id"])

    def carry_out(self, plan: Plan) -> dict[str, str]:
        """Do what was planned and wait until the stack stands; returns its outputs by name."""
        seen = self._seen()
        self._api.execute_change_set(ChangeSetName=plan.id)
        found = self.wait(seen)
        if found is None or found["StackStatus"] not in GOOD:
            raise LakeError(f"Stack {self.name} is {found and found['StackStatus']}: {self._failures(seen)}")
        return outputs(found)

    def discard(self, plan: Plan) -> None:
        """Forget the plan, and the empty stack that it was made for."""
        self._api.delete_change_set(ChangeSetName=plan.id)
        if self.find() is None:
            self._api.delete_stack(StackName=self.name)

    def remove(self) -> None:
        """Remove the stack and wait until it is gone; what the template retains stays."""
        seen = self._seen()
        self._api.delete_stack(StackName=self.name)
        if (left := self.wait(seen)) is not None:
            raise LakeError(f"Stack {self.name} is {left['StackStatus']}: {self._failures(seen)}")

    def resources(self) -> dict[str, str]:
        """The stack's resources: logical name -> physical id."""
        pages = self._api.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = (r for page in pages for r in page["StackResourceSummaries"])
        return {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in found}

    def wait(self, seen: set[str] | None = None) -> dict[str, Any] | None:
        """The stack when nothing is being done to it any more; None when there is none.

        ``seen``: ids of the events that are not told any more.
        """
        deadline, pause = time.monotonic() + self._seconds, 0.1
        told = set(seen or ())
        while True:
            found = self.find()
            if found is not None and seen is not None:
                self._tell_new(told)
            if found is None or not found["StackStatus"].endswith("_IN_PROGRESS"):
                return found
            if time.monotonic() > deadline:
                raise LakeError(
                    f"Stack {self.name} is still {found['StackStatus']} after {self._seconds:.0f} s.",
                    "CloudFormation goes on with it: look at its events, and repeat the command when it has ended.",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 3)

    def unlock(self) -> None:
        """Bring a stack whose rollback failed to where it can be updated again."""
        self._api.continue_update_rollback(StackName=self.name)
        self.wait()

    def _described(self, change_set: str) -> Plan | None:
        deadline = time.monotonic() + self._seconds
        while True:
            pages = list(self._pages(change_set))
            if pages[0]["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            if time.monotonic() > deadline:
                raise LakeError(f"CloudFormation has not said within {self._seconds:.0f} s what it would change.")
            time.sleep(0.5)
        if pages[0]["Status"] == "FAILED":
            reason = pages[0].get("StatusReason", "")
            self.discard(Plan(change_set, ()))
            if any(text in reason for text in _NO_CHANGES):
                return None
            raise LakeError(f"Stack {self.name} cannot be brought to the template: {reason}")
        found = [c["ResourceChange"] for page in pages for c in page["Changes"]]
        return Plan(change_set, tuple(_change(c) for c in found))

    def _pages(self, change_set: str) -> Iterator[dict[str, Any]]:
        more: dict[str, str] = {}
        while True:
            page = self._api.describe_change_set(ChangeSetName=change_set, StackName=self.name, **more)
            yield page
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def _events(self) -> list[dict[str, Any]]:
        """The stack's newest events, oldest first."""
        try:
            events = self._api.describe_stack_events(StackName=self.name)["StackEvents"]
        except ClientError as e:
            if "does not exist" in str(e):
                return []
            raise
        return list(reversed(events))

    def _seen(self) -> set[str]:
        return {e["EventId"] for e in self._events()}

    def _tell_new(self, told: set[str]) -> None:
        if self._tell is None:
            return
        for event in self._events():
            if event["EventId"] not in told:
                told.add(event["EventId"])
                reason = f": {event['ResourceStatusReason']}" if event["ResourceStatus"].endswith("_FAILED") else ""
                self._tell(
                    f"{event['ResourceStatus']:<20} {event['LogicalResourceId']} ({event['ResourceType']}){reason}"
                )

    def _failures(self, seen: set[str]) -> str:
        failed = [
            e
            for e in reversed(self._events())
            if e["EventId"] not in seen and e["ResourceStatus"].endswith("_FAILED") and e.get("ResourceStatusReason")
        ]
        causes = [e for e in failed if "cancelled" not in e["ResourceStatusReason"].lower()]
        shown = [f"{e['LogicalResourceId']} ({e['ResourceType']}): {e['ResourceStatusReason']}" for e in causes[:3]]
        return "; ".join(self._refusals() + shown) or "its events give no reason"

    def _refusals(self) -> list[str]:
        """What CloudFormation found wrong before it made anything; the stack's own events only say how many there are."""
        events = self._api.describe_events(StackName=self.name)["OperationEvents"]
        found = [e for e in events if e.get("ValidationStatus") == "FAILED"]
        return [f"{e['LogicalResourceId']} ({e['ResourceType']}): {e['ValidationStatusReason']}" for e in found[:3]]


def outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a described stack by name."""
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


def _change(found: Mapping[str, Any]) -> Change:
    replaced = {"True": "replaced", "Conditional": "perhaps replaced"}.get(found.get("Replacement", ""), "")
    return Change(found["Action"], found["LogicalResourceId"], found["ResourceType"], replaced)
