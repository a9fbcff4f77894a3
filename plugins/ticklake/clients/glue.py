"""The Glue catalog: whether an hour's partition of a table is registered, so that Athena can see it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour


def has_hour(client: Any, database: str, table: str, hour: Hour) -> bool:
    """Whether ``dt=…/hr=…`` of the hour is in the catalog; False as well while the table itself is not.

    Args:
        client: a boto3 Glue client.
        database: name of the Glue database.
        table: name of the table.
        hour: the hour.

    Raises:
        LakeError: Glue refuses or does not answer.
    """
    try:
        client.get_partition(DatabaseName=database, TableName=table, PartitionValues=[hour.dt, hour.hr])
    except client.exceptions.EntityNotFoundException:
        return False
    except (ClientError, BotoCoreError) as e:
        raise LakeError(
            f"Glue did not say whether {database}.{table} has the hour {hour}: {e}",
            "Check the connection ticklake_aws and its permission glue:GetPartition.",
        ) from e
    return True
