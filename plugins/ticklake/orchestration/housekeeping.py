"""Keeps an Airflow small: runs and task logs older than TICKLAKE_KEEP_DAYS go.

Run by ``python -m ticklake.orchestration.housekeeping``, beside Airflow: tasks of Airflow 3 cannot reach the metadata database.
It needs Airflow's environment (the database's address, the folder of logs). What the pipeline has landed is in neither.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ticklake.core.errors import TicklakeError
from ticklake.core.settings.environment import keep_days
from ticklake.stages.housekeeping import remove_old_logs

log = logging.getLogger(__name__)

# Rows in one transaction: on SQLite the scheduler waits for it, and waits 5 s at most.
_BATCH = 200
_PAGES = 500  # in one step of giving space back
# A DAG that was not parsed for long is not cleaned: after a pause of a week that would be all of them.
_KEPT_TABLES = frozenset({"dag"})


def main() -> int:
    """Clean once; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        clean(datetime.now(UTC) - timedelta(days=keep_days()))
    except TicklakeError as e:
        log.error("%s", e)
        return 1
    except RuntimeError as e:  # tables that Airflow could not clean; the next time may do it
        log.error("%s", e)
        return 1
    return 0


def clean(before: datetime) -> None:
    """Remove what is older, first from the database, then the logs of what is gone."""
    from airflow.configuration import conf

    rows = clean_database(before)
    removed = remove_old_logs(Path(conf.get_mandatory_value("logging", "base_log_folder")), before)
    log.info(
        "Older than %s: %d DAG runs and %d log files (%.1f MB) removed.",
        f"{before:%Y-%m-%d %H:%M}",
        rows,
        removed.files,
        removed.bytes / 1e6,
    )


def clean_database(before: datetime) -> int:
    """``airflow db clean`` in small steps, without archive tables; returns how many DAG runs went.

    DAGs with a run that began before and is not over are left out: a task that runs would lose its row, and be ended.
    Raises RuntimeError when a table could not be cleaned.
    """
    from airflow.utils.db_cleanup import ARCHIVE_TABLE_PREFIX, config_dict, run_cleanup
    from pendulum import instance

    runs = _count_runs()
    columns = _columns()
    tables = [name for name in config_dict if name in columns and name not in _KEPT_TABLES]
    for name in columns.keys() & config_dict.keys():
        if "dag_id" not in columns[name]:
            # Airflow 3.3 believes that some tables have it (asset_event, deadline), and fails on them when DAGs are left out.
            config_dict[name].dag_id_column = None
    _forget_fired_partitions(before)
    try:
        run_cleanup(
            clean_before_timestamp=instance(before),
            table_names=tables,
            exclude_dag_ids=_unfinished_since(before) or None,
            confirm=False,
            skip_archive=True,
            batch_size=_BATCH,
            error_on_cleanup_failure=True,
        )
    finally:
        # A step that failed leaves the table behind through which its rows went; somebody's own archives stay.
        _drop({table for table in _columns().keys() - columns.keys() if table.startswith(ARCHIVE_TABLE_PREFIX)})
    gone = runs - _count_runs()
    _give_space_back()
    return gone


def _unfinished_since(before: datetime) -> list[str]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import State
    from sqlalchemy import or_, select

    began = or_(DagRun.start_date < before, DagRun.queued_at < before)
    with create_session() as session:
        query = select(DagRun.dag_id).where(DagRun.state.in_(State.unfinished_dr_states), began).distinct()
        found: Sequence[str] = session.scalars(query).all()
    if found:
        log.warning("Left as they are, since a run that began before is not over: %s.", ", ".join(sorted(found)))
    return sorted(found)


def _columns() -> dict[str, set[str]]:
    """The tables that are there, with the names of their columns."""
    from airflow.utils.session import create_session
    from sqlalchemy import inspect

    with create_session() as session:
        there = inspect(session.get_bind())
        return {table: {column["name"] for column in there.get_columns(table)} for table in there.get_table_names()}


def _forget_fired_partitions(before: datetime) -> None:
    """Remove the notes of partitioned runs that were started long ago; those that still wait stay.

    They would go with their runs, but nothing indexes them by run: SQLite reads all of them for each run that it removes.
    """
    from airflow.models.asset import AssetPartitionDagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    rows = AssetPartitionDagRun
    old = select(rows.id).where(rows.created_dag_run_id.is_not(None), rows.created_at < before).limit(_BATCH)
    removed = _BATCH
    while removed:
        with create_session() as session:
            found = session.scalars(old).all()
            session.execute(delete(rows).where(rows.id.in_(found)))
        removed = len(found)


def _drop(tables: Collection[str]) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        for table in sorted(tables):
            session.execute(text(f'DROP TABLE "{table}"'))


def _count_runs() -> int:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session() as session:
        return int(session.scalar(select(func.count()).select_from(DagRun)) or 0)


def _give_space_back() -> None:
    """SQLite keeps the pages of removed rows; a database made with auto_vacuum=INCREMENTAL gives them back in steps.

    Others (PostgreSQL) do it by themselves.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get_bind().dialect.name != "sqlite":
            return
        connection: Any = session.connection().connection.driver_connection
        if connection.execute("PRAGMA auto_vacuum").fetchone() != (2,):
            return
        while connection.execute("PRAGMA freelist_count").fetchone()[0]:
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
            connection.commit()
            time.sleep(0.05)  # whoever waits comes in between
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


if __name__ == "__main__":
    sys.exit(main())
