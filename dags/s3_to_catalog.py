"""
### Puts each hour's objects into the Glue catalog

Each run has an hour as its partition key (`2026-11-22T10`, UTC). It waits for the hour's first object under
`raw/<table>/dt=…/hr=…/` without holding a worker, and is skipped when the hour ends without one. Then the Glue crawler runs,
once an hour: Athena sees later objects of a known hour with no crawl at all. The run ends with a check that the hour's
partition is in the catalog; when it is missing, or the crawl failed, the crawler runs again, each time after a longer pause.

A crawl covers earlier hours too, so the next hour heals a missed one. Past hours: Trigger, *Backfill*, or
`./ticklake airflow backfill create --dag-id s3_to_catalog --from-date 2026-11-22T08:00 --to-date 2026-11-22T10:00`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronPartitionTimetable, dag

from ticklake.core.minute import HOUR_FORMAT
from ticklake.orchestration.assets import CATALOGUED_HOURS
from ticklake.orchestration.s3_to_catalog import CatalogHourOperator, FirstObjectSensor


@dag(
    # At the beginning of each hour, for this hour.
    schedule=CronPartitionTimetable("0 * * * *", timezone="UTC", run_offset=0, key_format=HOUR_FORMAT),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # Waiting costs nothing: several hours may wait side by side, and share a crawl.
    max_active_runs=8,
    default_args={
        "owner": "ticklake",
        "retries": 5,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
    },
    tags=["ticklake", "catalog"],
    doc_md=__doc__,
)
def s3_to_catalog() -> None:
    first_object = FirstObjectSensor(task_id="wait_for_first_object", poke_interval=5)
    catalog = CatalogHourOperator(task_id="crawl_and_check", poll_interval=2, outlets=[CATALOGUED_HOURS])
    first_object >> catalog


s3_to_catalog()
