"""
### Lands one minute of the topic in S3, exactly once

Each run has a minute as its partition key (`2026-11-22T10:05`, UTC). It takes the offsets of that minute from every Kafka
partition, writes them under `raw/<table>/dt=…/hr=…/`, and seals them with a manifest under `manifests/<table>/`.
It first lands earlier minutes that are not sealed yet, so one run heals an outage.

A run of a sealed minute (retry, backfill, clear) changes nothing: it checks that all objects are there and writes a missing
or damaged one again, from the same offsets or from the bucket's versions where Kafka no longer has them. It never replaces an
object with less. Records that cannot become rows are kept under `rejected/`.
To run it by hand: Trigger, *Advanced Options*, the minute as *Partition Key*; or *Backfill* for a range of minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronPartitionTimetable, Param, dag

from ticklake.core.minute import MINUTE_FORMAT
from ticklake.orchestration.kafka_to_s3 import landing


@dag(
    # Every minute, for the minute before.
    schedule=CronPartitionTimetable("* * * * *", timezone="UTC", run_offset=-1, key_format=MINUTE_FORMAT),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # A second run may pass a stuck one: landing is safe for twins, and the run after an outage does all the work.
    max_active_runs=2,
    default_args={
        "owner": "ticklake",
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["ticklake", "stream"],
    doc_md=__doc__,
    params={
        "force": Param(
            False,
            type="boolean",
            title="Write all objects again",
            description="For a sealed minute: read its offsets from Kafka again and rewrite every object, whole or not.",
        )
    },
)
def kafka_to_s3() -> None:
    landing()


kafka_to_s3()
