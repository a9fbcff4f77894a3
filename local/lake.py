"""What the bucket says: minutes sealed and records landed by the manifests, records counted by the kept totals."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from local.stack import Stack
from ticklake.clients.s3 import Lake
from ticklake.core.counts import Totals
from ticklake.core.errors import LakeError
from ticklake.core.keys import manifest_minute, total_counts_key
from ticklake.core.manifest import Manifest


@dataclass(frozen=True)
class Sealed:
    """All manifests together: newest minute's key, minutes, records, rejected records, lost offsets."""

    newest: str | None = None
    minutes: int = 0
    records: int = 0
    rejected: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Counted:
    """The kept totals of Athena's counts, and when they were made (ISO 8601)."""

    at: str | None = None
    records: int = 0
    distinct: int = 0


def sealed(lake: Lake, stack: Stack, table: str) -> Sealed:
    """Add up the manifests. A sealed minute never changes, so each manifest is fetched once and then remembered.

    Raises LakeError when S3 does not answer.
    """
    memory = stack.home.folder / "sealed.json"
    known = _read(memory.read_bytes() if memory.exists() else b"{}")
    keys = [entry.key for entry in lake.list(f"manifests/{table}/")]
    with ThreadPoolExecutor(8) as pool:
        new = [key for key in keys if key not in known]
        fresh = dict(zip(new, pool.map(lambda key: _numbers(lake, key), new), strict=True))
    if fresh:
        known = {key: {**known, **fresh}[key] for key in keys}
        half = memory.with_suffix(".part")
        half.write_text(json.dumps(known))
        half.replace(memory)
    rows = [known[key] for key in keys]
    records, rejected, lost = (sum(row[n] for row in rows) for n in range(3))
    return Sealed(manifest_minute(max(keys)).key if keys else None, len(keys), records, rejected, lost)


def counted(lake: Lake, table: str) -> Counted:
    """The totals that `catalog_to_counts` keeps; raises LakeError when S3 does not answer."""
    key = total_counts_key(table)
    body = lake.get(key)
    if body is None:
        return Counted()
    total = Totals.from_json(body, key).total
    return Counted(_read(body).get("at"), total.counted, total.distinct)


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
