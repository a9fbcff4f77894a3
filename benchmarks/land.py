"""One minute of 2,000,000 records into S3: consume, check, splice, gzip, upload, seal, in one process.

The reference is Kafka's own ConsumerPerformance, which reads the same topic and drops what it read; its rate is the one that it
prints without the time to join its group. CPU is that of the whole process, start included, on both sides.

With `--peers` also (installed once, in an environment of their own): the loop of the Airflow provider's
ConsumeFromTopicOperator with an S3 object per batch, quixstreams' S3FileSink, and the loop of the tutorials (one object
a record, 2,000 records, extrapolated). They are slow: each reads a part of the topic, and runs once a round.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks import _land_once
from benchmarks._common import ROOT, Contender, Report, Run, measured, parse
from benchmarks._parts import Parts, kafka_tool, parts
from benchmarks._records import fill, past_minute, ticks
from local import environments
from local.home import Home

PARTITIONS = 6
_CONSUMER_PERFORMANCE = "Kafka's ConsumerPerformance"


def consumer_performance(running: Parts, topic: str, count: int) -> Run:
    """Kafka's own consumer benchmark; raises when it did not read all."""
    whole, text = kafka_tool(
        "consumer-perf-test", "--bootstrap-server", running.bootstrap, "--topic", topic, "--num-records", str(count),
        "--timeout", "30000", work=count,
    )  # fmt: skip
    names, figures = (line.split(", ") for line in text.splitlines() if line.count(", ") > 5)
    told = dict(zip(names, figures, strict=True))
    if int(told["data.consumed.in.nMsg"]) < count:
        raise RuntimeError(f"ConsumerPerformance read {told['data.consumed.in.nMsg']} of {count} records")
    return Run(count, int(told["fetch.time.ms"]) / 1000, whole.cpu_seconds, whole.peak_mib)


def ticklake(running: Parts, topic: str, minute: str, count: int) -> Run:
    """Our own stage, into a bucket of its own; raises when a record is missing."""
    bucket = running.bucket()
    run, told = _land_once.run(
        bootstrap=running.bootstrap, endpoint=running.endpoint, bucket=bucket, topic=topic, minute=minute
    )
    if told["records"] != count:
        raise RuntimeError(f"landed {told['records']} of {count} records")
    running.empty(bucket)
    return run


def peer(running: Parts, python: Path, name: str, topic: str, count: int) -> Run:
    """One of the others."""
    bucket = running.bucket()
    asked = {
        "bootstrap": running.bootstrap,
        "endpoint": running.endpoint,
        "bucket": bucket,
        "topic": topic,
        "records": count,
    }
    env = os.environ | {"AIRFLOW_HOME": str(running.folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    whole, text = measured(
        [python, ROOT / "benchmarks" / "_peers.py", name, json.dumps(asked)], count, env, cwd=running.folder
    )
    running.empty(bucket)
    return Run(count, json.loads(text.splitlines()[-1])["seconds"], whole.cpu_seconds, whole.peak_mib)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peers", action="store_true", help="also what else one would use")
    parser.add_argument("--records", type=int, default=2_000_000)


def main() -> None:
    """Fill a topic, let them take turns."""
    options = parse(__doc__, _options)
    count = 100_000 if options.quick else options.rest.records
    report = Report("land", __doc__, options, records=count, partitions=PARTITIONS, brokers=1, compression="lz4")
    with parts() as running:
        minute, topic = past_minute(), running.topic(PARTITIONS, config={"message.timestamp.type": "CreateTime"})
        fill(running.bootstrap, topic, PARTITIONS, minute, ticks(count), count)
        contenders: dict[str, Contender] = {
            _CONSUMER_PERFORMANCE: lambda: consumer_performance(running, topic, count),
            "Ticklake": lambda: ticklake(running, topic, minute.key, count),
        }
        report.compare(f"a minute of {count:,} records", contenders)
        if options.rest.peers:
            home = Home.from_env()
            environments.prepare(home, ["bench"])
            others = environments.python(home, "bench")
            some = min(count, 100_000)
            report.compare(
                "what else one would use",
                {
                    "Ticklake": contenders["Ticklake"],
                    "Airflow provider's ConsumeFromTopicOperator": lambda: peer(
                        running, Path(sys.executable), "airflow_provider", topic, some
                    ),
                    "quixstreams' S3FileSink": lambda: peer(running, others, "quixstreams", topic, some),
                    "tutorial: an object a record": lambda: peer(running, others, "tutorial", topic, min(count, 2_000)),
                },
            )
    report.finish()


if __name__ == "__main__":
    main()
