"""Keys of the bucket, in the verifier's own words: `docs/manifest.md` says how they are built, landing's code is not asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.minute import Minute

RAW, REJECTED = "raw", "rejected"

_KEY = re.compile(
    r"(raw|rejected)/([^/]+)/dt=(\d{4}-\d\d-\d\d)/hr=(\d\d)/\4(\d\d)-p(\d{5,})-(\d{20})-(\d{20})\.jsonl\.gz", re.ASCII
)


@dataclass(frozen=True)
class Key:
    """What the key of an object in `raw/` or `rejected/` (``zone``) says: a minute, and offsets [start, end)."""

    zone: str
    table: str
    minute: Minute
    partition: int
    start: int
    end: int


def parse(key: str) -> Key:
    """Read a key; raises LakeError when it is not one of a landed object."""
    m = _KEY.fullmatch(key)
    try:
        if m:
            zone, table, day, hour, minute, *numbers = m.groups()
            return Key(zone, table, Minute.parse(f"{day}T{hour}:{minute}"), *map(int, numbers))
    except SettingsError:
        pass  # the 31st of February
    raise LakeError(f"{key!r} is not the key of a landed object.")


def manifests_of(table: str, day: date | None = None) -> str:
    """The prefix of a table's manifests, or of those of a day."""
    return f"manifests/{table}/" + (f"dt={day.isoformat()}/" if day else "")


def manifest_of(table: str, minute: Minute) -> str:
    """The key of a minute's manifest."""
    day, time = minute.key.split("T")
    return f"{manifests_of(table)}dt={day}/{time.replace(':', '')}.json"
