"""Catalog to counts: one hour through Athena, compared with its manifests, added to the totals.

The comparison is exact although landing goes on: the manifests are read first, and every query counts only offsets of the
minutes that had one. All objects of a sealed minute are there before its manifest is, so landed and counted speak of the same
records. One race is left: leftovers of killed attempts are deleted just after the seal, and until then Athena sees them. So a
difference is counted again, manifests and all, before it is believed.

No query reads another hour: the rest of the totals comes from the tallies kept under ``counts/`` (``core.proof.row_counts``).
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticklake.clients.aws.athena import Athena, Question
from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing import object_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Hour
from ticklake.core.proof import row_counts
from ticklake.core.proof.row_counts import Answer, Tally
from ticklake.core.text_table import text_table
from ticklake.stages.manifest_store import sealed_in
from ticklake.stages.totals import add_to_totals

_log = logging.getLogger(__name__)

_RECOUNTS_AFTER = (2.0, 5.0, 10.0)  # seconds; then a difference is believed
_ROWS_SHOWN = 60


@dataclass(frozen=True)
class LandedHour:
    """The sealed minutes of an hour as of a moment: how many, rows by Kafka partition, offsets that they hold."""

    minutes: int
    partitions: Mapping[int, int]
    offsets: tuple[OffsetRange, ...]
    as_of: datetime

    @property
    def records(self) -> int:
        """Rows landed in the hour."""
        return sum(self.partitions.values())

    def parameters(self, hour: Hour) -> tuple[str | int, ...]:
        """What stands for the question marks of a query: the hour, then each range of offsets."""
        return (hour.dt, hour.hr, *(n for s in self.offsets for n in (s.partition, s.start, s.end)))


@dataclass(frozen=True)
class CountedHour:
    """An hour's tally, the queries' answers by name, the totals with this hour in them."""

    hour: Hour
    landed: LandedHour
    tally: Tally
    answers: Mapping[str, Answer]
    total: Tally

    def summary(self) -> dict[str, Any]:
        """What the asset event and the UI show: JSON."""
        return {
            "hour": self.hour.key,
            "minutes": self.landed.minutes,
            "of_hour": str(self.tally),
            "of_all": str(self.total),
            "records": self.total.counted,
            "distinct": self.total.distinct,
            "scanned_bytes": sum(a.scanned_bytes for a in self.answers.values()),
            "answers": {
                name: {"columns": list(a.columns), "rows": [list(row) for row in a.rows[:_ROWS_SHOWN]]}
                for name, a in self.answers.items()
            },
        }


def queries(folder: Path) -> dict[str, str]:
    """The SQL of each ``*.sql`` of a folder by the file's name; raises SettingsError when ``rows`` or others are missing."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}
    for name in ("rows", "distinct_offsets"):
        if name not in found:
            raise SettingsError(
                f"{folder / name}.sql is not there.", "The proof needs it; TICKLAKE_SQL says where include/sql is."
            )
    return found


def landed_in(lake: Lake, table: str, hour: Hour) -> LandedHour:
    """What the manifests of an hour say."""
    as_of = datetime.now(UTC)
    manifests = sealed_in(lake, table, hour)
    partitions: Counter[int] = Counter()
    for stored in (o for m in manifests for o in m.objects):
        partitions[stored.partition] += stored.records
    return LandedHour(len(manifests), partitions, row_counts.joined(s for m in manifests for s in m.slices), as_of)


def count_hour(
    lake: Lake,
    athena: Athena,
    table: str,
    sql: Mapping[str, str],
    hour: Hour,
    sleep: Callable[[float], None] = time.sleep,
) -> CountedHour:
    """Count an hour, keep and log the answers, add it to the totals.

    Args:
        lake: the bucket.
        athena: asked one question per query, all at once.
        table: name of the table.
        sql: the queries by name, see ``queries``.
        hour: the hour; when something was landed in it, it must be in the catalog.
        sleep: how to wait before counting again.

    Raises:
        LakeError: what is counted differs from what was landed and goes on doing so; the answers are kept all the same.
    """
    landed, answers, tally = _count(lake, athena, table, sql, hour)
    for pause in _RECOUNTS_AFTER:
        if tally.proven:
            break
        _log.warning("%s: %s. Counting again in %g s: it may be a moment's difference.", hour, tally, pause)
        sleep(pause)
        landed, answers, tally = _count(lake, athena, table, sql, hour)
    total = _keep(lake, table, sql, hour, landed, answers, tally)
    counted = CountedHour(hour, landed, tally, answers, total)
    for name, answer in answers.items():
        _log.info("%s", f"{row_counts.title(sql[name])}\n{text_table(answer.columns, answer.rows[:_ROWS_SHOWN])}")
    _log.info("%s, sealed minutes: %d: %s", hour, landed.minutes, tally)
    _log.info("All hours: %s", total)
    if not tally.proven:
        raise LakeError(
            f"The hour {hour} of {table} does not add up: {tally}.",
            "; ".join(row_counts.differing_partitions(landed.partitions, answers["distinct_offsets"])[:10]),
        )
    return counted


def _count(
    lake: Lake, athena: Athena, table: str, sql: Mapping[str, str], hour: Hour
) -> tuple[LandedHour, dict[str, Answer], Tally]:
    landed = landed_in(lake, table, hour)
    if not landed.records:
        return landed, {}, Tally()  # nothing to see for Athena, perhaps not even a table
    parameters = landed.parameters(hour)
    answers = athena.ask(
        {
            name: Question(row_counts.statement(text, table, len(landed.offsets)), parameters)
            for name, text in sql.items()
        }
    )
    rows, distinct = answers["rows"].total("rows"), answers["distinct_offsets"].total("distinct_offsets")
    return landed, answers, Tally(landed.records, rows, distinct)


def _keep(
    lake: Lake,
    table: str,
    sql: Mapping[str, str],
    hour: Hour,
    landed: LandedHour,
    answers: Mapping[str, Answer],
    tally: Tally,
) -> Tally:
    """Store the hour's answers and its tally; returns the total of all hours."""
    day_key, total_key = object_key.day_counts_key(table, hour), object_key.total_counts_key(table)
    newest, total = add_to_totals(lake, day_key, total_key, hour, tally, landed.as_of)
    if newest:
        for name, answer in answers.items():
            document = {
                "title": row_counts.title(sql[name]),
                "hour": hour.key,
                "at": landed.as_of.isoformat(),
                "minutes": landed.minutes,
                "columns": answer.columns,
                "rows": answer.rows,
                "scanned_bytes": answer.scanned_bytes,
                "query_id": answer.query_id,
            }
            lake.put(object_key.counts_key(table, hour, name), json.dumps(document, indent=1).encode())
    else:
        _log.info("%s was counted by another run meanwhile, from newer manifests: its answers stay.", hour)
    return total
