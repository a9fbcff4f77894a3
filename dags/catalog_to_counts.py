"""
### Counts each touched hour in Athena and compares it with what was landed

Runs after each landed minute, with the minute's hour as its partition key (`2026-11-22T10`, UTC). Once the hour is in the
catalog, Athena answers each file of `include/sql/counts/` for that hour only. The answers are tables in the task's log, on
the asset event, and under `counts/<table>/dt=…/hr=…/`. The last two lines compare them with the manifests:

- `2026-11-22T10, sealed minutes: 10: landed 600 · counted 600 · difference 0`
- `All hours: landed 1,234 · counted 1,234 · difference 0`

A difference that stays fails the task and names the Kafka partitions. The totals add the kept tallies of the other hours, so
the cost does not grow with history; `./ticklake sql "SELECT COUNT(*) FROM …"` counts everything.
To run it by hand: Trigger, *Advanced Options*, the hour as *Partition Key*.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import PartitionedAssetTimetable, StartOfHourMapper, dag

from ticklake.core.minute import MINUTE_FORMAT
from ticklake.orchestration.assets import COUNTED_HOURS, LANDED_MINUTES
from ticklake.orchestration.catalog_to_counts import CountHourOperator


@dag(
    # After landed minutes: one run for each hour that they lie in.
    schedule=PartitionedAssetTimetable(
        assets=LANDED_MINUTES,
        partition_mapper_config={LANDED_MINUTES: StartOfHourMapper(input_format=MINUTE_FORMAT)},
    ),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # Runs that wait for an old hour's crawl cost nothing, and must not keep the newest hour from being counted.
    max_active_runs=100,
    default_args={
        "owner": "ticklake",
        "retries": 3,
        "retry_delay": timedelta(seconds=15),
        # But few may work at a time: landing comes first.
        "max_active_tis_per_dag": 2,
    },
    tags=["ticklake", "counts"],
    doc_md=__doc__,
)
def catalog_to_counts() -> None:
    CountHourOperator(task_id="count_hour", outlets=[COUNTED_HOURS])


catalog_to_counts()
