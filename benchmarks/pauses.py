"""Landing that stood still for a week or a month: what lies between is landed, or its loss is written down, in pieces.

Each pause begins with a sealed minute; ten records come in its second minute, ten in its last hour. `dropped`: Kafka has
forgotten the first ten. A run lands at most 1,440 minutes, so a month takes thirty; each is a process of its own. Every minute
is sealed at the end, or the benchmark fails. The reference is a day. The rate is minutes per second.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks import _land_once
from benchmarks._common import Report, Run, parse
from benchmarks._parts import Parts, parts
from benchmarks._records import past_minute, ticks
from tests.support import dated_records
from ticklake.core.minute import Minute

_DAY, _HOUR = 24 * 60, 60
_RECORDS = 10


def pause(running: Parts, minutes: int, dropped: bool = False) -> Run:
    """Land the minute before the pause, then go on behind it until everything is sealed."""
    topic = running.topic(1, config={"message.timestamp.type": "CreateTime"})
    bucket, first = running.bucket(), past_minute(minutes + 10)
    last = first.plus(minutes)
    settings = {"bootstrap": running.bootstrap, "endpoint": running.endpoint, "bucket": bucket, "topic": topic}
    _land_once.run(**settings, minute=first.key)
    for minute in (first.plus(1), last.plus(-_HOUR // 2)):
        records = [(minute.start_ms + n, tick) for n, tick in enumerate(ticks(_RECORDS))]
        dated_records.produce(running.bootstrap, topic, 0, records)
    if dropped:
        admin = AdminClient({"bootstrap.servers": running.bootstrap})
        for future in admin.delete_records([TopicPartition(topic, 0, _RECORDS)]).values():
            future.result(60)
    began, runs, cpu = time.monotonic(), 0, 0.0
    while not _is_sealed(running, bucket, last):
        run, _ = _land_once.run(**settings, minute=last.key)
        runs, cpu = runs + 1, cpu + (run.cpu_seconds or 0)
        if runs > minutes // _DAY + 2:
            raise RuntimeError(f"{runs} runs, and {last} is not sealed")
    seconds = time.monotonic() - began
    rows, lost = _sealed(running, bucket, minutes)
    if (rows, lost) != ((_RECORDS, _RECORDS) if dropped else (2 * _RECORDS, 0)):
        raise RuntimeError(f"{rows} rows and {lost} lost offsets")
    running.empty(bucket)
    running.drop_topic(topic)
    return replace(Run(minutes, seconds, cpu), more={"runs": runs, "lost": lost})


def _is_sealed(running: Parts, bucket: str, minute: Minute) -> bool:
    key = f"manifests/ticks/dt={minute.start:%Y-%m-%d}/{minute.start:%H%M}.json"
    return bool(running.s3().list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"))


def _sealed(running: Parts, bucket: str, minutes: int) -> tuple[int, int]:
    """Rows and lost offsets of all manifests; raises unless there is one for each minute."""
    s3, found, rows, lost = running.s3(), 0, 0, 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="manifests/ticks/"):
        for entry in page.get("Contents", ()):
            found += 1
            manifest = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
            rows += manifest["records"]
            lost += sum(s["end"] - s["start"] for s in manifest["lost"])
    if found != minutes + 1:
        raise RuntimeError(f"{found} of {minutes + 1} minutes are sealed")
    return rows, lost


def main() -> None:
    """Play each pause."""
    options = parse(__doc__)
    week, month = (2 * _DAY, 3 * _DAY) if options.quick else (7 * _DAY + _HOUR, 30 * _DAY)
    report = Report("pauses", __doc__, options, records=2 * _RECORDS, partitions=1, brokers=1)
    with parts() as running:
        report.compare(
            "a pause, until every minute is sealed",
            {
                "a day": lambda: pause(running, _DAY),
                "7 days and an hour": lambda: pause(running, week),
                "7 days and an hour, dropped": lambda: pause(running, week, dropped=True),
                "30 days": lambda: pause(running, month),
                "30 days, dropped": lambda: pause(running, month, dropped=True),
            },
            unit="minutes",
            runs=1,
        )
    report.finish()


if __name__ == "__main__":
    main()
