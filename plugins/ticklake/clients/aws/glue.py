"""The Glue catalog: whether an hour's partition is registered, so that Athena can see it; the crawler that registers it."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds


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


def crawl(client: Any, crawler: str, patience: float = 1200) -> None:
    """Run the crawler from its beginning to its end; a run under way is waited for first, it may have passed an hour.

    Args:
        client: a boto3 Glue client.
        crawler: its name.
        patience: seconds after which the wait is given up.

    Raises:
        LakeError: Glue refuses, the crawl fails, or it takes too long.
    """
    deadline = time.monotonic() + patience
    try:
        while not _started(client, crawler):
            _wait(client, crawler, deadline)
        last = _wait(client, crawler, deadline)
    except (ClientError, BotoCoreError) as e:
        raise LakeError(
            f"Glue did not run the crawler {crawler!r}: {e}",
            "Check TICKLAKE_CRAWLER, and that ticklake_aws may glue:StartCrawler and glue:GetCrawler.",
        ) from e
    if last.get("Status") != "SUCCEEDED":
        raise LakeError(
            f"The crawler {crawler!r} ended as {last.get('Status')}: {last.get('ErrorMessage', 'no reason')}"
        )


def _started(client: Any, crawler: str) -> bool:
    try:
        client.start_crawler(Name=crawler)
    except client.exceptions.CrawlerRunningException:
        return False
    return True


def _wait(client: Any, crawler: str, deadline: float) -> dict[str, Any]:
    """Wait until the crawler is ready; returns its last crawl."""
    pause = _FIRST_PAUSE
    while (found := client.get_crawler(Name=crawler)["Crawler"])["State"] != "READY":
        if time.monotonic() > deadline:
            raise LakeError(f"The crawler {crawler!r} is {found['State']} for too long.", "See its log in CloudWatch.")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    last: dict[str, Any] = found.get("LastCrawl", {})
    return last
