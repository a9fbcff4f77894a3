"""A re-run of a sealed minute with nothing damaged: a look at each object, nothing read from Kafka.

The reference is the first landing of the same minute (200,000 records, 6 partitions) in the same process.
"""

from __future__ import annotations

from benchmarks import _land_once
from benchmarks._common import Report, Run, parse
from benchmarks._parts import parts
from benchmarks._records import fill, past_minute, ticks

PARTITIONS = 6
_AGAIN = 10


def main() -> None:
    """Land a minute in a new bucket each round, then again and again."""
    options = parse(__doc__)
    count = 20_000 if options.quick else 200_000
    report = Report("reseal", __doc__, options, records=count, partitions=PARTITIONS, brokers=1)
    first: list[Run] = []
    again: list[Run] = []
    with parts() as running:
        minute, topic = past_minute(), running.topic(PARTITIONS, config={"message.timestamp.type": "CreateTime"})
        fill(running.bootstrap, topic, PARTITIONS, minute, ticks(count), count)
        for _ in range(options.runs):
            bucket = running.bucket()
            _, told = _land_once.run(
                bootstrap=running.bootstrap, endpoint=running.endpoint, bucket=bucket, topic=topic, minute=minute.key,
                times=1 + _AGAIN,
            )  # fmt: skip
            first.append(Run(1, told["seconds"][0]))
            again.append(Run(1, sum(told["seconds"][1:]) / _AGAIN))
            running.empty(bucket)
    report.add(f"a minute of {count:,} records", {"first landing": first, "again": again}, unit="minutes")
    report.finish()


if __name__ == "__main__":
    main()
