"""A range typed into a Trigger form: from a minute or an hour to another, both included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ticklake.core.errors import SettingsError
from ticklake.core.minute import Hour, Minute

PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}(:\d{2})?$"
"""What both ends look like, for the form."""


@dataclass(frozen=True)
class MinuteRange:
    """Minutes from ``first`` to ``last``, both included."""

    first: Minute
    last: Minute

    @classmethod
    def parse(cls, first: str, last: str) -> MinuteRange:
        """Read ``2026-11-22T10`` or ``2026-11-22T10:05``; an hour means all its minutes. Raises SettingsError."""
        found = cls(_minutes("from", first)[0], _minutes("to", last)[-1])
        if found.last < found.first:
            raise SettingsError(f"The range ends before it begins: from = {first}, to = {last}.")
        return found

    @property
    def hours(self) -> tuple[Hour, ...]:
        """The hours that the range touches."""
        count = int((self.last.hour.start - self.first.hour.start).total_seconds()) // 3600 + 1
        return tuple(self.first.hour.plus(n) for n in range(count))

    def in_hour(self, hour: Hour) -> tuple[Minute, ...]:
        """The range's minutes of an hour, oldest first."""
        return tuple(m for m in hour.minutes() if self.first <= m <= self.last)

    def require_over(self, now: datetime) -> None:
        """Raise SettingsError while the last minute has not ended."""
        if self.last.plus(1).start > now:
            newest = Minute.containing(now).plus(-1)
            raise SettingsError(f"to = {self.last} is not over.", f"{newest} is the newest that is.")


def _minutes(end: str, key: str) -> tuple[Minute, ...]:
    try:
        return (Minute.parse(key),) if ":" in key else Hour.parse(key).minutes()
    except SettingsError as e:
        raise SettingsError(f"{end} = {e.problem}") from e
