"""The check of the Kafka cluster as an Airflow task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import task

from ticklake.orchestration.assets import KAFKA_TOPIC
from ticklake.orchestration.checked import checked_settings, fails_at_once


@task(outlets=[KAFKA_TOPIC])
@fails_at_once
def check_brokers(**context: Any) -> list[dict[str, str]]:
    """Create the topic if it is missing, look at the cluster, fail with the remedies if it is not healthy.

    The findings are logged as a table, returned, and stored on the asset's event; XCom ``findings`` has them also when
    the task fails.
    """
    from ticklake.core.landing.manifest import Manifest
    from ticklake.core.minute import Minute
    from ticklake.core.proof.broker_health import require_healthy
    from ticklake.orchestration.cluster_hooks import ClusterHook
    from ticklake.orchestration.lake_hook import lake_of
    from ticklake.stages.broker_health import look_at_cluster, newest_manifests

    settings, stream = checked_settings(context, "aws_health", "kafka_health")

    def newest_sealed() -> tuple[Manifest, ...]:
        now = Minute.containing(datetime.now(UTC))
        return newest_manifests(lake_of(settings.aws_health, settings.bucket), stream.table.name, now)

    findings = look_at_cluster(ClusterHook(settings.kafka_health).get_conn, stream, newest_sealed)
    rows = [f.to_dict() for f in findings]
    context["ti"].xcom_push(key="findings", value=rows)
    require_healthy(findings)
    context["outlet_events"][KAFKA_TOPIC].extra = {"findings": rows}
    return rows
