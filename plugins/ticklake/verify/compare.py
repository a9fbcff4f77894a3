"""The comparison: day by day and Kafka partition by Kafka partition, every offset of Kafka with every line in S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from ticklake.core.errors import LakeError
from ticklake.core.minute import Minute
from ticklake.verify import keys
from ticklake.verify.keys import RAW, REJECTED, Key
from ticklake.verify.log import TopicLog
from ticklake.verify.rows import Object, Read, Reader, Row, is_rejected_of, is_row_of, names_its_place
from ticklake.verify.sealed import ListedObject, SealedMinute, days, of_day, of_minute
from ticklake.verify.source import Compared
from ticklake.verify.timely import EndsCheck
from ticklake.verify.verdict import OffsetCounts, Verdict

_PROGRESS_EVERY = 10_000


Progress = Callable[[str], None]
Ranges = dict[int, tuple[int, int]]
"""Kafka partition -> (start, end) offsets."""


def verify(
    source: Compared, first: Minute | None = None, last: Minute | None = None, progress: Progress = lambda _: None
) -> tuple[Verdict, Ranges]:
    """Compare the sealed minutes within [first, last] (None: no bound) with the topic.

    Memory: one day's manifests and the objects that overlap.

    Args:
        source: what is compared.
        first: oldest minute; last: newest one.
        progress: called now and then with the progress.

    Returns:
        The verdict without Athena's counts, and the offsets that were compared.

    Raises:
        KafkaError, LakeError, or boto3's errors: one of the two sides does not answer.
    """
    log = TopicLog(source.kafka, source.topic)
    try:
        with ThreadPoolExecutor(4) as pool:
            run = _Run(source, log, pool, progress)
            for day in days(source.s3, source.bucket, source.table, first, last):
                run.day(day, first, last)
            return run.finish(), run.compared
    finally:
        log.close()


@dataclass
class _Run:
    source: Compared
    log: TopicLog
    pool: Executor
    progress: Progress
    verdict: Verdict = field(init=False)
    compared: Ranges = field(default_factory=dict)
    before: SealedMinute | None = None
    ends: dict[int, int] = field(default_factory=dict)
    other_topics: int = 0
    # Kafka partition -> end of what was landed from an earlier topic of the same name: gone, whatever is there now.
    other_ends: dict[int, int] = field(default_factory=dict)
    listed: dict[str, ListedObject] = field(default_factory=dict)
    timely: EndsCheck = field(init=False)

    def __post_init__(self) -> None:
        self.verdict = Verdict(self.source.topic, self.source.table)
        self.timely = EndsCheck(self.log, self.verdict)

    def day(self, day: date, first: Minute | None, last: Minute | None) -> None:
        """Compare one day's sealed minutes."""
        sealed: list[SealedMinute] = []
        s3, bucket, table = self.source.s3, self.source.bucket, self.source.table
        for found in of_day(s3, bucket, table, day, first, last, self.pool):
            if isinstance(found, str):
                self.verdict.manifests.note(found)
            else:
                sealed.append(found)
        if not sealed:
            return
        ranges: Ranges = {}
        for one in sealed:
            self._touch(one, ranges)
        objects = self._objects(day, sealed, first, last)
        for partition, (start, end) in sorted(ranges.items()):
            mine = [o for o in objects if o.named.partition == partition]
            self._partition(f"{day}, Kafka partition {partition}", partition, start, end, mine)
            self.compared[partition] = (self.compared.get(partition, (start, 0))[0], end)
        for o in objects:
            if o.named.partition not in ranges:
                self.verdict.objects.note(f"{o.key} is of a Kafka partition that no manifest of its day has")

    def finish(self) -> Verdict:
        """The verdict, with notes on what could not be compared."""
        v, log = self.verdict, self.log
        if v.tally.gone:
            v.notes.append(
                f"{v.tally.gone:,} offsets are no longer in Kafka: their lines were compared with the manifests only."
            )
        if log.compacted:
            v.notes.append(
                f"Topic {log.topic} is compacted: a line without a record in Kafka is taken for compacted away."
            )
        if self.other_topics:
            v.notes.append(
                f"{self.other_topics:,} minutes are of an earlier topic {log.topic}, deleted since:"
                " their offsets count as no longer in Kafka."
            )
        foreign = self.before is not None and self.before.topic_id not in (None, log.topic_id)
        for partition, (_, end) in self.compared.items():
            self.timely.finish(partition, end, self._gone_until(partition), foreign)
        v.notes += self.timely.notes()
        open_ = sum(max(0, high - self.ends.get(p, 0)) for p, high in log.high.items())
        if open_ and v.minutes:
            v.notes.append(f"{open_:,} offsets come after the newest sealed minute compared.")
        return v

    def _touch(self, sealed: SealedMinute, ranges: Ranges) -> None:
        """Take up a manifest: whether its slices touch those before, and what its day spans."""
        v = self.verdict
        v.minutes += 1
        v.first = v.first or sealed.minute.key
        v.last = sealed.minute.key
        v.tally.lost += sum(end - start for start, end in sealed.lost.values())
        for partition, (start, end) in sealed.slices.items():
            # A partition that was added since is taken from its very beginning.
            expected = self.ends.get(partition, 0) if self.before else start
            if start != expected:
                what = v.gaps if start > expected else v.overlaps
                what.note(
                    f"{sealed.minute} starts Kafka partition {partition} at {start:,},"
                    f" what was sealed before it ends at {expected:,}"
                )
            known = ranges.get(partition, (min(start, expected), end))
            ranges[partition] = (min(known[0], start), max(known[1], end))
            self.ends[partition] = max(end, self.ends.get(partition, 0))
        for partition in sorted(set(self.ends) - set(sealed.slices)):
            v.manifests.note(f"{sealed.minute} has no slice of Kafka partition {partition}")
        if sealed.topic_id not in (None, self.log.topic_id):
            self.other_topics += 1
            self.other_ends |= {partition: end for partition, (_, end) in sealed.slices.items()}
        self.before = sealed
        self.timely.expect(sealed)

    def _objects(
        self, day: date, sealed: list[SealedMinute], first: Minute | None, last: Minute | None
    ) -> list[Object]:
        """The day's objects in S3, listed or not; says which are missing, of another size, or orphans."""
        self.listed = listed = {o.key: o for one in sealed for o in one.objects}
        self._check_listed(sealed)
        found: dict[str, Object] = {}
        newest = sealed[-1].minute
        for zone in (RAW, REJECTED):
            pages = self.source.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.source.bucket, Prefix=f"{zone}/{self.source.table}/dt={day}/"
            )
            for key, size in ((entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", ())):
                try:
                    named = keys.parse(key)
                except LakeError as e:
                    self.verdict.orphans.note(e.problem)
                    continue
                within = (first is None or named.minute >= first) and (last is None or named.minute <= last)
                if key not in listed and (
                    not within or named.minute > newest or self._is_listed_now(key, named.minute)
                ):
                    continue  # of a minute that is being landed, or was sealed after we read the manifests
                found[key] = Object(key, named, size)
                if key not in listed:
                    self.verdict.orphans.note(f"{key} is in no manifest")
        for key, o in listed.items():
            if key not in found:
                self.verdict.objects.note(f"{key} is missing: {o.records:,} lines")
                if o.end <= self._gone_until(o.partition):
                    self.verdict.tally.missing += o.records
            elif found[key].size != o.bytes:
                self.verdict.objects.note(f"{key} has {found[key].size:,} bytes, its manifest says {o.bytes:,}")
        return list(found.values())

    def _check_listed(self, sealed: list[SealedMinute]) -> None:
        """Each manifest against itself: its objects lie within its slices, are its own, and add up."""
        for one in sealed:
            counts = {RAW: 0, REJECTED: 0}
            for o in one.objects:
                start, end = one.slices.get(o.partition, (0, 0))
                zone = o.key.partition("/")[0]
                counts[zone] = counts.get(zone, 0) + o.records
                if not self._names(o, one.minute) or not start <= o.start < o.end <= end:
                    self.verdict.manifests.note(f"{one.minute}: {o.key} is not an object of its slices")
            if (counts[RAW], counts[REJECTED]) != (one.records, one.rejected):
                self.verdict.manifests.note(f"{one.minute}: its objects' lines do not add up to its counts")

    def _names(self, o: ListedObject, minute: Minute) -> bool:
        """Whether the object's key says of it what its manifest says."""
        try:
            named = keys.parse(o.key)
        except LakeError:
            return False
        return named == Key(named.zone, self.source.table, minute, o.partition, o.start, o.end)

    def _is_listed_now(self, key: str, minute: Minute) -> bool:
        now = of_minute(self.source.s3, self.source.bucket, self.source.table, minute)
        return isinstance(now, SealedMinute) and any(o.key == key for o in now.objects)

    def _gone_until(self, partition: int) -> int:
        return max(self.log.low.get(partition, 0), self.other_ends.get(partition, 0))

    def _partition(self, where: str, partition: int, start: int, end: int, objects: list[Object]) -> None:
        """Walk through Kafka's records and S3's lines side by side."""
        self.verdict.tally.expected += end - start
        records = self.log.records(partition, max(start, self._gone_until(partition)), end)
        lines = Reader(self.source.s3, self.source.bucket, self.pool).rows(objects, self._done)
        record = self._next(records)
        left = self.timely.of(partition)
        for n, (offset, group) in enumerate(groupby(lines, key=lambda row: row.offset)):
            if n % _PROGRESS_EVERY == 0:
                self.progress(f"{where}: offset {offset:,} of {end:,}")
            while record is not None and record.offset() < offset:
                self._missing(partition, record)
                record = self._next(records)
            rows = list(group)
            self._count(partition, offset, rows)
            if offset >= left.due:
                self.timely.see(partition, offset, record, rows[0], self._gone_until(partition))
            if record is not None and record.offset() == offset:
                self._compare(partition, rows, record)
                record = self._next(records)
            elif offset < self._gone_until(partition) or self.log.compacted:
                wrong = sum(not names_its_place(row, partition) for row in rows)
                self._note("altered", wrong, partition, offset)
            else:
                self._note("unknown", len(rows), partition, offset)
        while record is not None:
            self._missing(partition, record)
            record = self._next(records)
        self.verdict.tally.gone += max(0, min(end, self._gone_until(partition)) - start)

    def _next(self, records: Iterator[Any]) -> Any:
        record = next(records, None)
        self.verdict.tally.records += record is not None
        return record

    def _count(self, partition: int, offset: int, rows: list[Row]) -> None:
        tally = self.verdict.tally
        raw = sum(row.raw for row in rows)
        tally.rows += raw
        tally.rejected += len(rows) - raw
        self._note("twice", len(rows) - 1, partition, offset)

    def _compare(self, partition: int, rows: list[Row], record: Any) -> None:
        same = (is_row_of if row.raw else is_rejected_of for row in rows)
        wrong = sum(not is_same(row, partition, record) for is_same, row in zip(same, rows, strict=True))
        self._note("altered", wrong, partition, record.offset())

    def _missing(self, partition: int, record: Any) -> None:
        self._note("missing", 1, partition, record.offset())
        if record.offset() >= self.timely.of(partition).due:
            self.timely.see(partition, record.offset(), record, None, self._gone_until(partition))

    def _note(self, what: str, count: int, partition: int, offset: int) -> None:
        if count:
            tally: OffsetCounts = self.verdict.tally
            setattr(tally, what, getattr(tally, what) + count)
            self.verdict.offsets.note(f"{what}: Kafka partition {partition} offset {offset}")

    def _done(self, o: Object, read: Read) -> None:
        """An object was read to its end: its lines against its manifest."""
        v = self.verdict
        listed: ListedObject | None = self.listed.get(o.key)
        if read.problem:
            v.objects.note(read.problem)
        if read.misplaced:
            v.tally.misplaced += read.misplaced
            v.objects.note(f"{o.key} has {read.misplaced:,} lines that do not belong there")
        if listed is not None and not read.problem:
            # Computed from what was read, not from what S3 stored about them.
            if read.checksum != listed.checksum:
                v.objects.note(f"{o.key} has other bytes than its manifest says: SHA-256 {read.checksum}")
            if listed.crc32 not in (None, read.crc32):
                v.objects.note(f"{o.key} has other lines than its manifest says: CRC-32 {read.crc32}")
        if listed is not None and read.lines != listed.records:
            v.objects.note(f"{o.key} has {read.lines:,} lines, its manifest says {listed.records:,}")
            if listed.end <= self._gone_until(listed.partition):
                v.tally.missing += max(0, listed.records - read.lines)
