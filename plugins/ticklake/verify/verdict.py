"""What the verifier found: counts, findings in words, and whether all of it agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_SHOWN = 20


@dataclass
class OffsetCounts:
    """Counts of offsets and records while they are compared.

    Attributes:
        expected: offsets from the first sealed one to the last, gaps included.
        records: of them, records that Kafka gives (committed, not compacted away).
        gone: of them, offsets that Kafka no longer holds: nothing to compare their content with.
        rows: lines found in ``raw/``; rejected: in ``rejected/``.
        missing: records of Kafka found nowhere; for those gone, records that a manifest lists and its object lacks.
        twice: lines beyond the first for one offset.
        altered: lines that are not what Kafka's record makes of them.
        unknown: lines for an offset at which Kafka has no record.
        misplaced: lines that stand where their object's name says they do not.
        lost: offsets gone before they were landed, as the manifests record.
    """

    expected: int = 0
    records: int = 0
    gone: int = 0
    rows: int = 0
    rejected: int = 0
    missing: int = 0
    twice: int = 0
    altered: int = 0
    unknown: int = 0
    misplaced: int = 0
    lost: int = 0


class Notes(list[str]):
    """Findings in words: the first few are kept, the others counted."""

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        self.total = 0
        super().__init__()
        for text in texts:
            self.note(text)

    def note(self, text: str) -> None:
        """Keep one."""
        self.total += 1
        if len(self) < _SHOWN:
            self.append(text)


@dataclass(frozen=True)
class AthenaCount:
    """``COUNT(*)`` and ``COUNT(DISTINCT (kafka_partition, kafka_offset))`` of the sealed offsets; or why there is none."""

    count: int | None
    distinct: int | None
    problem: str = ""


@dataclass
class Verdict:
    """The comparison of one table with its topic.

    Attributes:
        topic: name of the Kafka topic.
        table: name of the table.
        first: key of the oldest sealed minute compared, None without any; last: of the newest.
        minutes: how many sealed minutes were compared.
        tally: the counts.
        offsets: examples of missing, twice, altered, unknown, misplaced.
        orphans: objects that no manifest lists.
        objects: objects missing, unreadable, or not of the bytes and lines that their manifest says.
        gaps: offsets between consecutive manifests; overlaps: offsets in two of them.
        manifests: what is wrong with a manifest itself.
        waiting: records that a minute left though they were due: it stopped short.
        timely: ends of minutes, one a Kafka partition, that are proven to leave nothing that was due; unproven: the others.
        athena: Athena's counts; None: not asked.
        notes: what could not be compared, and why.
    """

    topic: str
    table: str
    first: str | None = None
    last: str | None = None
    minutes: int = 0
    tally: OffsetCounts = field(default_factory=OffsetCounts)
    offsets: Notes = field(default_factory=Notes)
    orphans: Notes = field(default_factory=Notes)
    objects: Notes = field(default_factory=Notes)
    gaps: Notes = field(default_factory=Notes)
    overlaps: Notes = field(default_factory=Notes)
    manifests: Notes = field(default_factory=Notes)
    waiting: Notes = field(default_factory=Notes)
    timely: int = 0
    unproven: int = 0
    athena: AthenaCount | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def findings(self) -> Mapping[str, Notes]:
        """All findings, by what they are called."""
        return {
            "orphan objects": self.orphans,
            "objects that differ from their manifest": self.objects,
            "gaps between manifests": self.gaps,
            "overlaps of manifests": self.overlaps,
            "manifests that are wrong": self.manifests,
            "records waiting": self.waiting,
        }

    @property
    def content_agrees(self) -> bool:
        """Kafka and S3 hold the same records, each once."""
        t = self.tally
        wrong = t.missing + t.twice + t.altered + t.unknown + t.misplaced
        return wrong == 0 and not any(f.total for f in self.findings.values())

    @property
    def athena_agrees(self) -> bool:
        """Athena counts what S3 holds, or was not asked."""
        return self.athena is None or (self.athena.count, self.athena.distinct) == (self.tally.rows, self.tally.rows)

    @property
    def agrees(self) -> bool:
        """Everything agrees."""
        return self.content_agrees and self.athena_agrees

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the counts, each finding's number and first examples."""
        t = self.tally
        return {
            "agrees": self.agrees,
            "topic": self.topic,
            "table": self.table,
            "minutes": {"count": self.minutes, "first": self.first, "last": self.last},
            **asdict(t),
            "without_record": t.expected - t.gone - t.records,
            "timely": {"proven": self.timely, "unproven": self.unproven},
            "examples": list(self.offsets),
            **{
                name.replace(" ", "_"): {"count": found.total, "first": list(found)}
                for name, found in self.findings.items()
            },
            "athena": asdict(self.athena) if self.athena else None,
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """For a person."""
        t = self.tally
        span = f"{self.minutes:,} sealed minutes, {self.first} to {self.last}" if self.minutes else "no sealed minute"
        rows = [
            ("compared", f"topic {self.topic} with table {self.table}: {span}"),
            ("offsets", f"{t.expected:,} expected; {t.records:,} records in Kafka,"
                        f" {t.expected - t.gone - t.records:,} without a record, {t.gone:,} no longer in Kafka"),
            ("found", f"{t.rows:,} rows, {t.rejected:,} rejected"),
            ("missing", f"{t.missing:,}"),
            ("twice", f"{t.twice:,}"),
            ("altered", f"{t.altered:,}"),
            ("unknown", f"{t.unknown:,} without a record in Kafka, {t.misplaced:,} misplaced"),
            *((name, f"{found.total:,}") for name, found in self.findings.items()),
            ("in time", f"{self.timely:,} ends of minutes proven to leave no record that was due, {self.unproven:,} unproven"),
            ("lost", f"{t.lost:,} offsets gone from Kafka before they were landed, as the manifests record"),
            ("Athena", self._athena()),
        ]  # fmt: skip
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}" for name, text in rows]
        for found in (self.offsets, *self.findings.values()):
            lines += [f"  {text}" for text in found]
            if found.total > len(found):
                lines.append(f"  and {found.total - len(found):,} more")
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, self._conclusion()]

    def _conclusion(self) -> str:
        lost = f" {self.tally.lost:,} offsets were lost before they were landed." if self.tally.lost else ""
        return ("All agree." if self.agrees else "They do NOT agree.") + lost

    def _athena(self) -> str:
        if self.athena is None:
            return "not asked"
        if self.athena.problem:
            return self.athena.problem
        return (
            f"COUNT(*) {self.athena.count:,}, COUNT(DISTINCT (kafka_partition, kafka_offset)) {self.athena.distinct:,}"
        )
