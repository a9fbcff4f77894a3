"""
### The producer: sends rows of the CSV to the Kafka topic at a set rate, all the time

A run lasts an hour, then the next one starts; a run that you trigger takes over within seconds. The Trigger form sets rate,
order and length, or sends one record that you type: the console producer of the tutorials.

Any CSV with a header will do (`TICKLAKE_CSV`). The log of `produce` shows how the file was read; a value that does not fit is
an error with file, line and column before anything is sent. The task starts only after a passing check of the cluster.
Records are keyed by `Index`, or by the column that `TICKLAKE_CSV_KEY` names, so records with the same key stay in order. All
in-sync replicas confirm each record; a record without confirmation fails the task.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from ticklake.orchestration.broker_health import check_brokers
from ticklake.orchestration.csv_to_kafka import PARAMS, CsvToKafkaOperator


@dag(
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["ticklake", "kafka"],
    default_args={"owner": "ticklake", "retries": 2, "retry_delay": timedelta(seconds=20)},
    params=PARAMS,
)
def csv_to_kafka() -> None:
    check_brokers() >> CsvToKafkaOperator(task_id="produce")


csv_to_kafka()
