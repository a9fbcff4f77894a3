"""Lifecycle rules of buckets, really applied: what they say is old goes, as S3 does it.

S3 counts in whole days: an action is due at the first midnight (UTC) after the object has become so many days old. It then
works through the bucket in its own time; here at each start and each hour. In a versioned bucket an expired object gets a
delete marker, and its bytes go with the rule for noncurrent versions. A rule is applied only if all it says is understood:
one with a filter by tag or size, or with a transition to another storage class, does nothing here and is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from local.aws import host

log = logging.getLogger(__name__)

_AT_ONCE = 50  # removals between two requests of others
_UNDERSTOOD = frozenset(
    {"ID", "Status", "Filter", "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
)


@dataclass(frozen=True)
class Rule:
    """One enabled rule. Days are None where it says nothing; ``newer`` noncurrent versions stay however old they are."""

    name: str
    prefix: str
    days: int | None = None
    noncurrent_days: int | None = None
    newer: int = 0
    upload_days: int | None = None
    markers: bool = False  # delete markers that hide nothing go at once

    @classmethod
    def read(cls, record: dict[str, Any]) -> Rule | None:
        """From ministack's record; None when it is disabled, or says what is not understood here."""
        filters, expiration = record.get("Filter", {}), record.get("Expiration", {})
        if record["Status"] != "Enabled":
            return None
        if record.keys() - _UNDERSTOOD or filters.keys() - {"Prefix"} or "Date" in expiration:
            log.warning(
                "Lifecycle rule %s is not applied: the stand-in knows no such filter or action.", record.get("ID")
            )
            return None
        noncurrent = record.get("NoncurrentVersionExpiration", {})
        return cls(
            record.get("ID", ""),
            filters.get("Prefix", ""),
            expiration.get("Days"),
            noncurrent.get("NoncurrentDays"),
            noncurrent.get("NewerNoncurrentVersions", 0),
            record.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
            expiration.get("ExpiredObjectDeleteMarker", False),
        )


@dataclass
class Done:
    """What a look at all buckets has removed."""

    expired: int = 0
    versions: int = 0
    markers: int = 0
    uploads: int = 0
    buckets: list[str] = field(default_factory=list)


async def apply(now: datetime) -> Done:
    """Do what is due in every bucket; lets other requests in between."""
    done = Done()
    for account, bucket, records in host.lifecycles():
        # Ministack keeps a configuration that it could not read as a string.
        rules = [rule for record in records if (rule := Rule.read(record))] if isinstance(records, list) else []
        with host.account(account):
            todo = list(_due(bucket, rules, now, done))
        for start in range(0, len(todo), _AT_ONCE):
            with host.account(account):
                for action in todo[start : start + _AT_ONCE]:
                    action()
            await asyncio.sleep(0)
        if todo:
            done.buckets.append(bucket)
    if done.buckets:
        log.warning("Lifecycle rules of %s: %s", ", ".join(done.buckets), done)
    return done


def is_due(since: str, days: int, now: datetime) -> bool:
    """Whether a midnight (UTC) has passed since something was ``days`` days old; ``since``: ISO 8601."""
    grown = datetime.fromisoformat(since.replace("Z", "+00:00")).astimezone(UTC) + timedelta(days=days)
    midnight = grown.replace(hour=0, minute=0, second=0, microsecond=0)
    return now >= (midnight if midnight == grown else midnight + timedelta(days=1))


def _due(bucket: str, rules: list[Rule], now: datetime, done: Done) -> Iterator[Callable[[], None]]:
    for rule in rules:
        if rule.days is not None:
            for key, record in host.current_objects(bucket, rule.prefix):
                if is_due(record["last_modified"], rule.days, now):
                    done.expired += 1
                    yield partial(host.delete_unless_written, bucket, key, record)
        if rule.upload_days is not None:
            for upload, initiated in host.uploads(bucket, rule.prefix):
                if is_due(initiated, rule.upload_days, now):
                    done.uploads += 1
                    yield partial(host.abort_upload, upload)
        if rule.markers or rule.days is not None or rule.noncurrent_days is not None:
            for key, versions in host.versions(bucket, rule.prefix):
                yield from _old_versions(bucket, key, versions, rule, now, done)


def _old_versions(
    bucket: str, key: str, versions: list[dict[str, Any]], rule: Rule, now: datetime, done: Done
) -> Iterator[Callable[[], None]]:
    """Of one key, oldest version first: a version is noncurrent since the one behind it was written."""
    only = versions[0]
    if len(versions) == 1 and only.get("is_delete_marker"):
        if rule.markers or (rule.days is not None and is_due(only["last_modified"], rule.days, now)):
            done.markers += 1
            yield partial(host.delete_version, bucket, key, only)
        return
    if rule.noncurrent_days is None:
        return
    for n, version in enumerate(versions[:-1]):
        newer = len(versions) - 2 - n  # noncurrent ones
        if newer >= rule.newer and is_due(versions[n + 1]["last_modified"], rule.noncurrent_days, now):
            done.versions += 1
            yield partial(host.delete_version, bucket, key, version)
