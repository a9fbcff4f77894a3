"""What bounds a minute: sealed minutes around it, and the origin. A look-up lists one day or two, and the days."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import (
    manifest_day,
    manifest_key,
    manifest_minute,
    manifest_prefix,
    manifests_prefix,
    origin_key,
)
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Hour, Minute

_READERS = 8


def manifest_of(lake: Lake, table: str, minute: Minute) -> Manifest | None:
    """The minute's manifest; None when it is not sealed."""
    key = manifest_key(table, minute)
    body = lake.get(key)
    if body is None:
        return None
    try:
        manifest = Manifest.from_json(body)
        manifest.require_at_home(table, minute)
    except LakeError as e:
        raise LakeError(f"s3://{lake.bucket}/{key}: {e.problem}", e.remedy) from e
    return manifest


def sealed_in(lake: Lake, table: str, hour: Hour) -> tuple[Manifest, ...]:
    """The manifests of an hour, oldest first: one listing of at most sixty keys, and each of them."""
    prefix = f"{manifest_prefix(table, hour.start.date())}{hour.hr}"
    minutes = [manifest_minute(entry.key) for entry in lake.list(prefix)]
    with ThreadPoolExecutor(_READERS) as pool:
        found = list(pool.map(lambda minute: manifest_of(lake, table, minute), minutes))
    return tuple(m for m in found if m)


def newest_before(lake: Lake, table: str, minute: Minute) -> Manifest | None:
    """The newest sealed minute before this one, however old; None when there is none."""
    # The very minute before is nearly always the answer, and costs one request.
    direct = manifest_of(lake, table, minute.plus(-1))
    if direct is not None:
        return direct
    today = minute.start.date()
    found = _newest_of(lake, table, today, minute)
    if found is None:
        # One listing names every day that has manifests, so a pause of a year costs no more than one of a day.
        days = (manifest_day(prefix) for prefix in lake.folders(manifests_prefix(table)))
        found = _newest_of(lake, table, max((d for d in days if d < today), default=None), minute)
    return None if found is None else manifest_of(lake, table, found)


def _newest_of(lake: Lake, table: str, day: date | None, before: Minute) -> Minute | None:
    """The newest sealed minute of a day, before this one."""
    if day is None:
        return None
    minutes = (manifest_minute(entry.key) for entry in lake.list(manifest_prefix(table, day)))
    return max((m for m in minutes if m < before), default=None)


def oldest_after(lake: Lake, table: str, minute: Minute) -> Manifest | None:
    """The oldest sealed minute after this one."""
    # Manifests' keys sort by time, so the first one listed after ours is it.
    for entry in lake.list(manifests_prefix(table), start_after=manifest_key(table, minute)):
        return manifest_of(lake, table, manifest_minute(entry.key))
    return None


def origin_of(lake: Lake, table: str) -> Origin | None:
    """The table's origin; None when nothing was ever landed."""
    body = lake.get(origin_key(table))
    return None if body is None else Origin.from_json(body)


def agreed_origin(lake: Lake, table: str, begin: Callable[[], Origin]) -> Origin:
    """The table's origin; when there is none, it is written: once, first writer wins, and never replaced.

    Args:
        lake: the bucket.
        table: name of the table.
        begin: the origin that it would be; asked for only when needed.
    """
    known = origin_of(lake, table)
    if known is not None:
        return known
    return Origin.from_json(lake.update(origin_key(table), lambda found: found or begin().to_json()))
