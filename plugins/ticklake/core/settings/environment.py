"""The one place that reads the environment. Everything else gets values passed in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from ticklake.core.errors import SettingsError, did_you_mean
from ticklake.core.settings.aws_names import check_bucket, check_crawler, check_database, check_workgroup

KAFKA_CONNECTION = "ticklake_kafka"
AWS_CONNECTION = "ticklake_aws"

_PREFIX = "TICKLAKE_"
_LANDING_TASKS = "TICKLAKE_LANDING_TASKS"
_MOST_TASKS = 256
_MOST_DAYS = 3650


def _include_folder() -> Path:
    """The project's ``include/``: in the package (MWAA's plugins.zip), else beside ``plugins/``, else the working folder's."""
    here = Path(__file__).resolve().parents
    return next((f for f in (here[2] / "include", here[4] / "include") if f.is_dir()), Path.cwd() / "include")


@dataclass(frozen=True)
class Settings:
    """What the environment says; every field is ``TICKLAKE_`` and its name in capitals.

    ``aws_…`` and ``kafka_…`` are ids of Airflow connections: one for all, or for each stage its own with a role of its own.
    """

    bucket: str
    glue_database: str
    crawler: str
    workgroup: str
    csv: Path
    csv_key: str | None
    stream: Path
    sql: Path
    aws_landing: str
    aws_catalog: str
    aws_counts: str
    aws_reconcile: str
    aws_redrive: str
    aws_health: str
    kafka_produce: str
    kafka_landing: str
    kafka_reconcile: str
    kafka_redrive: str
    kafka_health: str
    keep_days: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment (``os.environ`` when None); raises SettingsError for unknown or missing names."""
        env = os.environ if env is None else env
        known = {_PREFIX + f.name.upper() for f in fields(cls)} | {_LANDING_TASKS}
        for name in sorted(n for n in env if n.startswith(_PREFIX)):
            if name not in known:
                raise SettingsError(f"{name} in the environment is not a setting.", did_you_mean(name, known))
        if "TICKLAKE_BUCKET" not in env:
            raise SettingsError("TICKLAKE_BUCKET is not set.", "Set it to the name of the S3 bucket of this stream.")
        for name in known & env.keys():
            # An empty id of a connection would mean whatever credentials the worker happens to have.
            if not env[name].strip():
                raise SettingsError(f"{name} is set, and empty.", "Unset it for its default, or give it a value.")
        landing_tasks(env)  # read by the DAG file; checked here, too, so that a task names what is wrong with it
        include = _include_folder()
        settings = cls(
            bucket=env["TICKLAKE_BUCKET"],
            glue_database=env.get("TICKLAKE_GLUE_DATABASE", "ticklake"),
            crawler=env.get("TICKLAKE_CRAWLER", "ticklake"),
            workgroup=env.get("TICKLAKE_WORKGROUP", "ticklake"),
            csv=Path(env.get("TICKLAKE_CSV", include / "data" / "indexProcessed.csv")),
            csv_key=env.get("TICKLAKE_CSV_KEY"),
            stream=Path(env.get("TICKLAKE_STREAM", include / "streams" / "stock_ticks.toml")),
            sql=Path(env.get("TICKLAKE_SQL", include / "sql")),
            keep_days=keep_days(env),
            **{
                f.name: env.get(_PREFIX + f.name.upper(), default)
                for f in fields(cls)
                for prefix, default in (("aws_", AWS_CONNECTION), ("kafka_", KAFKA_CONNECTION))
                if f.name.startswith(prefix)
            },
        )
        check_bucket("TICKLAKE_BUCKET", settings.bucket)
        check_database("TICKLAKE_GLUE_DATABASE", settings.glue_database)
        check_crawler("TICKLAKE_CRAWLER", settings.crawler)
        check_workgroup("TICKLAKE_WORKGROUP", settings.workgroup)
        return settings


AWS_ACTORS, KAFKA_ACTORS = (
    tuple(f.name.removeprefix(prefix) for f in fields(Settings) if f.name.startswith(prefix))
    for prefix in ("aws_", "kafka_")
)
"""Who comes to AWS and to Kafka with a connection, a role and a user of its own."""


def landing_tasks(env: Mapping[str, str] | None = None) -> int:
    """TICKLAKE_LANDING_TASKS: by how many tasks a minute is written (1 when not set); raises SettingsError.

    The only setting that shapes a DAG, and so is read when its file is parsed, without the others.
    """
    text = (os.environ if env is None else env).get(_LANDING_TASKS, "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_TASKS:
        raise SettingsError(f"{_LANDING_TASKS} = {text!r} is not a whole number from 1 to {_MOST_TASKS}.")
    return int(text)


def keep_days(env: Mapping[str, str] | None = None) -> int:
    """TICKLAKE_KEEP_DAYS: for how many days task logs, results of queries and Airflow's runs are kept (7 when not set).

    What was landed is not among it: `raw/`, `manifests/` and `rejected/` are kept forever. Raises SettingsError.
    """
    text = (os.environ if env is None else env).get("TICKLAKE_KEEP_DAYS", "7")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_DAYS:
        raise SettingsError(
            f"TICKLAKE_KEEP_DAYS = {text!r} is not a whole number of days from 1 to {_MOST_DAYS}.",
            "Set it to e.g. 7: for how long task logs, results of queries and Airflow's runs are kept.",
        )
    return int(text)
