"""Dates of Kafka records as a reader sees them: any 64-bit number may be one, whatever a calendar can say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def moment(ms: int) -> str:
    """A date in milliseconds since 1970: ``2100-01-01T00:00:00.000Z``, or the number where no calendar has it."""
    try:
        return (_EPOCH + ms * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{ms} ms since 1970"


def milliseconds(iso: str) -> int:
    """The ISO 8601 date of a manifest in whole milliseconds since 1970, without the rounding of a float."""
    return (datetime.fromisoformat(iso) - _EPOCH) // _MILLISECOND


def span(ms: int) -> str:
    """A length of time in the largest unit that it fills: ``26,785 days``, ``3.2 h``, ``450 ms``."""
    for unit, size in _UNITS:
        if ms >= size:
            return f"{ms // size:,} {unit}" if ms >= 10 * size else f"{ms / size:.1f} {unit}"
    return f"{ms} ms"
