"""Whose object is this? Under a minute's prefix in `raw/` and `rejected/` lies what its manifest lists, and nothing else.

What the manifest does not list is

* a *leftover*, where its key names the minute and the minute has just been sealed: an attempt that was killed, or lost the
  seal, wrote it, and the manifest's objects hold its records. Landing deletes it after the seal: before, a twin might win;
* an *orphan*, where it is found later, or where its key is not one of ours: nobody knows who wrote it. Landing leaves it alone;
  reconcile moves it to `quarantine/`, so nothing is lost.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey, hour_prefix, minute_prefix
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of

log = logging.getLogger(__name__)

# As long as a landing may take before Airflow ends it; what an attempt that wakes later writes is an orphan.
_LATE_MINUTES = 30
_CLOCKS = timedelta(seconds=10)  # by which S3's clock may be behind


def delete_leftovers(landing: Landing, manifest: Manifest, found: set[str] | None = None) -> None:
    """Remove what attempts that were killed have left under a minute's prefix; only after sealing: a twin might win.

    ``found`` are keys under that prefix, as far as they are known; None: they are listed.
    """
    if found is None:
        prefixes = [minute_prefix(zone, landing.table, manifest.minute) for zone in (RAW, REJECTED)]
        found = {entry.key for prefix in prefixes for entry in landing.lake.list(prefix)}
    leftovers = found - manifest.keys
    if leftovers:
        log.warning("%s: removing leftovers of an attempt that ended early: %s", manifest.minute, sorted(leftovers))
        landing.lake.delete(leftovers)


def delete_late_leftovers(landing: Landing, previous: Manifest) -> None:
    """Remove what came under sealed minutes after they were sealed, as far back as an attempt may still have run.

    A loser of a seal, or one that slept, may have died before it cleaned up. Under the newest sealed minute everything is
    looked at; under those before it what was written when they had been looked at already. So it costs one listing of some
    minutes a zone, and a manifest is read only where something late is found.
    """
    last, first = previous.minute, previous.minute.plus(-_LATE_MINUTES)
    found: dict[Minute, set[str]] = {}
    for zone in (RAW, REJECTED):
        for hour in sorted({first.hour, last.hour}):
            after = minute_prefix(zone, landing.table, first) if hour == first.hour else ""
            for entry in landing.lake.list(hour_prefix(zone, landing.table, hour), start_after=after):
                with suppress(LakeError):  # an orphan: reconcile reports it
                    minute = ObjectKey.parse(entry.key).minute
                    if minute > last:
                        break
                    if minute == last or entry.modified >= minute.plus(2).start - _CLOCKS:
                        found.setdefault(minute, set()).add(entry.key)
    for minute, keys in found.items():
        sealed = previous if minute == last else manifest_of(landing.lake, landing.table, minute)
        if sealed:
            delete_leftovers(landing, sealed, keys)


def leftovers_by_minute(landing: Landing, minute: Minute) -> dict[Minute, set[str]]:
    """The keys under the prefixes of this hour's minutes: in a catch-up two listings an hour, not a minute."""
    found: dict[Minute, set[str]] = {m: set() for m in minute.hour.minutes()}
    for zone in (RAW, REJECTED):
        for entry in landing.lake.list(hour_prefix(zone, landing.table, minute.hour)):
            with suppress(LakeError):  # an orphan: reconcile reports it
                found[ObjectKey.parse(entry.key).minute].add(entry.key)
    return found
