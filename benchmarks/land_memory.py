"""Peak memory of the landing process, 1,000 to 10,000,000 records in a minute, 1 to 96 Kafka partitions.

The whole process, Python and its libraries included. The reference is the smallest minute; `peak mib` is what to read.
"""

from __future__ import annotations

import argparse

from benchmarks import _land_once
from benchmarks._common import Report, Run, parse
from benchmarks._parts import Parts, parts
from benchmarks._records import fill, past_minute, ticks
from ticklake.core.minute import Minute

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PARTITIONS = (1, 6, 96)
_LARGE = 10_000_000  # from this size on with one number of partitions: it takes minutes


def landed(running: Parts, topic: str, minute: Minute, count: int) -> Run:
    """Land it once; raises when a record is missing."""
    bucket = running.bucket()
    run, told = _land_once.run(
        bootstrap=running.bootstrap, endpoint=running.endpoint, bucket=bucket, topic=topic, minute=minute.key
    )
    if told["records"] != count:
        raise RuntimeError(f"landed {told['records']} of {count} records")
    running.empty(bucket)
    return run


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--most", type=int, default=SIZES[-1], help="leave out larger minutes (default %(default)s)")


def main() -> None:
    """A table for each number of partitions."""
    options = parse(__doc__, _options)
    most = min(options.rest.most, SIZES[2]) if options.quick else options.rest.most
    sizes = [size for size in SIZES if size <= most]
    report = Report("land_memory", __doc__, options, sizes=sizes, partitions=PARTITIONS, brokers=1, compression="lz4")
    with parts() as running:
        for partitions in PARTITIONS:
            runs: dict[str, list[Run]] = {}
            for size in sizes:
                if size >= _LARGE and partitions != 6:
                    continue
                minute = past_minute()
                topic = running.topic(partitions, config={"message.timestamp.type": "CreateTime"})
                fill(running.bootstrap, topic, partitions, minute, ticks(size), size)
                runs[f"{size:,} records"] = [landed(running, topic, minute, size) for _ in range(options.runs)]
                running.drop_topic(topic)
            report.add(f"{partitions} Kafka partitions", runs)
    report.finish()


if __name__ == "__main__":
    main()
