"""What bounds a minute: sealed minutes around it, and the origin. No look-up walks more than the days in question."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from ticklake.clients.s3 import Lake
from ticklake.core.errors import LakeError
from ticklake.core.keys import manifest_key, manifest_minute, manifest_prefix, origin_key
from ticklake.core.manifest import Manifest
from ticklake.core.minute import Hour, Minute
from ticklake.core.origin import Origin

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


def newest_before(lake: Lake, table: str, minute: Minute, lookback_hours: int) -> Manifest | None:
    """The newest sealed minute before this one, not further back than so many hours."""
    # The very minute before is nearly always the answer, and costs one request.
    direct = manifest_of(lake, table, minute.plus(-1))
    if direct is not None:
        return direct
    oldest = Minute(minute.start - timedelta(hours=lookback_hours))
    day = minute.start.date()
    while day >= oldest.start.date():
        found = [manifest_minute(entry.key) for entry in lake.list(manifest_prefix(table, day))]
        before = [m for m in found if oldest <= m < minute]
        if before:
            return manifest_of(lake, table, max(before))
        day -= timedelta(days=1)
    return None


def oldest_after(lake: Lake, table: str, minute: Minute) -> Manifest | None:
    """The oldest sealed minute after this one."""
    # Manifests' keys sort by time, so the first one listed after ours is it.
    for entry in lake.list(f"manifests/{table}/", start_after=manifest_key(table, minute)):
        return manifest_of(lake, table, manifest_minute(entry.key))
    return None


def origin_of(lake: Lake, table: str) -> Origin | None:
    """The table's origin; None when nothing was ever landed."""
    body = lake.get(origin_key(table))
    return None if body is None else Origin.from_json(body)


def agreed_origin(lake: Lake, table: str, minute: Minute, begin: Callable[[], Origin], lookback_hours: int) -> Origin:
    """The table's origin; when there is none, or none within the look-back, this minute becomes it, first writer wins.

    Args:
        lake: the bucket.
        table: name of the table.
        minute: a minute without a sealed one before it.
        begin: the origin that it would be; asked for only when needed.
        lookback_hours: how far back landing goes on from.
    """

    def agree(found: bytes | None) -> bytes:
        known = None if found is None else Origin.from_json(found)
        if known is not None and known.minute.start >= minute.start - timedelta(hours=lookback_hours):
            return found or b""
        return begin().to_json()

    return Origin.from_json(lake.update(origin_key(table), agree))
