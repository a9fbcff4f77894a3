"""Keeps the tallies of hours and the totals over them (``row_counts``), whoever else writes at the same time."""

from __future__ import annotations

import logging
from datetime import datetime

from ticklake.clients.aws.s3 import Lake
from ticklake.core.minute import Hour
from ticklake.core.proof.row_counts import Day, Tally, Totals

_log = logging.getLogger(__name__)


def add_to_totals(
    lake: Lake, day_key: str, total_key: str, hour: Hour, tally: Tally, as_of: datetime
) -> tuple[bool, Tally]:
    """Put an hour's tally into its day's and the day's into the totals.

    Returns: whether no newer tally of the hour was there already, and the total of all hours.
    """
    kept = lake.update(day_key, lambda b: Day.from_json(b, day_key).with_hour(hour, tally, as_of).to_json())
    day = Day.from_json(kept, day_key)

    def with_this_day(body: bytes | None) -> bytes:
        # The day is read after the totals were: whoever wrote it later finds his change of the totals refused, and comes again.
        now = Day.from_json(lake.get(day_key), day_key).total
        return Totals.from_json(body, total_key).with_day(hour.dt, now).to_json(as_of)

    totals = Totals.from_json(lake.update(total_key, with_this_day), total_key)
    if totals.unproven:
        _log.warning("s3://%s/%s: the days %s do not add up.", lake.bucket, total_key, ", ".join(totals.unproven))
    return day.holds(hour, as_of), totals.total
