"""Kafka's answers to "which record is the first at or after this time?", asked no more often than a pause needs.

After a pause of a month 43,000 minutes may be empty, or lost in whole. The answer never falls as the time rises, so where it is
the same at both ends of a stretch of time it is the same all through it, and one question stands for a week of minutes.
"""

from __future__ import annotations

from collections.abc import Callable

from ticklake.core.landing.offset_ranges import Offsets

_SHORTEST, _LONGEST = 3_600_000, 7 * 24 * 3_600_000  # milliseconds


class TimeIndex:
    """The first offset at or after rising times.

    Args:
        ask: Kafka's answer for a time in ms since the epoch, per Kafka partition; absent where nothing is newer.
        last: the last time that will be asked for.
    """

    def __init__(self, ask: Callable[[int], Offsets], last: int) -> None:
        self._ask = ask
        self._last = last
        self._stretch = _SHORTEST
        self._far_time = -1
        self._far: Offsets = {}
        self._quiet_from = last + 1  # up to `_far_time` the answer is `_far`

    def first_at(self, time: int) -> Offsets:
        """The answer for a time that is not before the one asked for last."""
        if self._quiet_from <= time <= self._far_time:
            return self._far
        found = self._ask(time)
        if time > self._far_time and time < self._last:
            self._far_time = min(time + self._stretch, self._last)
            self._far = self._ask(self._far_time)
            quiet = found == self._far
            self._stretch = min(2 * self._stretch, _LONGEST) if quiet else _SHORTEST
        self._quiet_from = time if found == self._far and time <= self._far_time else self._last + 1
        return found
