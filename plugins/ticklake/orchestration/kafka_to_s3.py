"""The task of ``kafka_to_s3``: wires the stage to Airflow's connections and announces the minutes that it sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from ticklake.core.errors import LostOffsetsError
from ticklake.orchestration.assets import LANDED_MINUTES
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.run_key import minute_of


@fails_at_once
def land_minute(context: Mapping[str, Any]) -> dict[str, Any]:
    """Land the run's minute; returns what was sealed, for the UI.

    Raises:
        AirflowFailException: offsets were lost: the minute is sealed with its loss, a retry would change nothing.
    """
    # Imported here: each of these costs the DAG's parsing tenths of a second.
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.kafka_to_s3 import land

    settings, stream = checked_settings(context, "aws_landing", "kafka_landing")
    minute = minute_of(context)
    parts = (settings.aws_landing, settings.kafka_landing)
    with open_landing(settings.bucket, stream, context["run_id"], *parts) as landing:
        try:
            landed = land(landing, minute, datetime.now(UTC), force=bool(context["params"].get("force")))
        except LostOffsetsError as e:
            raise AirflowFailException(str(e)) from e
    minutes = [m.minute.key for m in landed.manifests]
    summary = {
        "minutes": minutes,
        "records": sum(m.records for m in landed.manifests),
        "rejected": sum(m.rejected for m in landed.manifests),
        "rewritten": list(landed.rewritten),
    }
    event = context["outlet_events"][LANDED_MINUTES]
    event.extra = {**summary, "minutes": len(minutes)}
    # One event per minute, those caught up included: what follows is keyed by them.
    event.add_partitions(minutes)
    return summary
