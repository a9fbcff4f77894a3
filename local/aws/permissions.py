"""Who may do what, when AUTH=true makes ministack enforce IAM policies: what it leaves out.

Ministack checks a request against one resource. Glue checks catalog, database and table, and an Athena action belongs to a
workgroup that only the query knows: here each of them must be allowed. A query reads the catalog and the bucket with its
caller's permissions, a crawl with those of the crawler's role; ministack knows neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.aws import host

_SEPARATOR = " "  # no ARN has one


class DeniedError(Exception):
    """An identity lacks a permission; the text says which, in AWS's words."""


@dataclass(frozen=True)
class Identity:
    """Somebody whose permissions are checked.

    ``policies`` is None for whom everything is allowed: the account's root, and everybody unless AUTH=true.
    """

    arn: str
    policies: Any = None

    def require(self, action: str, resources: Iterable[str], context: Mapping[str, str] | None = None) -> None:
        """Raise DeniedError unless the action is allowed on each of the resources (ARNs)."""
        if self.policies is None:
            return
        for resource in resources:
            if not host.allows(self.arn, self.policies, action, resource, context or {}):
                raise DeniedError(
                    f"{self.arn} is not authorized to perform: {action} on resource: {resource} because no identity-based "
                    f"policy allows the {action} action"
                )

    def require_listing(self, bucket: str, prefix: str) -> None:
        """Raise DeniedError unless the keys under a prefix may be listed."""
        self.require("s3:ListBucket", [f"arn:aws:s3:::{bucket}"], {"s3:prefix": prefix})

    def require_objects(self, action: str, bucket: str, keys: Iterable[str]) -> None:
        """Raise DeniedError unless the action is allowed on the objects."""
        self.require(action, (f"arn:aws:s3:::{bucket}/{key}" for key in keys))


def install() -> None:
    """Put our resources in the place of ministack's, for Glue and Athena."""
    resource_of, enforce = host.iam_actions.extract_resource_arn, host.iam_evaluator.enforce

    def resources_of(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> str:
        found = resources(service, headers.get("x-amz-target", "").rpartition(".")[2], _parsed(body))
        return _SEPARATOR.join(found) or str(resource_of(service, method, path, headers, body, *more))

    def enforce_on_each(key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
        for one in resource_arn.split(_SEPARATOR) if service in ("glue", "athena") else [resource_arn]:
            denied = enforce(key, action, service, region, resource_arn=one, **more)
            if denied:
                return denied
        return None

    host.replace(host.iam_actions, "extract_resource_arn", resources_of)
    host.replace(host.iam_evaluator, "enforce", enforce_on_each)


def caller() -> Identity:
    """Who sent the request at hand."""
    return identity(host.caller_arn())


def identity(arn: str) -> Identity:
    """The identity of an IAM user, a role, or a session of a role."""
    return Identity(arn, host.policies_of(arn))


def resources(service: str, action: str, request: Mapping[str, Any]) -> list[str]:
    """ARNs on which Glue or Athena wants an action to be allowed; none for what is left to ministack."""
    if service == "athena":
        return [f"{host.arn('athena')}:workgroup/{name}" for name in _workgroups(action, request)]
    if service != "glue":
        return []
    if "Crawler" in action:
        name = request.get("Name")
        return [f"{host.arn('glue')}:crawler/{name}"] if name else ["*"]
    if "Database" in action:
        name = request.get("Name") or request.get("DatabaseInput", {}).get("Name")
        return of_tables(*([name] if name else host.databases()))
    if "Table" in action or "Partition" in action:
        database = request.get("DatabaseName", "")
        name = request.get("TableName") or request.get("Name") or request.get("TableInput", {}).get("Name")
        return of_tables(database, tables=[name] if name else [t["Name"] for t in host.tables(database)])
    return []


def of_tables(*databases: str, tables: Iterable[str] = ()) -> list[str]:
    """The catalog, the databases, and tables of the first of them: what Glue checks one after the other."""
    root = host.arn("glue")
    named = [f"{root}:table/{databases[0]}/{table}" for table in tables]
    return [f"{root}:catalog", *(f"{root}:database/{database}" for database in databases), *named]


def _workgroups(action: str, request: Mapping[str, Any]) -> list[str]:
    identities = [request["QueryExecutionId"]] if "QueryExecutionId" in request else request.get("QueryExecutionIds")
    if identities:
        # One that is not there is said to be missing to those who may look into every workgroup.
        return [host.executions().get(i, {}).get("WorkGroup", "*") for i in identities]
    named = request.get("WorkGroup") or (request.get("Name") if "WorkGroup" in action else None)
    return [str(named or "primary")]


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
