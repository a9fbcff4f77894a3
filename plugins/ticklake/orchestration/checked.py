"""What a person may have typed wrong, looked at before a task does anything: Params, environment, stream file, connections.

Each of it ends the task at once: a retry would find the same. The rules are in ``ticklake.core``; the types of Params are in
their forms, and Airflow itself refuses others before the task's own code runs.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from ticklake.core.errors import InputError, NotOverError, SettingsError, did_you_mean
from ticklake.core.settings.connections import check_aws, check_kafka
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream

P = ParamSpec("P")
R = TypeVar("R")

# Not a Param: how `airflow dags test` and `airflow dags trigger` pass the run's key.
_KEY = "partition_key"
_FORM = 'JSON such as {"conn_type": "kafka", "extra": {"bootstrap.servers": "host:9092"}}, or to a URI.'


def fails_at_once(task: Callable[P, R]) -> Callable[P, R]:
    """A task's function whose SettingsErrors and InputErrors fail it without retries."""

    @functools.wraps(task)
    def checked_task(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return task(*args, **kwargs)
        except NotOverError:
            raise
        except (SettingsError, InputError) as e:
            raise AirflowFailException(str(e)) from e

    return checked_task


def checked_settings(context: Mapping[str, Any], *connections: str) -> tuple[Settings, Stream]:
    """The settings and the stream of a task, with all that it was given checked.

    Args:
        context: Airflow's, of the task.
        connections: those that the task uses, by their names in ``Settings``, such as ``aws_landing``.

    Raises:
        SettingsError: names the field, what was found, and the remedy; never a secret.
    """
    _check_names_of_params(context)
    settings = Settings.from_env()
    stream = Stream.from_toml(settings.stream)
    checked_connections(settings, *connections)
    return settings, stream


def checked_connections(settings: Settings, *connections: str) -> None:
    """Raise SettingsError for what is wrong in a connection; they go by their names in ``Settings``."""
    for name in connections:
        _check_connection(name, getattr(settings, name))


def _check_names_of_params(context: Mapping[str, Any]) -> None:
    """A misspelt Param in a run's configuration would be left aside in silence, and the default taken."""
    run = context["dag_run"]
    given = (run.conf or {}).keys() - {_KEY}
    if given:
        known = set(context["dag"].params)
        for name in sorted(given - known):
            remedy = did_you_mean(name, known) if known else "It has none."
            raise SettingsError(f"{name!r} in the run's configuration is not a Param of {run.dag_id}.", remedy)


def _check_connection(field: str, connection: str) -> None:
    kind = field.partition("_")[0]
    try:
        found = BaseHook.get_connection(connection)
    except AirflowNotFoundException as e:
        # Of one that cannot be read Airflow says no more than this.
        raise SettingsError(
            f"There is no connection {connection!r} (setting TICKLAKE_{field.upper()}), or it cannot be read.",
            f"Make it: Admin, Connections; or set AIRFLOW_CONN_{connection.upper()} to {_FORM}",
        ) from e
    if found.conn_type != kind:
        raise SettingsError(f"Connection {connection} has the type {found.conn_type!r}.", f"The type is {kind!r}.")
    extra = _extra(connection, found.extra)
    if kind == "kafka":
        check_kafka(connection, extra)
        return
    from ticklake.clients.aws.settings import check_client_settings

    check_aws(connection, found.login, found.password, extra)
    check_client_settings(connection, extra)


def _extra(connection: str, text: str | None) -> dict[str, Any]:
    """The extra as an object; of one that is none Airflow would make an empty one."""
    try:
        extra = json.loads(text or "{}")
    except ValueError as e:
        raise SettingsError(
            f"Connection {connection}: the extra is not JSON: {e}.", 'It is an object, {"name": value}.'
        ) from e
    if not isinstance(extra, dict):
        raise SettingsError(f"Connection {connection}: the extra is not a JSON object.", 'It is {"name": value}.')
    return extra
