"""Where everything lies in the bucket: one value per kind of key, building and parsing side by side.

    raw/<table>/dt=2026-11-22/hr=10/1005-p00003-00000000000000123456-00000000000000124001.jsonl.gz
    rejected/<table>/dt=2026-11-22/hr=10/<the same naming>
    manifests/<table>/dt=2026-11-22/1005.json
    origins/<table>.json
    redriven/<table>/dt=2026-11-22/hr=10/<name of the rejected object>.json
    counts/<table>/dt=2026-11-22/hr=10/<query>.json
    counts/<table>/dt=2026-11-22/hours.json
    counts/<table>/totals.json
    reconciled/<table>/dt=2026-11-22/hr=10.json
    reconciled/<table>/dt=2026-11-22/hours.json
    reconciled/<table>/totals.json
    quarantine/<the key that an orphan object had>
    athena-results/

An object's key names its content (minute, Kafka partition, first offset, end offset exclusive), so whoever writes
it again writes the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour, Minute

RAW = "raw"
REJECTED = "rejected"
ATHENA_RESULTS = "athena-results"

_OBJECT = re.compile(
    r"(?P<zone>raw|rejected)/(?P<table>[^/]+)/dt=(?P<dt>\d{4}-\d\d-\d\d)/hr=(?P<hr>\d\d)/"
    r"(?P=hr)(?P<mm>\d\d)-p(?P<partition>\d{5,})-(?P<start>\d{20})-(?P<end>\d{20})\.jsonl\.gz",
    re.ASCII,
)
_MANIFEST = re.compile(
    r"manifests/(?P<table>[^/]+)/dt=(?P<dt>\d{4}-\d\d-\d\d)/(?P<hh>\d\d)(?P<mm>\d\d)\.json", re.ASCII
)


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Key of one object: ``zone`` is RAW or REJECTED, offsets are [start, end) of one Kafka partition."""

    zone: str
    table: str
    minute: Minute
    partition: int
    start: int
    end: int

    def __str__(self) -> str:
        offsets = f"{self.start:020d}-{self.end:020d}"
        return f"{minute_prefix(self.zone, self.table, self.minute)}p{self.partition:05d}-{offsets}.jsonl.gz"

    @classmethod
    def parse(cls, key: str) -> ObjectKey:
        """Read a key; raises LakeError when it is not one of ours."""
        m = _OBJECT.fullmatch(key)
        if not m:
            raise LakeError(f"{key!r} is not the key of a landed object.")
        minute = _minute(m["dt"], m["hr"], m["mm"], key)
        return cls(m["zone"], m["table"], minute, int(m["partition"]), int(m["start"]), int(m["end"]))


def hour_prefix(zone: str, table: str, hour: Hour) -> str:
    """``raw/<table>/dt=…/hr=…/``: the hour's partition of a zone."""
    return f"{zone}/{table}/dt={hour.dt}/hr={hour.hr}/"


def minute_prefix(zone: str, table: str, minute: Minute) -> str:
    """``raw/<table>/dt=…/hr=…/1005-``: every object of one minute begins so."""
    return f"{hour_prefix(zone, table, minute.hour)}{minute.start:%H%M}-"


def manifest_key(table: str, minute: Minute) -> str:
    """Key of the minute's manifest."""
    return f"{manifest_prefix(table, minute.start.date())}{minute.start:%H%M}.json"


def manifest_prefix(table: str, day: date) -> str:
    """``manifests/<table>/dt=…/``: the manifests of one UTC day, whose keys sort by minute."""
    return f"{manifests_prefix(table)}dt={day:%Y-%m-%d}/"


def manifests_prefix(table: str) -> str:
    """``manifests/<table>/``: all manifests of a table, a folder a day."""
    return f"manifests/{table}/"


def manifest_day(prefix: str) -> date:
    """The UTC day of a ``manifests/<table>/dt=…/``; raises LakeError."""
    try:
        return date.fromisoformat(prefix.rstrip("/").rpartition("/dt=")[2])
    except ValueError as e:
        raise LakeError(f"{prefix!r} is not the folder of a day's manifests.") from e


def manifest_minute(key: str) -> Minute:
    """The minute whose manifest lies at this key; raises LakeError."""
    m = _MANIFEST.fullmatch(key)
    if not m:
        raise LakeError(f"{key!r} is not the key of a manifest.")
    return _minute(m["dt"], m["hh"], m["mm"], key)


def origin_key(table: str) -> str:
    """Key of the table's origin."""
    return f"origins/{table}.json"


def redriven_key(rejected: ObjectKey) -> str:
    """Key of the marker that says which records of a rejected object were produced again."""
    return f"{str(rejected).replace(REJECTED, 'redriven', 1).removesuffix('.jsonl.gz')}.json"


def counts_key(table: str, hour: Hour, query: str) -> str:
    """Key of a count query's newest answer for an hour."""
    return f"{hour_prefix('counts', table, hour)}{query}.json"


def day_counts_key(table: str, hour: Hour) -> str:
    """Key of the tallies of all hours of the hour's day."""
    return f"counts/{table}/dt={hour.dt}/hours.json"


def total_counts_key(table: str) -> str:
    """Key of the tallies of all days."""
    return f"counts/{table}/totals.json"


def reconciled_key(table: str, hour: Hour) -> str:
    """Key of what was found when the hour was last reconciled."""
    return f"reconciled/{table}/dt={hour.dt}/hr={hour.hr}.json"


def day_reconciled_key(table: str, hour: Hour) -> str:
    """Key of the tallies of all reconciled hours of the hour's day."""
    return f"reconciled/{table}/dt={hour.dt}/hours.json"


def total_reconciled_key(table: str) -> str:
    """Key of the tallies of all days with reconciled hours."""
    return f"reconciled/{table}/totals.json"


def quarantine_key(key: str) -> str:
    """Where an orphan object is moved to: nothing reads there, nothing is lost."""
    return f"quarantine/{key}"


def _minute(day: str, hour: str, minute: str, key: str) -> Minute:
    try:
        return Minute(datetime.strptime(f"{day}T{hour}:{minute}", "%Y-%m-%dT%H:%M").replace(tzinfo=UTC))
    except ValueError as e:
        raise LakeError(f"{key!r} names no minute that exists.") from e
