"""The provider's S3 hook with the client's patience that landing needs, laid under what the connection says itself.

Imported by tasks when they run, never by DAG files.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from ticklake.clients.aws.s3 import Lake, patient


class LakeHook(S3Hook):
    """``config_kwargs`` in the connection's extra win; what they leave out is not boto3's default but ``PATIENCE``."""

    @property
    def config(self) -> Any:
        """The client's configuration."""
        return patient(super().config)


def lake_of(connection: str, bucket: str) -> Lake:
    """The bucket, through the Airflow connection of this id."""
    return Lake(LakeHook(aws_conn_id=connection).get_conn(), bucket)
