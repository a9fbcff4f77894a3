"""The task of ``rejected_to_kafka`` and its Trigger form."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param

from ticklake.core.landing.minute_range import PATTERN
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.partition_keys import range_of

PARAMS = {
    "from": Param(
        type="string", pattern=PATTERN, title="From", description="Oldest minute or hour, 2026-11-22T10:00, in UTC."
    ),
    "to": Param(
        type="string", pattern=PATTERN, title="To", description="Newest minute or hour, included; it must be over."
    ),
    "reason": Param(
        "", type="string", title="Reason", description="Only this kind, such as `reserved column`. Empty: every kind."
    ),
    "all": Param(
        False,
        type="boolean",
        title="Also unfit ones",
        description="Also records that today's rules would reject again.",
    ),
    "dry_run": Param(
        True,
        type="boolean",
        title="Dry run",
        description="Report what would be sent and what would be rejected again, and send nothing.",
    ),
}


@fails_at_once
def redrive_records(context: Mapping[str, Any]) -> dict[str, Any]:
    """Produce rejected records of the run's Params again; returns counts by reason. Wrong Params fail without retries."""
    # Imported here: each of these costs the DAG's parsing tenths of a second.
    from ticklake.clients.kafka.consumer import TopicReader
    from ticklake.orchestration.cluster_hooks import TransactionalProducerHook
    from ticklake.orchestration.kafka_hooks import ReaderHook
    from ticklake.orchestration.lake_hook import lake_of
    from ticklake.stages.rejected_to_kafka import Wanted, redrive

    params = context["params"]
    minutes = range_of(params["from"], params["to"])
    minutes.require_over(datetime.now(UTC))
    wanted = Wanted(
        minutes.first, minutes.last, params["reason"], unfit=bool(params["all"]), dry_run=bool(params["dry_run"])
    )
    settings, stream = checked_settings(context, "aws_redrive", "kafka_redrive")
    lake = lake_of(settings.aws_redrive, settings.bucket)
    kafka = settings.kafka_redrive
    with closing(TopicReader(ReaderHook(kafka, stream).get_conn, stream.topic.name)) as reader:
        return redrive(
            lake, reader, stream, lambda name: TransactionalProducerHook(kafka, name).get_conn, wanted
        ).to_dict()
