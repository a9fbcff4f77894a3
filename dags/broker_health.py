"""
### Checks the Kafka cluster, and whether landing keeps up

Each run looks once at: the brokers expected and seen, whether the controller quorum answers, the topic (created when it is
missing), replicas in sync, settings that differ from the stream file, the lag of landing in offsets and minutes, open
transactions that hold records back, and how many records came early or late. A topic that was deleted and created again is a
failure: landing refuses it.

The findings are a table in the task's log, the XCom `findings`, and part of the event of the asset `kafka_topic`. Each is ok, a
warning, or a failure with its remedy; a failure fails the task. Disk space is not checked: Kafka's Python client has no request
for it (`kafka-log-dirs` has).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from ticklake.orchestration.broker_health import check_brokers


@dag(
    schedule="* * * * *",  # each minute
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["ticklake", "kafka"],
    default_args={"owner": "ticklake", "retries": 1, "retry_delay": timedelta(seconds=5)},
)
def broker_health() -> None:
    check_brokers()


broker_health()
