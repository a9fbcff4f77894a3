"""How old a record is before it is in S3 and in Athena's count, under the real scheduler.

Start the stack first (`./ticklake up`). For each rate the producer runs that fast for `--minutes N` (default 10). *Sealed* is
the time from a minute's end to its manifest, *counted* to the moment when the kept totals of Athena's counts hold it. The rate
is minutes per second, so the seconds are what to read; the reference is the slower stream.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from benchmarks._airflow import api
from benchmarks._common import Report, Run, parse, progress
from local import aws_stand_in
from local.home import Home
from local.lake import counted
from local.stack import Stack
from ticklake.clients.aws.s3 import Lake
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import manifest_minute
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import Stream
from ticklake.stages.manifest_store import manifest_of

RATES = (1, 5000)
_EVERY = 0.5  # seconds between looks


class Watch:
    """Looks at the bucket: which minutes are sealed, how many records are counted."""

    def __init__(self, lake: Lake, table: str) -> None:
        self._lake, self._table = lake, table
        self.manifests: dict[Minute, Manifest] = {}
        self.counted_at: dict[Minute, float] = {}

    def look(self) -> None:
        """Take what is new."""
        known = max(self.manifests, default=None)
        after = "" if known is None else f"manifests/{self._table}/dt={known.start:%Y-%m-%d}/{known.start:%H%M}.json"
        for entry in self._lake.list(f"manifests/{self._table}/", start_after=after):
            minute = manifest_minute(entry.key)
            manifest = manifest_of(self._lake, self._table, minute)
            if manifest is not None:
                self.manifests[minute] = manifest
        total, now, sealed = counted(self._lake, self._table).records, time.time(), 0
        for minute in sorted(self.manifests):
            sealed += self.manifests[minute].records
            if sealed <= total:
                self.counted_at.setdefault(minute, now)

    def ages(self, first: Minute, last: Minute) -> tuple[list[Run], list[Run]]:
        """Seconds from each minute's end to its seal, and to its count; raises when one is missing."""
        sealed, counts = [], []
        minute = first
        while minute <= last:
            if minute not in self.counted_at:
                raise RuntimeError(f"{minute} was not counted in time")
            at = datetime.fromisoformat(self.manifests[minute].sealed_at).timestamp()
            sealed.append(Run(1, at - minute.end_ms / 1000, more={"records": self.manifests[minute].records}))
            counts.append(Run(1, self.counted_at[minute] - minute.end_ms / 1000))
            minute = minute.plus(1)
        return sealed, counts


def produce(api: httpx.Client, rate: float) -> str:
    """Start a producer of that rate; it takes over from the one that runs. Returns the run's id."""
    answer = api.post("/dags/csv_to_kafka/dagRuns", json={"logical_date": None, "conf": {"rate": rate}})
    return str(answer.raise_for_status().json()["dag_run_id"])


def at_rate(api: httpx.Client, watch: Watch, rate: float, minutes: int) -> tuple[list[Run], list[Run]]:
    """Let it run; the minute in which the rate changes is left out."""
    run = produce(api, rate)
    try:
        first = Minute.containing(datetime.now(UTC)).plus(2)
        last = first.plus(minutes - 1)
        progress(f"{rate} records/s: {first} to {last}")
        while time.time() < last.end_ms / 1000 + 120 and last not in watch.counted_at:
            watch.look()
            time.sleep(_EVERY)
    finally:
        api.patch(f"/dags/csv_to_kafka/dagRuns/{run}", json={"state": "failed"}).raise_for_status()
    return watch.ages(first, last)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=int, help="how long at each rate (default 10)")


def main() -> None:
    """Watch the running stack at both rates."""
    options = parse(__doc__, _options)
    stack = Stack(Home.from_env())
    if not all(stack.alive(name) for name in stack.addresses()):
        raise SystemExit("The stack does not run, or not all of it. Start it: ./ticklake up")
    minutes = options.rest.minutes or (2 if options.quick else 10)
    report = Report("freshness", __doc__, options, minutes=minutes, rates=RATES, brokers=len(stack.brokers()))
    lake = Lake(aws_stand_in.client(stack, "s3"), stack.bucket)
    watch = Watch(lake, Stream.from_toml(stack.stream).table.name)
    sealed: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    with api(stack) as airflow:
        for rate in RATES:
            sealed[f"{rate:,} records/s"], counts[f"{rate:,} records/s"] = at_rate(airflow, watch, rate, minutes)
    report.add("sealed after the minute's end", sealed, unit="minutes")
    report.add("counted in Athena after the minute's end", counts, unit="minutes")
    report.finish()


if __name__ == "__main__":
    main()
