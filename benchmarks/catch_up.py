"""1,440 unsealed minutes of 60 records each, landed by one run: a scheduler that was down for a day.

The reference is what the same would cost as single runs, each in a process of its own as Airflow makes them; it is measured
on a few of these minutes and extrapolated. The rate is minutes per second.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks import _land_once
from benchmarks._common import Report, Run, parse
from benchmarks._parts import Parts, parts
from benchmarks._records import fill_minutes, past_minute, ticks
from ticklake.core.minute import Minute

PARTITIONS, RECORDS = 6, 60


def catch_up(running: Parts, topic: str, first: Minute, minutes: int) -> Run:
    """Seal the first minute, then land all the others in one run; raises when it missed a record."""
    bucket = running.bucket()
    settings = {"bootstrap": running.bootstrap, "endpoint": running.endpoint, "bucket": bucket, "topic": topic}
    _, before = _land_once.run(**settings, minute=first.key)
    run, told = _land_once.run(**settings, minute=first.plus(minutes).key)
    if (before["records"], told["minutes"], told["records"]) != (RECORDS, minutes, minutes * RECORDS):
        raise RuntimeError(f"landed {before['records']} records, then {told['records']} of {told['minutes']} minutes")
    running.empty(bucket)
    return replace(run, work=minutes, more={"objects": told["objects"]})


def single_runs(running: Parts, topic: str, first: Minute, minutes: int) -> Run:
    """A few minutes, each landed by a process of its own."""
    bucket = running.bucket()
    settings = {"bootstrap": running.bootstrap, "endpoint": running.endpoint, "bucket": bucket, "topic": topic}
    runs = [_land_once.run(**settings, minute=first.plus(n).key)[0] for n in range(minutes)]
    running.empty(bucket)
    return Run(
        minutes, sum(r.seconds for r in runs), sum(r.cpu_seconds or 0 for r in runs), max(r.peak_mib or 0 for r in runs)
    )


def main() -> None:
    """Fill a topic with a day, land it."""
    options = parse(__doc__)
    minutes = 60 if options.quick else 1440
    report = Report("catch_up", __doc__, options, minutes=minutes, records=RECORDS, partitions=PARTITIONS, brokers=1)
    with parts() as running:
        topic, first = (
            running.topic(PARTITIONS, config={"message.timestamp.type": "CreateTime"}),
            past_minute(minutes + 10),
        )
        fill_minutes(running.bootstrap, topic, PARTITIONS, first, minutes + 1, ticks((minutes + 1) * RECORDS))
        lengths = [n for n in (1, 10, 100) if n < minutes]
        report.compare(
            "how it grows with the outage",
            {f"{n:,} minutes": lambda n=n: catch_up(running, topic, first, n) for n in lengths},  # type: ignore[misc]
            unit="minutes",
        )
        report.compare(
            f"{minutes:,} minutes of {RECORDS} records",
            {
                "a run and a process each (extrapolated)": lambda: single_runs(running, topic, first, 5),
                "one run": lambda: catch_up(running, topic, first, minutes),
            },
            unit="minutes",
        )
    report.finish()


if __name__ == "__main__":
    main()
