"""How long reconciling a day takes: 1,440 minutes of 60 records over 6 partitions, on a real broker and the AWS stand-in.

Each object is read to its end and its bytes hashed, each hour counted by Athena, and the ends of each hour compared with what
Kafka holds. The reference only looks at the objects (HEAD: size and checksum), the least that would tell a damaged one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from confluent_kafka import Consumer, Producer

from benchmarks._common import ROOT, Report, Run, parse, progress, resources
from benchmarks._parts import Parts, parts
from local.stack import AWS_LOGIN
from ticklake.clients.aws import glue
from ticklake.clients.aws.athena import Athena
from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.consumer import READER_CONFIG, TopicReader
from ticklake.core.minute import Hour
from ticklake.core.settings.stream import LandingSettings, Stream, TableSettings, TopicSettings
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.reconcile.hours import Sides, reconcile

DAY = Hour.parse("2026-11-22T00")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PARTITIONS = 6
RECORDS = 60  # a minute


def main() -> None:
    """Land the day, then reconcile it."""
    options = parse(__doc__)
    hours = [DAY.plus(n) for n in range(2 if options.quick else 24)]
    report = Report(
        "reconcile", __doc__, options, minutes=60 * len(hours), records_a_minute=RECORDS, partitions=PARTITIONS
    )
    with parts() as running:
        sides = landed(running, hours)
        contenders = {"HEAD of each object": lambda: head(sides, hours), "reconcile": lambda: compared(sides, hours)}
        report.compare(f"{60 * len(hours):,} minutes", contenders, unit="minutes")
    report.finish()


def landed(running: Parts, hours: Sequence[Hour]) -> Sides:
    """A topic with the hours' records, landed and crawled."""
    topic, bucket = running.topic(PARTITIONS, config={"message.timestamp.type": "CreateTime"}), running.bucket()
    minutes = [minute for hour in (*hours, hours[-1].plus(1)) for minute in hour.minutes()][: 60 * len(hours) + 1]
    producer = Producer({"bootstrap.servers": running.bootstrap, "linger.ms": 20})
    for minute in minutes:
        for n in range(RECORDS):
            value = (
                b'{"Index":"HSI","Date":"1987-01-02","Open":2540.1,"High":2540.1,"Low":2540.1,"Close":2540.1,"Volume":%d}'
                % n
            )
            producer.produce(topic, value, b"HSI", n % PARTITIONS, timestamp=minute.start_ms + n * 1000)
        producer.flush()
    config = Config(retries={"mode": "standard"}, max_pool_connections=10)
    clients = {
        name: boto3.client(name, endpoint_url=running.endpoint, config=config, **AWS_LOGIN)
        for name in ("s3", "glue", "athena")
    }
    stream = Stream(
        TopicSettings(topic, PARTITIONS, 1, 1, 168),
        TableSettings("ticks", "Index"),
        LandingSettings(topic, 64, len(minutes)),
    )
    reader = TopicReader(Consumer({"bootstrap.servers": running.bootstrap, **READER_CONFIG, "group.id": topic}), topic)
    landing = Landing(reader, Lake(clients["s3"], bucket), stream, "bench", None)
    progress(f"landing {len(minutes):,} minutes")
    land(landing, minutes[0], NOW)
    with resources() as took:
        land(landing, minutes[-1], NOW)
    progress(f"landed in {took['seconds']:.1f} s")
    return Sides(landing, *catalogued(clients, bucket))


def catalogued(clients: dict[str, Any], bucket: str) -> tuple[Athena, str, Any, str, str]:
    """A database with the crawled table; what `Sides` takes behind the landing."""
    name = f"bench{uuid4().hex[:12]}"
    clients["glue"].create_database(DatabaseInput={"Name": name})
    clients["glue"].create_crawler(
        Name=name,
        Role="arn:aws:iam::000000000000:role/crawler",
        DatabaseName=name,
        Targets={"S3Targets": [{"Path": f"s3://{bucket}/raw/ticks/"}]},
    )
    glue.crawl(clients["glue"], name)
    sql = Path(ROOT / "include" / "sql" / "reconcile" / "partitions.sql").read_text()
    athena = Athena(clients["athena"], name, "primary", f"s3://{bucket}/athena-results/")
    return athena, sql, clients["glue"], name, name


def compared(sides: Sides, hours: Sequence[Hour]) -> Run:
    """Reconcile; every hour must agree."""
    with resources() as took:
        results = reconcile(sides, hours, NOW)
    assert not [f for r in results for f in (*r.stays, *r.repaired)]
    assert sum(r.counted for r in results) == 60 * RECORDS * len(hours)
    more = {"objects": sum(r.objects for r in results), "MB": sum(r.bytes for r in results) / 1e6}
    return Run(60 * len(hours), took["seconds"], took["cpu_seconds"], took["peak_mib"], more)


def head(sides: Sides, hours: Sequence[Hour]) -> Run:
    """One request an object, without any comparison."""
    lake = sides.landing.lake
    wanted = [e.key for hour in hours for e in lake.list(f"raw/ticks/dt={hour.dt}/hr={hour.hr}/")]
    with resources() as took, ThreadPoolExecutor(8) as pool:
        list(pool.map(lake.head, wanted))
    return Run(60 * len(hours), took["seconds"], took["cpu_seconds"], took["peak_mib"], {"objects": len(wanted)})


if __name__ == "__main__":
    main()
