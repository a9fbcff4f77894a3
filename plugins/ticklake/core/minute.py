"""The unit of work: a UTC minute, and the hour it lies in. Both are Airflow partition keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ticklake.core.errors import SettingsError

MINUTE_FORMAT = "%Y-%m-%dT%H:%M"
HOUR_FORMAT = "%Y-%m-%dT%H"
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", re.ASCII)
_HOUR = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}", re.ASCII)


@dataclass(frozen=True, order=True)
class Minute:
    """One partition of the stream: the window [start, start + 60 s) in UTC, key ``2026-11-22T10:05``."""

    start: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo != UTC or self.start.second or self.start.microsecond:
            raise SettingsError(f"{self.start!r} is not the start of a minute in UTC.")

    @classmethod
    def parse(cls, key: str) -> Minute:
        """Read a partition key such as ``2026-11-22T10:05``; raises SettingsError."""
        return cls(_parse(key, _MINUTE, MINUTE_FORMAT, "a minute such as 2026-11-22T10:05"))

    @classmethod
    def containing(cls, moment: datetime) -> Minute:
        """The minute that an aware datetime lies in."""
        return cls(moment.astimezone(UTC).replace(second=0, microsecond=0))

    @property
    def key(self) -> str:
        """The partition key, ``2026-11-22T10:05``."""
        return self.start.strftime(MINUTE_FORMAT)

    @property
    def hour(self) -> Hour:
        """The hour this minute lies in."""
        return Hour(self.start.replace(minute=0))

    @property
    def start_ms(self) -> int:
        """First millisecond of the window, since the epoch."""
        return int(self.start.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """First millisecond after the window, since the epoch."""
        return self.start_ms + 60_000

    def plus(self, minutes: int) -> Minute:
        """The minute so many minutes later (earlier when negative)."""
        return Minute(self.start + timedelta(minutes=minutes))

    def minutes_to(self, later: Minute) -> int:
        """How many minutes later the other one is (negative when it is earlier)."""
        return (later.start - self.start) // timedelta(minutes=1)

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, order=True)
class Hour:
    """The window [start, start + 1 h) in UTC, key ``2026-11-22T10``; one ``dt=…/hr=…`` partition of a table."""

    start: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo != UTC or self.start.minute or self.start.second or self.start.microsecond:
            raise SettingsError(f"{self.start!r} is not the start of an hour in UTC.")

    @classmethod
    def parse(cls, key: str) -> Hour:
        """Read a partition key such as ``2026-11-22T10``; raises SettingsError."""
        return cls(_parse(key, _HOUR, HOUR_FORMAT, "an hour such as 2026-11-22T10"))

    @classmethod
    def containing(cls, moment: datetime) -> Hour:
        """The hour that an aware datetime lies in."""
        return Minute.containing(moment).hour

    @property
    def key(self) -> str:
        """The partition key, ``2026-11-22T10``."""
        return self.start.strftime(HOUR_FORMAT)

    @property
    def dt(self) -> str:
        """Value of the ``dt`` partition column, ``2026-11-22``."""
        return self.start.strftime("%Y-%m-%d")

    @property
    def hr(self) -> str:
        """Value of the ``hr`` partition column, ``10``."""
        return self.start.strftime("%H")

    def plus(self, hours: int) -> Hour:
        """The hour so many hours later (earlier when negative)."""
        return Hour(self.start + timedelta(hours=hours))

    def minutes(self) -> tuple[Minute, ...]:
        """The sixty minutes of this hour."""
        first = Minute(self.start)
        return tuple(first.plus(n) for n in range(60))

    def __str__(self) -> str:
        return self.key


def _parse(key: str, pattern: re.Pattern[str], form: str, wanted: str) -> datetime:
    # strptime alone would take `2026-1-2T3:4`, and then one minute would have several keys.
    if pattern.fullmatch(key):
        try:
            return datetime.strptime(key, form).replace(tzinfo=UTC)
        except ValueError:
            pass
    raise SettingsError(f"{key!r} is not {wanted} (UTC).")
