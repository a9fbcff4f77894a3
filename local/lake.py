"""What the bucket says: minutes sealed and records landed by the manifests, records counted by the kept totals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from local.stack import Stack
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_minute, manifests_prefix, total_counts_key
from ticklake.core.proof.row_counts import Totals

_MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class SealedTotal:
    """All manifests together: newest minute's key, minutes, records, rejected records, lost offsets."""

    newest: str | None = None
    minutes: int = 0
    records: int = 0
    rejected: int = 0
    lost: int = 0


@dataclass(frozen=True)
class CountedTotal:
    """The kept totals of Athena's counts, and when they were made (ISO 8601)."""

    at: str | None = None
    records: int = 0
    distinct: int = 0


def sealed(lake: Lake, stack: Stack, table: str) -> SealedTotal:
    """Add up the manifests. A sealed minute never changes, so each manifest is fetched once and then remembered.

    A day of which every minute is sealed is remembered as a whole, and not even listed again: what this costs grows with the
    days that are not whole. Raises LakeError when S3 does not answer.
    """
    memory = stack.home.folder / "sealed.json"
    known = _read(memory.read_bytes() if memory.exists() else b"{}")
    folders = list(lake.folders(manifests_prefix(table)))
    days = {folder: known[folder] for folder in folders if folder in known}
    keys = {folder: [entry.key for entry in lake.list(folder)] for folder in folders if folder not in days}
    listed_keys = [key for listed in keys.values() for key in listed]
    rows = {key: known[key] for key in listed_keys if key in known}
    new = [key for key in listed_keys if key not in known]
    with ThreadPoolExecutor(8) as pool:
        rows |= zip(new, pool.map(lambda key: _numbers(lake, key), new), strict=True)
    for folder, listed in keys.items():
        days[folder] = [len(listed), *(sum(rows[key][n] for key in listed) for n in range(3))]
        if len(listed) == _MINUTES_A_DAY:
            rows = {key: row for key, row in rows.items() if key not in set(listed)}
    remembered = rows | {folder: day for folder, day in days.items() if day[0] == _MINUTES_A_DAY}
    if remembered != known:
        half = memory.with_suffix(".part")
        half.write_text(json.dumps(remembered))
        half.replace(memory)
    minutes, records, rejected, lost = (sum(day[n] for day in days.values()) for n in range(4))
    return SealedTotal(_newest(folders, keys), minutes, records, rejected, lost)


def _newest(folders: Sequence[str], keys: Mapping[str, Sequence[str]]) -> str | None:
    """The newest minute's key: of the last folder, a whole day where it was not listed."""
    return manifest_minute(max(keys.get(folders[-1]) or [f"{folders[-1]}2359.json"])).key if folders else None


def counted(lake: Lake, table: str) -> CountedTotal:
    """The totals that `catalog_to_counts` keeps; raises LakeError when S3 does not answer."""
    key = total_counts_key(table)
    body = lake.get(key)
    if body is None:
        return CountedTotal()
    total = Totals.from_json(body, key).total
    return CountedTotal(_read(body).get("at"), total.counted, total.distinct)


def _numbers(lake: Lake, key: str) -> list[int]:
    body = lake.get(key)
    if body is None:
        raise LakeError(f"The manifest {key} was listed, and is gone.")
    manifest = Manifest.from_json(body)
    return [manifest.records, manifest.rejected, sum(s.end - s.start for s in manifest.lost)]


def _read(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
