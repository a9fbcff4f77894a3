"""The task of ``rejected_to_kafka`` and its Trigger form."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from ticklake.core.errors import SettingsError
from ticklake.core.minute import Minute
from ticklake.core.settings import Settings, Stream

_MINUTE = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"
PARAMS = {
    "from": Param(type="string", pattern=_MINUTE, title="From", description="Oldest minute, 2026-11-22T10:00, in UTC."),
    "to": Param(type="string", pattern=_MINUTE, title="To", description="Newest minute, inclusive."),
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
        description="Only tell what would be sent and what would be rejected again.",
    ),
}


def redrive_records(context: Mapping[str, Any]) -> dict[str, Any]:
    """Produce rejected records of the run's Params again; returns counts by reason. Wrong Params fail without retries."""
    # Imported here: each of these costs the DAG's parsing tenths of a second.
    from ticklake.clients.kafka import TopicReader
    from ticklake.orchestration.cluster_hooks import TransactionalProducerHook
    from ticklake.orchestration.kafka_hooks import ReaderHook
    from ticklake.orchestration.lake_hook import lake_of
    from ticklake.stages.rejected_to_kafka import Wanted, redrive

    params = context["params"]
    try:
        wanted = Wanted(
            Minute.parse(params["from"]),
            Minute.parse(params["to"]),
            params["reason"],
            bool(params["all"]),
            bool(params["dry_run"]),
        )
    except SettingsError as e:
        raise AirflowFailException(str(e)) from e
    settings = Settings.from_env()
    stream = Stream.from_toml(settings.stream)
    lake = lake_of(settings.aws_redrive, settings.bucket)
    kafka = settings.kafka_redrive
    with closing(TopicReader(ReaderHook(kafka, stream).get_conn, stream.topic.name)) as reader:
        return redrive(
            lake, reader, stream, lambda name: TransactionalProducerHook(kafka, name).get_conn, wanted
        ).to_dict()
