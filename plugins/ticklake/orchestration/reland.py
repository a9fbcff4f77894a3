"""The tasks of ``reland``: the range's hours, and one mapped task for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from ticklake.core.errors import SettingsError
from ticklake.core.landing.minute_range import PATTERN, MinuteRange
from ticklake.core.minute import Hour
from ticklake.orchestration.assets import LANDED_MINUTES
from ticklake.orchestration.checked import checked_settings, fails_at_once
from ticklake.orchestration.partition_keys import range_of

PARAMS = {
    "from": Param(
        type="string",
        pattern=PATTERN,
        title="From",
        description="First minute or hour, 2026-11-22T10:05 or 2026-11-22T10 (UTC).",
    ),
    "to": Param(
        type="string", pattern=PATTERN, title="To", description="Last minute or hour, included; it must be over."
    ),
    "force": Param(
        False,
        type="boolean",
        title="Write all objects again",
        description="Of sealed minutes: read their offsets from Kafka again and rewrite every object that Kafka still gives.",
    ),
}

_MOST_HOURS = 1000  # Airflow maps a task at most so often (core.max_map_length is 1,024)


@fails_at_once
def hours_of_range(context: Mapping[str, Any]) -> list[str]:
    """Keys of the hours that the Params' range touches, oldest first; a wrong range fails at once, without retries."""
    checked_settings(context, "aws_landing", "kafka_landing")
    wanted = _range(context)
    wanted.require_over(datetime.now(UTC))
    hours = wanted.hours
    if len(hours) > _MOST_HOURS:
        raise SettingsError(f"The range has {len(hours):,} hours, one run takes {_MOST_HOURS:,}.", "Use several runs.")
    return [hour.key for hour in hours]


@fails_at_once
def reland_hour(context: Mapping[str, Any], hour: str) -> dict[str, Any]:
    """Land or verify the range's minutes of one hour and announce them; returns what was done, for the UI.

    Raises:
        AirflowFailException: offsets are gone from Kafka, and objects with them that no version of the bucket has; all else is
            landed, a retry would change nothing.
    """
    # Imported here: each of these costs the DAG's parsing tenths of a second.
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.reland import reland

    minutes = _range(context).in_hour(Hour.parse(hour))
    with open_landing(context) as landing:
        done = reland(landing, minutes, datetime.now(UTC), force=bool(context["params"].get("force")))
    if done.lost:
        raise AirflowFailException("\n".join(done.lost))
    sealed = [m.minute.key for m in done.manifests]
    summary = {
        "hour": hour,
        "minutes": len(sealed),
        "records": sum(m.records for m in done.manifests),
        "rejected": sum(m.rejected for m in done.manifests),
        "rewritten": len(done.rewritten),
        "restored": len(done.restored),
    }
    event = context["outlet_events"][LANDED_MINUTES]
    event.extra = summary
    event.add_partitions(sealed)
    return summary


def _range(context: Mapping[str, Any]) -> MinuteRange:
    return range_of(context["params"].get("from"), context["params"].get("to"))
