"""The only module that touches ministack: which of its parts are replaced, and how its stores are read and written.

Ministack is pinned, and every name used here is checked when the stand-in starts.
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator, persistence, responses
from ministack.core.concurrency import spawn_background
from ministack.services import athena, cloudformation, glue, s3
from ministack.services.cloudformation import changesets, provisioners

Reply = tuple[int, dict[str, str], bytes]
Handler = Callable[[dict[str, Any]], Reply]

_WRITING_SECONDS = 10.0

app = ministack_app.app
new_id: Callable[[], str] = responses.new_uuid


@runtime_checkable
class Ordered(Protocol):
    """What a bucket's objects are once `key_index` has them."""

    def under(self, prefix: str) -> list[str]:
        """The keys that begin so, in order."""


class HostError(Exception):
    """Ministack answered a call of ours with an error."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


def replace(module: Any, name: str, handler: Any) -> None:
    """Put our function in the place of one of ministack's; fails when this ministack has none of that name."""
    if not callable(getattr(module, name, None)):
        raise RuntimeError(f"ministack has no {module.__name__}.{name}: local/aws was written for another version.")
    setattr(module, name, handler)


def reply(data: dict[str, Any]) -> Reply:
    """A successful JSON answer."""
    answer: Reply = responses.json_response(data)
    return answer


def refuse(code: str, message: str, **extra: Any) -> Reply:
    """An error as the JSON services of AWS give it, status 400."""
    answer: Reply = responses.error_response_json(code, message, 400, extra=extra or None)
    return answer


def call(handler: Handler, data: dict[str, Any]) -> dict[str, Any]:
    """Call one of ministack's handlers in process; raises HostError."""
    status, _, body = handler(data)
    answer: dict[str, Any] = json.loads(body or b"{}")
    if status >= 400:
        raise HostError(answer.get("__type", str(status)), answer.get("message") or answer.get("Message") or "")
    return answer


def in_background(function: Callable[..., None], *args: Any, name: str) -> None:
    """Run in a thread of its own, for the account and region of the request at hand."""
    spawn_background(function, *args, thread_name=name)


def submit(pool: Executor, function: Callable[..., Any], *args: Any) -> Future[Any]:
    """Run in a pool, for the account and region of the request at hand."""
    return pool.submit(contextvars.copy_context().run, function, *args)


@dataclass(frozen=True)
class StoredObject:
    """A current S3 object: its key, size in bytes, etag, and the file that holds its bytes."""

    key: str
    size: int
    etag: str
    path: str


def has_bucket(bucket: str) -> bool:
    """Whether the account has the bucket."""
    return s3._buckets.get(bucket) is not None


def list_keys(bucket: str, prefix: str) -> list[str]:
    """Keys under a prefix, sorted. Uploads under way are not among them: S3 shows an object when it is whole."""
    objects = _objects(bucket)
    if isinstance(objects, Ordered):
        return objects.under(prefix)
    # No request has come for this bucket yet: only those, on the event loop, may put the index in.
    return sorted(key for key in list(objects) if key.startswith(prefix))


def stored(bucket: str, keys: Iterable[str]) -> list[StoredObject]:
    """The objects of these keys; one that was deleted meanwhile is left out."""
    objects = _objects(bucket)
    found = ((k, _on_disk(objects, k)) for k in keys)
    return [StoredObject(k, o["size"], o["etag"], s3._object_disk_path(bucket, k)) for k, o in found if o is not None]


def _on_disk(objects: dict[str, dict[str, Any]], key: str) -> dict[str, Any] | None:
    """Ministack lists an object a moment before its file is whole, and holds its bytes in the record until then."""
    deadline = time.monotonic() + _WRITING_SECONDS
    while (record := objects.get(key)) is not None and record["body"] is not None:
        if time.monotonic() > deadline:
            raise HostError("InternalError", f"{key} does not get on disk")
        time.sleep(0.001)
    return record


def count_and_bytes(bucket: str, keys: Iterable[str]) -> tuple[int, int]:
    """How many of these keys are there, and their size together."""
    objects = _objects(bucket)
    sizes = [o["size"] for o in (objects.get(k) for k in keys) if o is not None]
    return len(sizes), sum(sizes)


def _objects(bucket: str) -> dict[str, dict[str, Any]]:
    record = s3._buckets.get(bucket)
    return {} if record is None else record["objects"]


def lifecycles() -> list[tuple[str, str, Any]]:
    """Account, bucket and lifecycle rules of every bucket that has some."""
    return [(account, bucket, rules) for (account, bucket), rules in list(s3._bucket_lifecycle._data.items())]


def account(name: str) -> AbstractContextManager[None]:
    """The stores of this account, in a block that no request is at hand in."""
    found: AbstractContextManager[None] = s3._in_account(name)
    return found


def current_objects(bucket: str, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """Key and ministack's record of each current object under a prefix."""
    objects = _objects(bucket)
    return [(key, objects[key]) for key in list_keys(bucket, prefix)]


def versions(bucket: str, prefix: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Key and versions, the oldest first, of what has more than a current object: noncurrent ones, or a delete marker."""
    ours = responses.get_account_id()
    return [
        (key, list(found))
        for (owner, (name, key)), found in list(s3._object_versions._data.items())
        if owner == ours and name == bucket and key.startswith(prefix) and found
        if len(found) > 1 or found[0].get("is_delete_marker")
    ]


def uploads(bucket: str, prefix: str) -> list[tuple[str, str]]:
    """Id and beginning (ISO 8601) of the multipart uploads under way."""
    found = list(s3._multipart_uploads.items())
    return [(i, u["created"]) for i, u in found if u["bucket"] == bucket and u["key"].startswith(prefix)]


def delete_unless_written(bucket: str, key: str, record: dict[str, Any]) -> None:
    """Delete the current object, as a DELETE would, if it is still the one of this record."""
    if _objects(bucket).get(key) is record:
        s3._delete_object(bucket, key)


def delete_version(bucket: str, key: str, version: dict[str, Any]) -> None:
    """Remove a version that is not the current one, or a delete marker, for good."""
    if version.get("is_delete_marker") or not version["is_latest"]:
        s3._delete_object_version(s3._buckets[bucket], bucket, key, version["version_id"])


def abort_upload(upload: str) -> None:
    """Forget a multipart upload and its parts."""
    s3._multipart_uploads.pop(upload, None)


def put_object(bucket: str, key: str, body: bytes, content_type: str) -> None:
    """Write an object, as a PUT would; raises HostError. Only on the event loop, where ministack writes too."""
    status, _, answer = s3._put_object(bucket, key, body, {"content-type": content_type})
    if status >= 300:
        raise HostError("S3", f"{status} writing s3://{bucket}/{key}: {answer.decode(errors='replace')}")


def get_object(bucket: str, key: str) -> bytes | None:
    """The bytes of an object, None when it is not there."""
    body: bytes | None = s3._get_object_data(bucket, key)
    return body


def crawler(name: str) -> dict[str, Any] | None:
    """Ministack's record of a crawler, to be changed in place."""
    record: dict[str, Any] | None = glue._crawlers.get(name)
    return record


def table(database: str, name: str) -> dict[str, Any] | None:
    """A table of the Glue catalog."""
    record: dict[str, Any] | None = glue._tables.get(f"{database}/{name}")
    return record


def tables(database: str) -> list[dict[str, Any]]:
    """All tables of a database, by name."""
    return sorted(
        (t for t in list(glue._tables.values()) if t["DatabaseName"] == database), key=lambda t: str(t["Name"])
    )


def databases() -> list[str]:
    """Names of the databases of the catalog."""
    return sorted(glue._databases)


def partitions(database: str, name: str) -> list[dict[str, Any]]:
    """The registered partitions of a table; a list of its own, of ministack's records."""
    return list(glue._partitions.get(f"{database}/{name}", []))


def executions() -> Any:
    """Ministack's query executions: a dictionary by id, of this account and region."""
    return athena._executions


def workgroup(name: str) -> dict[str, Any] | None:
    """An Athena workgroup."""
    record: dict[str, Any] | None = athena._workgroups.get(name)
    return record


def arn(service: str) -> str:
    """The beginning of the ARNs of a service, in the account and region of the request at hand."""
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}"


def caller_arn() -> str:
    """Who sent the request at hand; the account's root unless AUTH=true."""
    found: str = iam_evaluator.caller_arn()
    return found


def policies_of(arn: str) -> Any:
    """The policies of an IAM user, a role or a session of a role; None for whom everything is allowed."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    account = responses.get_account_id()
    if not ministack_app.AUTH or kind == "root":
        return None
    if kind == "user":
        return iam_evaluator._gather_user_policies(rest.rpartition("/")[2], account)
    name = rest.partition("/")[0] if kind == "assumed-role" else rest.rpartition("/")[2]
    return iam_evaluator._gather_role_policies(name, account)


def allows(arn: str, policies: Any, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether policies allow an action on a resource; ``context`` holds condition keys."""
    account, region = responses.get_account_id(), responses.get_region()
    request = iam_evaluator.EvalContext(
        arn, "AssumedRole", account, action, resource, region, secure_transport=True, service_context=dict(context)
    )
    return bool(iam_evaluator.evaluate(request, policies).decision == "Allow")


def states() -> dict[str, Callable[[], Any]]:
    """What ministack saves when it stops: a name and how to get the state, per service in use."""
    names: dict[str, Callable[[], Any]] = ministack_app._build_persistence_save_dict()
    return names


def save(name: str, state: Any) -> None:
    """Write a state as ministack's own `save_state` does, which encodes in Python what json.dumps encodes in C."""
    document = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
    file = Path(persistence.STATE_DIR, f"{name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".json.tmp")
    half.write_text(json.dumps(document, default=persistence._json_default))
    half.replace(file)


def everyones(store: Any) -> list[dict[str, Any]]:
    """The records of all accounts and regions in one of ministack's stores."""
    return list(store._data.values())


__all__ = ["athena", "changesets", "cloudformation", "glue", "iam_actions", "iam_evaluator", "provisioners", "s3"]
