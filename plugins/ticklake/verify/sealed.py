"""The manifests, read by the verifier's own code: what each minute says it took, and where it put it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from typing import Any

from ticklake.core.minute import Minute
from ticklake.core.moment import milliseconds
from ticklake.verify.keys import manifest_of, manifests_of


@dataclass(frozen=True)
class ListedObject:
    """An object as its manifest lists it: offsets [start, end) of a Kafka partition, lines, size in bytes.

    ``checksum`` is the SHA-256 of its bytes in base64, ``crc32`` that of its lines (None in older manifests).
    """

    key: str
    partition: int
    start: int
    end: int
    records: int
    bytes: int
    checksum: str
    crc32: int | None


@dataclass(frozen=True)
class SealedMinute:
    """One manifest: Kafka partition -> (start, end) offsets; how far the log went; what was lost; its objects.

    ``log_ends`` lacks the Kafka partitions of which the manifest does not say it; ``sealed_ms``: milliseconds since 1970.
    """

    minute: Minute
    sealed_ms: int
    topic_id: str | None
    slices: dict[int, tuple[int, int]]
    log_ends: dict[int, int]
    lost: dict[int, tuple[int, int]]
    objects: tuple[ListedObject, ...]
    records: int
    rejected: int


def days(s3: Any, bucket: str, table: str, first: Minute | None, last: Minute | None) -> list[date]:
    """Days (UTC) that have manifests, within [first, last], oldest first."""
    prefix = manifests_of(table)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    found = [
        date.fromisoformat(entry["Prefix"].removeprefix(f"{prefix}dt=").rstrip("/"))
        for page in pages
        for entry in page.get("CommonPrefixes", ())
    ]
    wanted = (d for d in found if first is None or d >= first.start.date())
    return sorted(d for d in wanted if last is None or d <= last.start.date())


def of_day(
    s3: Any, bucket: str, table: str, day: date, first: Minute | None, last: Minute | None, pool: Executor
) -> Iterator[SealedMinute | str]:
    """The day's manifests within [first, last], oldest first; a string instead of one says what is wrong with it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=manifests_of(table, day))
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))
    minutes = (Minute.parse(f"{day}T{key[-9:-7]}:{key[-7:-5]}") for key in keys)
    wanted = [m for m in minutes if (first is None or m >= first) and (last is None or m <= last)]
    yield from (found for found in pool.map(lambda m: of_minute(s3, bucket, table, m), wanted) if found is not None)


def of_minute(s3: Any, bucket: str, table: str, minute: Minute) -> SealedMinute | str | None:
    """A minute's manifest, what is wrong with it, or None when it is not sealed."""
    key = manifest_of(table, minute)
    try:
        sealed = _read(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    except s3.exceptions.NoSuchKey:
        return None
    except (ValueError, KeyError, TypeError) as e:
        return f"{key} cannot be read: {type(e).__name__}: {e}"
    return sealed if sealed.minute == minute else f"{key} says that it is of {sealed.minute}"


def _read(document: dict[str, Any]) -> SealedMinute:
    objects = [
        ListedObject(
            o["key"], o["partition"], o["start"], o["end"], o["records"], o["bytes"], o["checksum"], o.get("crc32")
        )
        for o in (*document["objects"], *document["rejected_objects"])
    ]
    return SealedMinute(
        Minute.parse(document["minute"]),
        milliseconds(document["sealed_at"]),
        document.get("topic_id"),
        {s["partition"]: (s["start"], s["end"]) for s in document["slices"]},
        {s["partition"]: s["log_end"] for s in document["slices"] if s.get("log_end") is not None},
        {s["partition"]: (s["start"], s["end"]) for s in document["lost"]},
        tuple(objects),
        document["records"],
        document["rejected"],
    )
