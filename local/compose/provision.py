"""``python -m local.compose.provision``: the AWS side of the connection and names that the pipeline is given."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping

from local.provision import provision
from ticklake.core.errors import SettingsError, TicklakeError
from ticklake.core.settings.environment import AWS_CONNECTION, Settings
from ticklake.core.settings.stream import Stream

log = logging.getLogger(__name__)


def main(env: Mapping[str, str]) -> int:
    """Provision what the environment names; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = Settings.from_env(env)
        connection = json.loads(env[f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}"])
        endpoint = connection["extra"].get("endpoint_url")
        if not endpoint:
            # Nobody shall find a stack in an account because a line of .env was forgotten.
            raise SettingsError(
                "AIRFLOW_CONN_TICKLAKE_AWS has no endpoint_url, so it means AWS itself.",
                "Take stand-in out of COMPOSE_PROFILES in .env, and deploy include/aws/stack.yaml yourself.",
            )
        parameters = {
            "BucketName": settings.bucket,
            "DatabaseName": settings.glue_database,
            "TableName": Stream.from_toml(settings.stream).table.name,
            "CrawlerName": settings.crawler,
            "WorkgroupName": settings.workgroup,
            "ResultsDays": str(settings.keep_days),
        }
        provision(
            endpoint,
            parameters,
            region_name=connection["extra"]["region_name"],
            aws_access_key_id=connection["login"],
            aws_secret_access_key=connection["password"],
        )
    except TicklakeError as e:
        log.error("%s", e)
        return 1
    log.info("Bucket %s, Glue and Athena are provisioned at %s.", settings.bucket, endpoint)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
