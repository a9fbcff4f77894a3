"""The tasks of ``kafka_to_s3``: wire the stage to Airflow's connections and announce the minutes that they sealed.

One task lands a minute; or with ``TICKLAKE_LANDING_TASKS`` above 1 `prepare` cuts it, so many mapped `write` share its Kafka
partitions, and `seal` seals it: the same keys and bytes, on as many workers as the executor has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException

from ticklake.core.errors import LostOffsetsError
from ticklake.core.settings.environment import landing_tasks
from ticklake.orchestration.assets import LANDED_MINUTES
from ticklake.orchestration.checked import fails_at_once
from ticklake.orchestration.partition_keys import minute_of

# Key of what `prepare` leaves for `seal`.
_CUT = "cut"

# Imported within the tasks: what costs the DAG's parsing tenths of a second.


@task(outlets=[LANDED_MINUTES])
@fails_at_once
def land(**context: Any) -> dict[str, Any]:
    """Land the run's minute; returns what was sealed, for the UI.

    Raises:
        AirflowFailException: offsets were lost, and the minute is sealed with its loss; or objects of a sealed minute are lost
            for good. A retry would change nothing.
    """
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.kafka_to_s3 import land as stage

    minute = minute_of(context)
    with open_landing(context) as landing:
        try:
            landed = stage.land(landing, minute, datetime.now(UTC), force=_force(context))
        except LostOffsetsError as e:
            raise AirflowFailException(str(e)) from e
    return _announce(context, landed)


@task(outlets=[LANDED_MINUTES])
@fails_at_once
def prepare(**context: Any) -> list[Any]:
    """Land what is unsealed before the run's minute; returns the minute's parts, one for each `write`. Raises as ``land``.

    The minute's cut and losses are for `seal`, under a key of their own: Airflow maps over returned lists only.
    """
    import msgspec

    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.kafka_to_s3 import land as stage

    minute = minute_of(context)
    with open_landing(context) as landing:
        try:
            prepared = stage.prepare(landing, minute, datetime.now(UTC), landing_tasks(), force=_force(context))
        except LostOffsetsError as e:
            raise AirflowFailException(str(e)) from e
    _announce(context, prepared.landed)
    context["ti"].xcom_push(_CUT, msgspec.to_builtins({"cut": prepared.cut, "lost": prepared.lost}, str_keys=True))
    parts: list[Any] = msgspec.to_builtins(prepared.parts, str_keys=True)
    return parts


@task
@fails_at_once
def write(part: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Write the objects of a part of the run's minute; returns what was written."""
    import msgspec

    from ticklake.core.landing.offset_ranges import Cut
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.kafka_to_s3 import land as stage

    minute = minute_of(context)
    with open_landing(context) as landing:
        written = stage.write_part(landing, minute, msgspec.convert(part, Cut, strict=False))
    answer: dict[str, Any] = msgspec.to_builtins(written, str_keys=True)
    return answer


@task(outlets=[LANDED_MINUTES])
@fails_at_once
def seal(cut: dict[str, Any], written: Any, **context: Any) -> dict[str, Any] | None:
    """Seal the run's minute, unless it was sealed before. Raises as ``land`` does."""
    import msgspec

    from ticklake.core.landing.offset_ranges import Cut, OffsetRange
    from ticklake.orchestration.connections import open_landing
    from ticklake.stages.kafka_to_s3 import land as stage
    from ticklake.stages.kafka_to_s3.written import Written

    own = msgspec.convert(cut["cut"], Cut, strict=False)
    if not own.slices:
        return None
    lost = msgspec.convert(cut["lost"], tuple[OffsetRange, ...])
    parts = msgspec.convert(written[:], list[Written], strict=False)
    minute = minute_of(context)
    with open_landing(context) as landing:
        try:
            landed = stage.seal(landing, minute, own, lost, parts)
        except LostOffsetsError as e:
            raise AirflowFailException(str(e)) from e
    return _announce(context, landed)


def landing() -> None:
    """The tasks that land a minute, as many as the environment says."""
    if landing_tasks() == 1:
        land()
    else:
        parts: Any = prepare()
        seal(parts[_CUT], write.expand(part=parts))


def _force(context: Mapping[str, Any]) -> bool:
    return bool(context["params"].get("force"))


def _announce(context: Mapping[str, Any], landed: Any) -> dict[str, Any]:
    """One event per minute, those caught up included: what follows is keyed by them."""
    minutes = [m.minute.key for m in landed.manifests]
    summary = {
        "minutes": minutes,
        "records": sum(m.records for m in landed.manifests),
        "rejected": sum(m.rejected for m in landed.manifests),
        "rewritten": list(landed.rewritten),
        "restored": list(landed.restored),
    }
    event = context["outlet_events"][LANDED_MINUTES]
    event.extra = {**summary, "minutes": len(minutes)}
    event.add_partitions(minutes)
    return summary
