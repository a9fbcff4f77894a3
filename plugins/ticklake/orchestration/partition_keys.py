"""Which minute or hour a run is for, however it was started.

A scheduled, backfilled or REST run carries a partition key. ``airflow dags trigger -c`` and ``airflow dags test -c`` can
only pass it as ``{"partition_key": …}`` in the configuration; ``airflow dags test`` without it means the newest one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ticklake.core.errors import SettingsError
from ticklake.core.landing.minute_range import MinuteRange
from ticklake.core.minute import Hour, Minute

T = TypeVar("T")

_CLOCKS_DIFFER = timedelta(minutes=5)  # the scheduler's and the worker's, at most


def minute_of(context: Mapping[str, Any]) -> Minute:
    """The minute of a run: its key, else the last whole minute before it; raises SettingsError."""
    key = _key(context)
    return _named(Minute.parse, key) if key else Minute.containing(_moment(context) - timedelta(minutes=1))


def hour_of(context: Mapping[str, Any]) -> Hour:
    """The hour of a run: its key, else the hour that it was started in; raises SettingsError."""
    key = _key(context)
    if not key:
        return Hour.containing(_moment(context))
    hour = _named(Hour.parse, key)
    if hour.start > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise SettingsError(
            f"partition_key = {key}: that hour has not begun.", "Its tasks would wait until it is there."
        )
    return hour


def hours_of(context: Mapping[str, Any]) -> tuple[Hour, ...]:
    """The hours of a run over closed ones: the range in its Params, its key, else the last whole hour before it."""
    first, last = (context["params"].get(name) for name in ("from", "to"))
    if first or last:
        return range_of(first, last).hours
    key = _key(context)
    return (_named(Hour.parse, key) if key else Hour.containing(_moment(context)).plus(-1),)


def range_of(first: str | None, last: str | None) -> MinuteRange:
    """The range typed into a Trigger form as Params `from` and `to`; raises SettingsError."""
    if not first or not last:
        raise SettingsError(f"from = {first!r} and to = {last!r}: one end of the range is empty.", "Set both.")
    return MinuteRange.parse(first, last)


def _key(context: Mapping[str, Any]) -> str | None:
    run = context["dag_run"]
    key = context.get("partition_key") or getattr(run, "partition_key", None) or (run.conf or {}).get("partition_key")
    if key is not None and not isinstance(key, str):
        raise SettingsError(f"partition_key = {key!r} in the run's configuration is not a string.")
    return key


def _named(parse: Callable[[str], T], key: str) -> T:
    try:
        return parse(key)
    except SettingsError as e:
        raise SettingsError(f"partition_key = {e.problem}", "A run's key says what it is for.") from e


def _moment(context: Mapping[str, Any]) -> datetime:
    run = context["dag_run"]
    moment = getattr(run, "logical_date", None) or getattr(run, "run_after", None)
    if not isinstance(moment, datetime):
        raise SettingsError(
            f"The run {run.run_id} has neither a partition key nor a date.",
            "Trigger it with a partition key such as 2026-11-22T10:05.",
        )
    return moment
