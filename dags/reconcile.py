"""
### Compares Kafka, manifests, objects and Athena for each hour that is over

Runs ten minutes after each hour, with the hour as its partition key (`2026-11-22T10`, UTC). It checks that consecutive
manifests touch; that the objects in S3 are exactly those of the manifests, byte for byte, with as many lines; that Athena
counts as many rows, each Kafka offset once; and that what Kafka still holds at both ends is what lies in S3.

Differences are a table in the task's log, the XCom `findings`, and `reconciled/<table>/dt=…/hr=….json`. An object that no
manifest lists moves to `quarantine/`, a missing or damaged one is written again from Kafka or from the bucket's versions, and
an hour that Athena does not see is crawled. A difference that stays fails the task and names its remedy.
The kinds of findings: `docs/reconcile.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronPartitionTimetable, dag, task

from ticklake.core.minute import HOUR_FORMAT
from ticklake.orchestration.assets import RECONCILED_HOURS
from ticklake.orchestration.reconcile import PARAMS


@dag(
    # Ten minutes past each hour, for the hour before: its last minute is landed, its crawl is over.
    schedule=CronPartitionTimetable("10 * * * *", timezone="UTC", run_offset=-1, key_format=HOUR_FORMAT),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"owner": "ticklake", "retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["ticklake", "proof"],
    doc_md=__doc__,
    params=PARAMS,
)
def reconcile() -> None:
    @task(outlets=[RECONCILED_HOURS])
    def compare_and_repair(**context: Any) -> dict[str, Any]:
        from ticklake.orchestration.reconcile import reconcile_hours

        return reconcile_hours(context)

    compare_and_repair()


reconcile()
