"""What was landed and what Athena counts: tallies, their totals, the verdict on a difference.

Totals are kept in two small files, so that no run reads more than its own day, however long the history:

    counts/<table>/dt=2026-11-22/hours.json    the tally of each hour of the day
    counts/<table>/totals.json                 the tally of each day, and of everything

Both hold whole tallies, never steps: counting an hour again replaces its tally. So hours may be counted in any order, again,
and side by side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Hour
from ticklake.core.settings.aws_names import check_table

Value = str | int | float | bool | None
_RANGE = "kafka_partition = ? AND kafka_offset >= ? AND kafka_offset < ?"


@dataclass(frozen=True)
class Answer:
    """What a query answered: names of the columns, typed rows, bytes that Athena read, Athena's id of the query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    scanned_bytes: int = 0
    query_id: str = ""

    def total(self, column: str) -> int:
        """The sum of a column of whole numbers, 0 of no rows; raises LakeError when the column is of another form."""
        values = [row[self.columns.index(column)] for row in self.rows] if column in self.columns else [None]
        if not all(isinstance(v, int) for v in values):
            raise LakeError(f"The answer has no whole numbers in a column {column!r}: {self.columns} {self.rows[:3]}.")
        return sum(v for v in values if isinstance(v, int))


@dataclass(frozen=True)
class Tally:
    """Rows that the manifests say were landed, rows that Athena counts, distinct Kafka offsets among these."""

    landed: int = 0
    counted: int = 0
    distinct: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.landed + other.landed, self.counted + other.counted, self.distinct + other.distinct)

    def __str__(self) -> str:
        line = f"landed {self.landed:,} · counted {self.counted:,} · difference {self.counted - self.landed:,}"
        return line if self.distinct == self.counted else f"{line} · only {self.distinct:,} distinct offsets"

    @property
    def proven(self) -> bool:
        """Whether Athena counts what was landed, each Kafka record once."""
        return self.landed == self.counted == self.distinct

    @classmethod
    def of(cls, tallies: Iterable[Tally]) -> Tally:
        """The sum; zero of none."""
        return sum(tallies, cls())


@dataclass(frozen=True)
class Totals:
    """What ``totals.json`` holds: the tally of each day, by ``dt``."""

    days: Mapping[str, Tally]

    @property
    def total(self) -> Tally:
        """Everything that was ever counted."""
        return Tally.of(self.days.values())

    @property
    def unproven(self) -> tuple[str, ...]:
        """Days whose tally does not add up."""
        return tuple(day for day, tally in self.days.items() if not tally.proven)

    def with_day(self, day: str, tally: Tally) -> Totals:
        """These totals with the day's tally put in or replaced."""
        return Totals(dict(sorted({**self.days, day: tally}.items())))

    def to_json(self, at: datetime) -> bytes:
        """``{"at", "landed", "counted", "distinct", "days": {dt: {"landed", "counted", "distinct"}}}``."""
        days = {day: asdict(tally) for day, tally in self.days.items()}
        return json.dumps({"at": at.isoformat(), **asdict(self.total), "days": days}, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes | None, key: str) -> Totals:
        """Read the ``totals.json`` at a key; None is the empty one. Raises LakeError, which names the key."""
        return cls({day: _tally(t) for day, t in _document(body, key).get("days", {}).items()})


@dataclass(frozen=True)
class Day:
    """What ``hours.json`` holds: by the hour's key its tally, and when its manifests were read (ISO 8601)."""

    hours: Mapping[str, tuple[Tally, str]]

    @property
    def total(self) -> Tally:
        """The day's tally."""
        return Tally.of(tally for tally, _ in self.hours.values())

    def with_hour(self, hour: Hour, tally: Tally, as_of: datetime) -> Day:
        """This day with the hour's tally in it, unless a newer one is: a slow run must not undo a fast one."""
        _, known = self.hours.get(hour.key, (None, ""))
        if known and datetime.fromisoformat(known) > as_of:
            return self
        return Day(dict(sorted({**self.hours, hour.key: (tally, as_of.isoformat())}.items())))

    def holds(self, hour: Hour, as_of: datetime) -> bool:
        """Whether the hour's tally is the one of that moment."""
        return self.hours[hour.key][1] == as_of.isoformat()

    def to_json(self) -> bytes:
        """``{hour: {"as_of", "landed", "counted", "distinct"}}``."""
        return json.dumps(
            {hour: {"as_of": as_of, **asdict(tally)} for hour, (tally, as_of) in self.hours.items()}, indent=1
        ).encode()

    @classmethod
    def from_json(cls, body: bytes | None, key: str) -> Day:
        """Read the ``hours.json`` at a key; None is the empty one. Raises LakeError, which names the key."""
        return cls({hour: (_tally(t), t["as_of"]) for hour, t in _document(body, key).items()})


def _document(body: bytes | None, key: str) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
        if isinstance(document, dict):
            return document
    except ValueError:
        pass
    again = "reconcile" if key.startswith("reconciled/") else "count"
    raise LakeError(f"{key} is not what Ticklake writes: {body!r:.80}.", f"Remove it and {again} again.")


def _tally(fields: Mapping[str, Any]) -> Tally:
    return Tally(fields["landed"], fields["counted"], fields["distinct"])


def statement(sql: str, table: str, ranges: int = 0) -> str:
    """A query file's SQL with the table's name in it, quoted, and question marks for so many ranges of offsets.

    ``{sealed}`` becomes ``(kafka_partition = ? AND kafka_offset >= ? AND kafka_offset < ? OR …)``.

    Raises:
        SettingsError: the name cannot be a Glue table's.
    """
    check_table("The table of a query", table)
    sealed = "\n  OR ".join([_RANGE] * ranges)
    return sql.replace("{table}", f'"{table}"').replace("{sealed}", f"({sealed})")


def title(sql: str) -> str:
    """The comment that a query file begins with: what it answers; raises SettingsError when there is none."""
    first = sql.partition("\n")[0]
    if not first.startswith("-- "):
        raise SettingsError("The query does not begin with a comment that says what it answers.", sql)
    return first.removeprefix("-- ").strip()


def differing_partitions(landed: Mapping[int, int], per_partition: Answer) -> list[str]:
    """The Kafka partitions that Athena counts otherwise than they were landed, in words; ``landed``: partition -> rows."""
    partition, rows = (per_partition.columns.index(name) for name in ("kafka_partition", "rows"))
    counted = {row[partition]: row[rows] for row in per_partition.rows}
    return [
        f"Kafka partition {p}: landed {n:,}, counted {counted.get(p, 0):,}"
        for p, n in sorted(landed.items())
        if counted.get(p, 0) != n
    ]


def joined(slices: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
    """The same offsets in as few slices as possible: slices of one Kafka partition that touch become one, empty ones go."""
    found: list[OffsetRange] = []
    for s in sorted(s for s in slices if s.end > s.start):
        if found and found[-1].partition == s.partition and found[-1].end >= s.start:
            s = OffsetRange(s.partition, found[-1].start, max(s.end, found.pop().end))
        found.append(s)
    return tuple(found)
