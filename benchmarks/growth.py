"""What must not grow: a minute after 1 to 10,000 manifests in the bucket; records of 100 B to 100 kB; batches of 20 to 20,000.

Manifests: an empty minute is landed and its stage timed; the reference is a bucket with one manifest. They lie as real ones do,
a minute each, backwards from the minute before. Records: the same 100 MB a minute in records of each size, so the ratio is
of bytes, the reference are records of 100 B. Batches: so many records are taken from librdkafka at once; ours is 500.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from benchmarks import _land_once
from benchmarks._common import Contender, Report, Run, parse
from benchmarks._parts import Parts, parts
from benchmarks._records import fill, padded, past_minute
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.minute import Minute

MANIFESTS = (1, 100, 10_000)
SIZES = (100, 1_000, 10_000, 100_000)
BATCHES = (20, 100, 500, 2_000, 20_000)
PARTITIONS = 6


def with_history(running: Parts, topic: str, minute: Minute, manifests: int) -> tuple[str, Minute]:
    """A bucket in which this minute is sealed, and so many minutes in all up to it."""
    bucket, s3 = running.bucket(), running.s3()
    told = {"bootstrap": running.bootstrap, "endpoint": running.endpoint, "bucket": bucket, "topic": topic}
    _land_once.run(**told, minute=minute.key)
    body = json.loads(s3.get_object(Bucket=bucket, Key=manifest_key("ticks", minute))["Body"].read())

    def put(n: int) -> None:
        earlier = minute.plus(-n)
        copy = {**body, "minute": earlier.key}
        s3.put_object(Bucket=bucket, Key=manifest_key("ticks", earlier), Body=json.dumps(copy).encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(1, manifests)))
    return bucket, minute


def next_minute(running: Parts, topic: str, bucket: str, minute: Minute) -> Run:
    """Land the minute after, and unseal it again."""
    after = minute.plus(1)
    run, _ = _land_once.run(
        bootstrap=running.bootstrap, endpoint=running.endpoint, bucket=bucket, topic=topic, minute=after.key
    )
    running.s3().delete_object(Bucket=bucket, Key=manifest_key("ticks", after))
    return replace(run, work=1, more={})


def landed(running: Parts, topic: str, minute: Minute, **more: int) -> Run:
    """Land a minute into a bucket of its own."""
    bucket = running.bucket()
    told = {"bootstrap": running.bootstrap, "endpoint": running.endpoint, "bucket": bucket, "topic": topic}
    run, _ = _land_once.run(**told, minute=minute.key, **more)
    running.empty(bucket)
    return run


def of_size(running: Parts, topic: str, minute: Minute, size: int) -> Run:
    """Land a minute; the work is its bytes."""
    run = landed(running, topic, minute)
    return replace(run, work=run.work * size / 1e6, more={"records_per_second": run.work / run.seconds})


def main() -> None:
    """Two tables."""
    options = parse(__doc__)
    total = 5_000_000 if options.quick else 100_000_000
    history = MANIFESTS[:2] if options.quick else MANIFESTS
    settings = {"manifests": history, "sizes": SIZES, "batches": BATCHES, "bytes": total, "partitions": PARTITIONS}
    report = Report("growth", __doc__, options, **settings)
    with parts() as running:
        empty, minute = running.topic(PARTITIONS), past_minute()
        buckets = {n: with_history(running, empty, minute, n)[0] for n in history}
        contenders: dict[str, Contender] = {
            f"{n:,} manifests": lambda n=n: next_minute(running, empty, buckets[n], minute)  # type: ignore[misc]
            for n in history
        }
        report.compare("an empty minute after so many", contenders, unit="minutes")
        topics = {}
        for size in SIZES:
            topics[size] = running.topic(PARTITIONS, config={"message.timestamp.type": "CreateTime"})
            count = total // size
            fill(running.bootstrap, topics[size], PARTITIONS, minute, padded(count, size), count)
        contenders = {
            f"{size:,} bytes": lambda size=size: of_size(running, topics[size], minute, size)  # type: ignore[misc]
            for size in SIZES
        }
        report.compare(f"{total / 1e6:,.0f} MB in records of", contenders, unit="MB")
        contenders = {
            f"{batch:,} records": lambda batch=batch: landed(running, topics[SIZES[0]], minute, batch=batch)  # type: ignore[misc]
            for batch in BATCHES
        }
        report.compare(f"{total // SIZES[0]:,} records in batches of", contenders)
    report.finish()


if __name__ == "__main__":
    main()
