"""A past for a stack that does not run: minutes as landing seals them, and runs as Airflow keeps them, straight into its files.

Landing 43,200 minutes and running 130,000 tasks would take days. The objects are what landing writes (the same keys, gzip of
JSON lines, checksums, manifests that touch); the runs are copies of real ones of the same stack, with all that belongs to them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import RAW, ObjectKey, manifest_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Minute

RECORDS = 10  # of each Kafka partition, a minute
EACH_MINUTE = ("kafka_to_s3", "broker_health", "catalog_to_counts")  # all others run each hour
_STAMP = "%Y-%m-%d %H:%M:%S.%f"
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
_KEY = re.compile(r"\d{4}-\d\d-\d\dT\d\d(:\d\d)?")


def land(bucket: Path, table: str, partitions: int, first: Minute, minutes: int, cluster_id: str) -> None:
    """Write objects, manifests and origin into the stand-in's folder of a bucket; of each partition offsets from 0 on."""
    for n in range(minutes):
        minute = first.plus(n)
        slices = tuple(OffsetRange(p, n * RECORDS, (n + 1) * RECORDS) for p in range(partitions))
        objects = []
        for s in slices:
            body = _body(s, minute.start_ms)
            checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
            key = str(ObjectKey(RAW, table, minute, s.partition, s.start, s.end))
            objects.append(StoredObject(key, s.partition, s.start, s.end, RECORDS, len(body), checksum))
            _store(bucket, key, body, minute.end_ms, {"SHA256": checksum})
        sealed_at = datetime.fromtimestamp(minute.end_ms / 1000 + 3, UTC).isoformat(timespec="milliseconds")
        manifest = Manifest(
            table, table, cluster_id, None, minute, sealed_at, f"past-{n}", slices, tuple(objects), (), (),
            minute.start_ms, minute.end_ms - 1, 0, 0, {"write": 0.05},
        )  # fmt: skip
        _store(bucket, manifest_key(table, minute), manifest.to_json(), minute.end_ms, {})
    origin = Origin(first, dict.fromkeys(range(partitions), 0), None)
    _store(bucket, f"origins/{table}.json", origin.to_json(), first.start_ms, {})


def _body(s: OffsetRange, start_ms: int) -> bytes:
    rows = [
        b'{"Index":"HSI","Date":"1987-01-02","Open":2540.1,"High":2540.1,"Low":2540.1,"Close":2540.1,"Adj Close":2540.1,'
        b'"Volume":%d,"CloseUSD":330.2,"kafka_partition":%d,"kafka_offset":%d,"kafka_timestamp":%d}\n'
        % (offset, s.partition, offset, start_ms + (offset - s.start) * 6000)
        for offset in range(s.start, s.end)
    ]
    return gzip.compress(b"".join(rows), 1, mtime=0)


def _store(bucket: Path, key: str, body: bytes, at_ms: int, checksums: Mapping[str, str]) -> None:
    """An object and its sidecar, as the stand-in keeps them in a versioned bucket."""
    file = bucket / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    about = {
        "content_type": "application/octet-stream",
        "content_encoding": None,
        "etag": f'"{hashlib.md5(body).hexdigest()}"',
        "last_modified": datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "size": len(body),
        "metadata": {},
        "preserved_headers": {"x-amz-server-side-encryption": "AES256"},
        "storage_class": "STANDARD",
        "checksums": dict(checksums),
        "version_id": str(uuid4()),
    }
    versions = [{**about, "is_latest": True, "parts": None, "replication_status": None}]
    file.with_name(f"{file.name}.meta.json").write_text(json.dumps({**about, "versions": versions, "key": key}))


def run(database: Path, minutes: int) -> int:
    """Copy the newest finished run of each DAG into the minutes before the oldest run; returns how many runs that made."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        tables = _Tables(connection)
        (oldest,) = connection.execute("SELECT MIN(run_after) FROM dag_run").fetchone()
        end = datetime.strptime(oldest, _STAMP).replace(second=0, microsecond=0)
        made = 0
        for template in _templates(connection):
            rows = tables.of(template)
            every = 1 if template["dag_id"] in EACH_MINUTE else 60
            for back in range(every, minutes + 1, every):
                tables.copy(rows, end - timedelta(minutes=back))
                made += 1
        connection.commit()
        connection.execute("ANALYZE")
        connection.commit()
    return made


def _templates(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    query = "SELECT * FROM dag_run WHERE state = 'success' GROUP BY dag_id HAVING id = MAX(id)"
    yield from connection.execute(query).fetchall()


class _Tables:
    """Airflow's tables that a run has rows in, and the ids that come next."""

    _OF_RUN = ("task_instance", "xcom", "log")
    _NUMBERED = ("dag_run", "log", "asset_event", "asset_partition_dag_run", "partitioned_asset_key_log")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next = {
            table: 1 + (connection.execute(f"SELECT MAX(id) FROM {table}").fetchone()[0] or 0)
            for table in self._NUMBERED
        }
        self._event = 0

    def of(self, run: sqlite3.Row) -> dict[str, list[_Row]]:
        """All rows of a run, by table."""
        mine = (run["dag_id"], run["run_id"])
        rows = {table: self._rows(f"{table} WHERE dag_id = ? AND run_id = ?", *mine) for table in self._OF_RUN}
        rows["asset_event"] = self._rows("asset_event WHERE source_dag_id = ? AND source_run_id = ?", *mine)
        rows["asset_partition_dag_run"] = self._rows("asset_partition_dag_run WHERE created_dag_run_id = ?", run["id"])
        ids = [row["id"] for row in rows["asset_partition_dag_run"]]
        rows["partitioned_asset_key_log"] = [
            row for i in ids for row in self._rows("partitioned_asset_key_log WHERE asset_partition_dag_run_id = ?", i)
        ]
        rows["dagrun_asset_event"] = self._rows("dagrun_asset_event WHERE dag_run_id = ?", run["id"])[:1]
        found = {"dag_run": [dict(run)], **rows}
        return {table: [_Row(table, row) for row in listed] for table, listed in found.items()}

    def _rows(self, rest: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(f"SELECT * FROM {rest}", values)]

    def copy(self, rows: Mapping[str, list[_Row]], at: datetime) -> None:
        """The same run at another minute."""
        (template,) = rows["dag_run"]
        by = at - template.values["run_after"].replace(second=0, microsecond=0)
        run_id = f"{template.values['run_type']}__{at.isoformat()}__past"
        known: dict[str, Any] = {"run_id": run_id, "source_run_id": run_id}
        known["dag_run_id"] = known["created_dag_run_id"] = self._next["dag_run"]
        known["asset_partition_dag_run_id"] = self._next["asset_partition_dag_run"]
        for table, found in rows.items():
            for row in found:
                new = row.moved(by, known)
                if table == "task_instance":
                    new |= {"id": uuid4().hex, "trigger_id": None}
                if table in self._next:
                    new["id"] = self._next[table]
                    self._next[table] += 1
                if table == "asset_event":
                    self._event = new["id"]
                if table == "dagrun_asset_event":
                    new["event_id"] = self._event or new["event_id"]
                self._connection.execute(row.insert, [*new.values()])


class _Row:
    """A row to be copied: its times are datetimes, its partition keys are found."""

    def __init__(self, table: str, row: Mapping[str, Any]) -> None:
        self.values = {name: _time(value) for name, value in row.items()}
        self._times = [name for name, value in self.values.items() if isinstance(value, datetime)]
        self._keys = [name for name, value in row.items() if isinstance(value, str) and _KEY.fullmatch(value)]
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" for _ in row)
        self.insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"

    def moved(self, by: timedelta, known: Mapping[str, Any]) -> dict[str, Any]:
        """The row as much later, with the ids that are known."""
        new = dict(self.values)
        for name in self._times:
            new[name] = (new[name] + by).isoformat(" ", "microseconds")
        for name in self._keys:
            minute = new[name].count(":")
            new[name] = (datetime.fromisoformat(new[name]) + by).isoformat("T", "minutes" if minute else "hours")
        return new | {name: value for name, value in known.items() if name in new}


def _time(value: Any) -> Any:
    """A time of the database as one; anything else as it is."""
    return datetime.strptime(value, _STAMP) if isinstance(value, str) and _TIME.fullmatch(value) else value
