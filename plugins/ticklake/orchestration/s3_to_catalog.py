"""The two tasks of ``s3_to_catalog``: the provider's S3 sensor and crawler operator, each with one rule added.

The provider's classes do the work when a task runs. They are not base classes: importing them brings boto3 along, more than all
else that parsing the DAG costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from inspect import unwrap
from typing import Any

from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from ticklake.core.landing.object_key import RAW, hour_prefix
from ticklake.core.settings.environment import Settings
from ticklake.orchestration.assets import CATALOGUED_HOURS
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.partition_keys import hour_of


class FirstObjectSensor(BaseSensorOperator):
    """Waits for the run's hour to have an object under ``raw/``; skips when the hour ends without one.

    It waits in the triggerer, no worker is held. One look is one listing of one page: the pattern ends where its wildcard
    begins. An error of S3 is a failure and retried, not a skip: so this is not ``soft_fail``.
    """

    @fails_at_once
    def execute(self, context: Any) -> None:
        """Look once; then wait in the triggerer as long as an object may come."""
        from ticklake.stages.s3_to_catalog import seconds_to_wait

        sensor, hour = self._sensor(context), hour_of(context)
        if sensor.poke(context):
            return
        sensor.timeout = seconds_to_wait(hour, datetime.now(UTC))
        if not sensor.timeout:
            raise AirflowSkipException(
                f"The hour {hour} is over and has no object in s3://{sensor.bucket_name}/{sensor.bucket_key}."
            )
        sensor._defer()

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """Go on after the wait; an error that the triggerer met fails the task."""
        self._sensor(context).execute_complete(context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after the wait: its end without an object is a skip."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as e:
            raise AirflowSkipException(f"The hour {hour_of(context)} has ended without an object.") from e

    def _sensor(self, context: Any) -> Any:
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

        settings, stream = checked_settings(context, "aws_catalog")
        return S3KeySensor(
            task_id=self.task_id,
            poke_interval=self.poke_interval,
            bucket_name=settings.bucket,
            bucket_key=hour_prefix(RAW, stream.table.name, hour_of(context)) + "*",
            wildcard_match=True,
            deferrable=True,
            aws_conn_id=settings.aws_catalog,
        )


class CatalogHourOperator(BaseOperator):
    """Runs the crawler, or goes along with its run under way, and checks that the run's hour is in the catalog.

    Both in one task, so that a retry crawls again: a run under way may have passed the hour before its first object came.
    """

    def __init__(self, poll_interval: int = 5, **kwargs: Any) -> None:
        """Args: poll_interval: seconds between two looks at the crawler."""
        super().__init__(**kwargs)
        self.poll_interval = poll_interval

    @fails_at_once
    def execute(self, context: Any) -> None:
        """Start the crawler and wait for it in the triggerer."""
        settings, _ = checked_settings(context, "aws_catalog")
        operator = self._operator(settings)
        # Its guard against operators within operators is for DAG files: here one is meant to stand in for the other.
        unwrap(type(operator).execute)(operator, context)

    @fails_at_once
    def execute_complete(self, context: Any, event: dict[str, Any] | None = None) -> str:
        """Check the hour after the crawl and announce it; raises LakeError when the crawl did not find it."""
        from ticklake.stages.s3_to_catalog import check_hour

        settings, stream = checked_settings(context, "aws_catalog")
        operator = self._operator(settings)
        operator.execute_complete(context, event)
        hour, table = hour_of(context), stream.table.name
        check_hour(operator.hook.get_conn(), settings.glue_database, table, hour, settings.crawler)
        self.log.info(
            "%s is in the catalog: %s.%s, dt=%s, hr=%s", hour, settings.glue_database, table, hour.dt, hour.hr
        )
        announce(context, {"crawler": settings.crawler, "table": f"{settings.glue_database}.{table}"}, hour.key)
        return hour.key

    def _operator(self, settings: Settings) -> Any:
        from airflow.providers.amazon.aws.operators.glue_crawler import GlueCrawlerRunOperator

        return GlueCrawlerRunOperator(
            task_id=self.task_id,
            crawler_name=settings.crawler,
            poll_interval=self.poll_interval,
            fail_on_already_running=False,
            deferrable=True,
            aws_conn_id=settings.aws_catalog,
        )


def announce(context: Mapping[str, Any], extra: dict[str, Any], key: str) -> None:
    """Emit the hour's asset event; the key is named because a run by ``airflow dags test`` has none of its own."""
    event = context["outlet_events"][CATALOGUED_HOURS]
    event.extra = extra
    event.add_partitions(key)
