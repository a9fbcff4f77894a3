"""
### Lands or verifies a range of minutes or hours, in one task an hour

The Trigger form takes both ends of the range, each a minute (`2026-11-22T10:05`) or an hour (`2026-11-22T10`, all its
minutes), UTC, both included. A day is 24 tasks, not 1,440 runs. Each task goes through its minutes, oldest first, by the rules
of `kafka_to_s3`:

- It lands and seals a minute that is not sealed, between its neighbours, without a gap or an overlap.
- In a sealed minute it checks each object and writes a missing or damaged one again from the same offsets, to the same bytes. A
  deleted `dt=…/hr=…` folder of `raw/` or `rejected/` comes back as long as Kafka has its offsets or the bucket its versions.
- It names what neither has, lands the other minutes all the same, and fails.

Each sealed minute emits an asset event, so its hour is counted again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

from ticklake.orchestration.assets import LANDED_MINUTES
from ticklake.orchestration.reland import PARAMS


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"owner": "ticklake", "retries": 3, "retry_delay": timedelta(seconds=15)},
    tags=["ticklake", "stream"],
    doc_md=__doc__,
    params=PARAMS,
)
def reland() -> None:
    @task
    def hours(**context: Any) -> list[str]:
        from ticklake.orchestration.reland import hours_of_range

        return hours_of_range(context)

    # Few at a time: the live minute comes first, and an hour's first minute may have to catch up what lies before it.
    @task(outlets=[LANDED_MINUTES], max_active_tis_per_dagrun=2)
    def land_hour(hour: str, **context: Any) -> dict[str, Any]:
        from ticklake.orchestration.reland import reland_hour

        return reland_hour(context, hour)

    land_hour.expand(hour=hours())


reland()
