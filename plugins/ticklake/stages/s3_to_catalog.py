"""S3 to catalog: how long an hour's first object is waited for, and the check that the crawl has found the hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ticklake.clients.aws import glue
from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour

# The hour's last minute is landed after the hour has ended: an hour with ticks in that minute alone must not be skipped.
_GRACE = timedelta(minutes=5)


def seconds_to_wait(hour: Hour, now: datetime) -> float:
    """How long the hour's first object may still come; 0 when the hour is over."""
    return max(0.0, (hour.plus(1).start + _GRACE - now).total_seconds())


def check_hour(client: Any, database: str, table: str, hour: Hour, crawler: str) -> None:
    """Raise LakeError unless the hour's partition is in the catalog; ``client`` is a boto3 Glue client."""
    if not glue.has_hour(client, database, table, hour):
        raise LakeError(
            f"The crawl has ended, and {database}.{table} has no partition dt={hour.dt}/hr={hour.hr}.",
            f"Either it had begun before the hour's first object came, then the next try finds it; or the crawler {crawler!r} "
            f"does not read this bucket's raw/{table}/.",
        )
