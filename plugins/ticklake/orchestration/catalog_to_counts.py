"""The task of ``catalog_to_counts``: waits for the hour in the catalog without a worker, then counts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferralTimeout
from airflow.triggers.base import BaseTrigger, TriggerEvent

from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour
from ticklake.core.settings.environment import AWS_CONNECTION
from ticklake.orchestration.assets import COUNTED_HOURS
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.partition_keys import hour_of

# An hour that missed its own crawl is found by the next hour's: wait until that has surely been.
_PATIENCE = timedelta(minutes=75)
_LOOK_EVERY = 5.0  # seconds


class CountHourOperator(BaseOperator):
    """Counts the run's hour in Athena and compares it with the manifests.

    One look says whether the hour is in the catalog: it is for all but the first minutes of an hour, and then counting begins
    at once, in the same process. Otherwise the triggerer looks on, no worker is held. An hour in which nothing was landed has
    no partition, ever: it is not waited for.
    """

    @fails_at_once
    def execute(self, context: Any) -> dict[str, Any]:
        """Count the hour, or wait for it to be in the catalog; returns the summary that the asset event carries."""
        # Imported here: each of these costs the DAG's parsing tenths of a second.
        from airflow.providers.amazon.aws.hooks.athena import AthenaHook
        from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook

        from ticklake.clients.aws import glue
        from ticklake.clients.aws.athena import Athena
        from ticklake.core.landing.object_key import ATHENA_RESULTS
        from ticklake.orchestration.lake_hook import lake_of
        from ticklake.stages.catalog_to_counts import count_hour, landed_in, queries

        settings, stream = checked_settings(context, "aws_counts")
        hour, table = hour_of(context), stream.table.name
        lake = lake_of(settings.aws_counts, settings.bucket)
        catalog = GlueCatalogHook(aws_conn_id=settings.aws_counts).get_conn()  # type: ignore[no-untyped-call]
        if not glue.has_hour(catalog, settings.glue_database, table, hour) and landed_in(lake, table, hour).records:
            self.log.info("The hour %s is not in the catalog yet: waiting for s3_to_catalog.", hour)
            self.defer(
                trigger=HourInCatalogTrigger(settings.glue_database, table, hour.key, settings.aws_counts),
                method_name="execute_complete",
                timeout=_PATIENCE,
            )
        athena = Athena(
            AthenaHook(aws_conn_id=settings.aws_counts).get_conn(),
            settings.glue_database,
            settings.workgroup,
            f"s3://{settings.bucket}/{ATHENA_RESULTS}/",
        )
        counted = count_hour(lake, athena, table, queries(settings.sql / "counts"), hour)
        summary = counted.summary()
        event = context["outlet_events"][COUNTED_HOURS]
        event.extra = summary
        event.add_partitions(hour.key)
        return summary

    def execute_complete(self, context: Any, event: str) -> dict[str, Any]:
        """Count after the wait; ``event`` is the hour's key."""
        self.log.info("The hour %s is in the catalog.", event)
        return self.execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after the wait; raises LakeError when it was in vain."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as e:
            hour = hour_of(context)
            raise LakeError(
                f"The hour {hour} was landed and is still not in the catalog after {_PATIENCE}.",
                f"See the runs of s3_to_catalog, then: airflow backfill create --dag-id s3_to_catalog "
                f"--from-date {hour}:00 --to-date {hour}:00",
            ) from e


class HourInCatalogTrigger(BaseTrigger):
    """Fires when the hour's partition is in the catalog.

    The provider's ``GlueCatalogPartitionTrigger`` fails while the table itself is missing, and so every lake begins.

    Args:
        database: name of the Glue database.
        table: name of the table.
        hour: key of the hour.
        connection: id of the AWS connection.
    """

    def __init__(self, database: str, table: str, hour: str, connection: str = AWS_CONNECTION) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.database, self.table, self.hour, self.connection = database, table, hour, connection

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Path of this class and its arguments, as Airflow stores them."""
        return f"{__name__}.{type(self).__qualname__}", {
            "database": self.database,
            "table": self.table,
            "hour": self.hour,
            "connection": self.connection,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every few seconds; the event is the hour's key."""
        from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook

        hour = Hour.parse(self.hour)
        hook = GlueCatalogHook(aws_conn_id=self.connection)  # type: ignore[no-untyped-call]
        async with await hook.get_async_conn() as glue:  # type: ignore[no-untyped-call]
            while True:
                try:
                    await glue.get_partition(
                        DatabaseName=self.database, TableName=self.table, PartitionValues=[hour.dt, hour.hr]
                    )
                except glue.exceptions.EntityNotFoundException:
                    await asyncio.sleep(_LOOK_EVERY)
                else:
                    yield TriggerEvent(self.hour)  # type: ignore[no-untyped-call]
                    return
