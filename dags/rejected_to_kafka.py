"""
### Produces rejected records to the topic again, each once: `redrive`

For records that were rejected by rules that have changed since, such as those of an older Ticklake. You start it by hand. The
Trigger form asks for the minutes and the reason. A dry run, the default, only reports what it would send.

Each record goes to the Kafka partition that it came from, with key, value and headers as they were and one more header,
`ticklake-redriven: <partition>/<offset>` of the original; it lands in the minute in which it arrives. What was sent is
remembered under `redriven/`, so another run, a retry or a twin does not send it again. A record that today's rules would reject
again stays, unless you ask for all. The log ends with a table by reason.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

from ticklake.orchestration.rejected_to_kafka import PARAMS, redrive_records


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # A second run would bar the first one from writing.
    max_active_runs=1,
    doc_md=__doc__,
    tags=["ticklake", "kafka"],
    default_args={"owner": "ticklake", "retries": 2, "retry_delay": timedelta(seconds=20)},
    params=PARAMS,
)
def rejected_to_kafka() -> None:
    @task
    def redrive(**context: Any) -> dict[str, Any]:
        return redrive_records(context)

    redrive()


rejected_to_kafka()
