"""Replaying the file into Kafka as fast as it goes: idempotent, acks=all, lz4, murmur2, three brokers.

The reference is Kafka's own ProducerPerformance with the same settings, size of a batch included, and the file's own rows as
payloads. It sends them without keys, so it can fill one batch after the other; ours go to the Kafka partitions of thirteen
keys. Each rate is that of its producer, from the first record to the last confirmation; CPU and memory are those of the whole
process, start included. Ours reads and serialises the file's rows within that time, in its first second; Java's reads its
payloads before.

The last contender replays a file that is read only once, so every row of it is parsed and serialised.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from pathlib import Path

from benchmarks import _produce_once
from benchmarks._common import ROOT, Report, Run, parse, progress
from benchmarks._parts import Parts, kafka_tool, parts
from ticklake.clients.kafka.producer import PRODUCER_CONFIG
from ticklake.core.sample.rows import to_json
from ticklake.core.sample.table import read_table

PARTITIONS = 6
BROKERS = 3
_FILE = ROOT / "include" / "data" / "indexProcessed.csv"
# What librdkafka has by default or ours sets. Java's own batches of 16 kB make it less than half as fast.
_AS_OURS = {"batch.size": "1000000", "buffer.memory": str(PRODUCER_CONFIG["queue.buffering.max.kbytes"] * 1024)}
_LAST_LINE = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


def main() -> None:
    """Start three brokers, let them take turns."""
    options = parse(__doc__, _options)
    count = 100_000 if options.quick else options.rest.records
    seconds = 2 if options.quick else options.rest.seconds
    settings = {"records": count, "seconds": seconds, "partitions": PARTITIONS, "brokers": BROKERS}
    report = Report("produce", __doc__, options, **settings, producer=dict(PRODUCER_CONFIG))
    with parts(BROKERS) as running:
        payloads, large = running.folder / "payloads", running.folder / "large.csv"
        table = read_table(_FILE)
        assert table is not None
        payloads.write_bytes(b"\n".join(map(to_json, table.ticks())))
        progress(f"making a file of {count:,} rows")
        header, *rows = _FILE.read_text(encoding="utf-8").splitlines()
        with large.open("w", encoding="utf-8") as out:
            out.write(f"{header}\n")
            out.writelines(f"{row}\n" for row in islice(cycle(rows), count))

        def replay(file: Path, seconds: float, endless: bool) -> Callable[[], Run]:
            return lambda: _to_new_topic(
                running,
                lambda topic: _produce_once.run(
                    bootstrap=running.bootstrap, topic=topic, file=str(file), seconds=seconds, endless=endless
                ),
            )

        def java_producer(more: Mapping[str, str]) -> Callable[[], Run]:
            return lambda: _to_new_topic(
                running, lambda topic: producer_performance(running, topic, payloads, count, more)
            )

        report.compare(
            "replay at full speed",
            {
                "Kafka's ProducerPerformance": java_producer(_AS_OURS),
                "the same with Java's batches": java_producer({}),
                "Ticklake, the file over and over": replay(_FILE, seconds, endless=True),
                f"Ticklake, {count:,} rows read once": replay(large, 600, endless=False),
            },
        )
        lengths = {f"{part:g} s": replay(_FILE, part, endless=True) for part in (seconds / 3, seconds, 2 * seconds)}
        report.compare("memory of longer runs", lengths, runs=1)
    report.finish()


def producer_performance(running: Parts, topic: str, payloads: Path, count: int, more: Mapping[str, str]) -> Run:
    """Kafka's own producer benchmark with our settings; raises when it did not send all."""
    properties = {
        "bootstrap.servers": running.bootstrap,
        "enable.idempotence": "true",
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": str(PRODUCER_CONFIG["linger.ms"]),
        **more,
    }
    whole, text = kafka_tool(
        "producer-perf-test", "--topic", topic, "--num-records", str(count), "--payload-file", payloads,
        "--throughput", "-1", "--command-property", *(f"{name}={value}" for name, value in properties.items()), work=count,
    )  # fmt: skip
    sent, rate = _LAST_LINE.findall(text)[-1]
    if int(sent) != count:
        raise RuntimeError(f"ProducerPerformance sent {sent} of {count} records:\n{text[-2000:]}")
    return Run(count, count / float(rate), whole.cpu_seconds, whole.peak_mib)


def _to_new_topic(running: Parts, produce: Callable[[str], Run]) -> Run:
    topic = running.topic(PARTITIONS, BROKERS)
    try:
        return produce(topic)
    finally:
        running.drop_topic(topic)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=1_000_000, help="of ProducerPerformance, and rows read once")
    parser.add_argument("--seconds", type=float, default=30, help="length of our endless runs")


if __name__ == "__main__":
    main()
