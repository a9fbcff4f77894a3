"""The task of ``reconcile``: wires the stage to Airflow's connections, announces the hours that agree, fails for the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from ticklake.core.errors import LakeError
from ticklake.core.landing.minute_range import PATTERN
from ticklake.core.landing.object_key import ATHENA_RESULTS, reconciled_key
from ticklake.orchestration.assets import RECONCILED_HOURS
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.partition_keys import hours_of

PARAMS = {
    "from": Param(
        None,
        type=["null", "string"],
        pattern=PATTERN,
        title="From",
        description="First hour of a range, 2026-11-22T10 (UTC); empty: the run's key, else the newest hour that is over.",
    ),
    "to": Param(None, type=["null", "string"], pattern=PATTERN, title="To", description="Last hour of the range."),
    "repair": Param(
        True,
        type="boolean",
        title="Repair",
        description="Move orphan objects to quarantine/, restore missing and damaged ones, crawl what Athena does not see.",
    ),
}


@fails_at_once
def reconcile_hours(context: Mapping[str, Any]) -> dict[str, Any]:
    """Reconcile the run's hours; returns the findings, for the UI. XCom ``findings`` has them also when the task fails.

    Raises:
        LakeError: differences stay that time may heal: a retry looks again.
        AirflowFailException: differences stay that a retry would find again.
    """
    # Imported here: each of these costs the DAG's parsing tenths of a second.
    from airflow.providers.amazon.aws.hooks.athena import AthenaHook
    from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook

    from ticklake.clients.aws.athena import Athena
    from ticklake.core.proof.reconciled import require_agreement, time_may_heal
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.reconcile.hours import Sides, reconcile

    settings, _ = checked_settings(context, "aws_reconcile", "kafka_reconcile")
    hours = hours_of(context)
    output = f"s3://{settings.bucket}/{ATHENA_RESULTS}/"
    client = AthenaHook(aws_conn_id=settings.aws_reconcile).get_conn()
    with open_landing(context, "aws_reconcile", "kafka_reconcile") as landing:
        sides = Sides(
            landing=landing,
            athena=Athena(client, settings.glue_database, settings.workgroup, output),
            sql=(settings.sql / "reconcile" / "partitions.sql").read_text(encoding="utf-8"),
            glue=GlueCatalogHook(aws_conn_id=settings.aws_reconcile).get_conn(),  # type: ignore[no-untyped-call]
            database=settings.glue_database,
            crawler=settings.crawler,
        )
        results = reconcile(sides, hours, datetime.now(UTC), repair=bool(context["params"].get("repair", True)))
    summary = {
        "hours": [r.hour.key for r in results],
        "said": [str(r) for r in results],
        "repaired": [f"{f.kind}: {f.subject}: {f.remedy}" for r in results for f in r.repaired],
        "stays": [f"{f.kind}: {f.subject}: {f.seen}" for r in results for f in r.stays],
    }
    context["ti"].xcom_push(key="findings", value=summary)
    try:
        require_agreement(results)
    except LakeError as e:
        if time_may_heal(results):
            raise
        raise AirflowFailException(str(e)) from e
    event = context["outlet_events"][RECONCILED_HOURS]
    event.extra = {**summary, "stored": reconciled_key(landing.table, results[-1].hour)}
    event.add_partitions(summary["hours"])
    return summary
