"""Reconcile: an hour that is over as Kafka, the manifests, the objects and Athena tell it; what differs is repaired, or said.

Every object is read to its end: a GET costs what a HEAD does, and its bytes prove what their stored checksum only claims. What
was repaired is looked at again; so a difference of a moment (a twin that cleans up after itself) is not believed either.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ticklake.clients.aws import glue
from ticklake.clients.aws.athena import Athena, Question
from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.errors import LakeError, SettingsError, TicklakeError
from ticklake.core.landing import object_key
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey, hour_prefix
from ticklake.core.landing.object_reader import Content, read_content
from ticklake.core.landing.offset_ranges import OffsetRange, Offsets
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Hour, Minute
from ticklake.core.proof import reconcile as rules
from ticklake.core.proof import row_counts
from ticklake.core.proof.reconcile import Ends, Finding, Kind, Place
from ticklake.core.proof.reconciled import Reconciled
from ticklake.core.proof.row_counts import Tally
from ticklake.core.proof.timeliness import Timeliness
from ticklake.core.text_table import text_table
from ticklake.core.visible import visible
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.kafka_to_s3.restore import Restored, restore
from ticklake.stages.manifest_store import manifest_of, newest_before, oldest_after, origin_of, sealed_in
from ticklake.stages.reconcile.timeliness import look_behind
from ticklake.stages.totals import add_to_totals

_log = logging.getLogger(__name__)

_HOURS_AT_ONCE = 3  # while Athena works on one, the objects of another are read
_OBJECTS_AT_ONCE = 8


@dataclass(frozen=True)
class Sides:
    """What is compared: Kafka and the bucket (as landing has them), Athena and its query, the catalog and its crawler."""

    landing: Landing
    athena: Athena
    sql: str
    glue: Any
    database: str
    crawler: str


def reconcile(sides: Sides, hours: Sequence[Hour], now: datetime, repair: bool = True) -> tuple[Reconciled, ...]:
    """Compare hours, repair what may be repaired, look at those hours again, store and log all.

    Args:
        sides: what to compare.
        hours: that are over, oldest first.
        now: the time.
        repair: move orphan objects to quarantine, restore missing and damaged ones, run the crawler.

    Raises:
        SettingsError: an hour is not over.
        KafkaError, LakeError: a side does not answer. A difference raises nothing: see ``core.reconciled.require_agreement``.
    """
    for hour in hours:
        if hour.plus(1).start > now:
            raise SettingsError(f"The hour {hour} is not over yet.", "An hour can be reconciled once it has ended.")
    results = {r.hour: r for r in _look_at(sides, hours)}
    differing = [r for r in results.values() if r.stays]
    if repair and differing:
        done, failed = _repair(sides, [f for r in differing for f in r.stays])
        for again in _look_at(sides, [r.hour for r in differing]):
            results[again.hour] = again.after_repair_of(results[again.hour], done, failed)
    _keep(sides.landing, list(results.values()))
    return tuple(results.values())


@dataclass(frozen=True)
class _View:
    """What the bucket and Athena tell of an hour, and what was found in that."""

    hour: Hour
    at: datetime
    manifests: tuple[Manifest, ...]
    contents: Mapping[str, Content]
    answer: Mapping[int, tuple[int, int]]
    findings: tuple[Finding, ...]


def _look_at(sides: Sides, hours: Sequence[Hour]) -> Iterator[Reconciled]:
    low, high = sides.landing.reader.low(), sides.landing.reader.high()
    with ThreadPoolExecutor(_HOURS_AT_ONCE) as pool, ThreadPoolExecutor(_OBJECTS_AT_ONCE) as readers:
        for i in range(0, len(hours), _HOURS_AT_ONCE):
            for view in pool.map(lambda hour: _look_at_lake(sides, hour, readers), hours[i : i + _HOURS_AT_ONCE]):
                # Here, and not in the pool: Kafka's client belongs to one thread.
                found, compared = _look_at_kafka(sides.landing, view, low, high)
                foreign = any(f.kind is Kind.KAFKA for f in found)
                timely = look_behind(
                    sides.landing,
                    view.hour,
                    view.manifests,
                    view.contents,
                    lambda key: _read(sides, key),
                    None if foreign else low,
                )
                looked = _looked(view, (*found, *timely.findings()), compared, timely)
                _log.info("%s: %d sealed minutes, %d findings", looked.hour, looked.minutes, len(looked.stays))
                yield looked


def _look_at_lake(sides: Sides, hour: Hour, readers: ThreadPoolExecutor) -> _View:
    lake, table = sides.landing.lake, sides.landing.table
    at = datetime.now(UTC)
    # Manifests first: whatever one of them lists was there before it was. So nothing is called missing that is on its way.
    manifests = sealed_in(lake, table, hour)
    listed = {e.key: e.size for zone in (RAW, REJECTED) for e in lake.list(hour_prefix(zone, table, hour))}
    asked = readers.submit(_ask, sides, hour)
    whole = [o.key for o in rules.stored(manifests) if listed.get(o.key) == o.bytes]
    read = readers.map(lambda key: _read(sides, key), whole)
    contents = {key: content for key, content in zip(whole, read, strict=True) if content}
    answer = asked.result()
    findings = (
        *rules.continuity(hour, [*manifests, *_around(sides.landing, hour)]),
        *rules.objects(manifests, listed, contents),
        *rules.losses(manifests),
        *rules.rows(manifests, answer, table, hour),
    )
    return _View(hour, at, manifests, contents, answer if isinstance(answer, dict) else {}, findings)


def _around(landing: Landing, hour: Hour) -> Iterator[Manifest | Origin]:
    """What the hour's manifests must touch."""
    lake, table, minutes = landing.lake, landing.table, hour.minutes()
    before = newest_before(lake, table, minutes[0])
    after = oldest_after(lake, table, minutes[-1])
    origin = origin_of(lake, table)
    yield from (sealed for sealed in (before, after) if sealed)
    if (
        origin
        and (before is None or before.minute < origin.minute)
        and (after is None or origin.minute <= after.minute)
    ):
        yield origin


def _read(sides: Sides, key: str) -> Content | None:
    chunks = sides.landing.lake.stream(key)
    return None if chunks is None else read_content(chunks)


def _ask(sides: Sides, hour: Hour) -> dict[int, tuple[int, int]] | LakeError | None:
    """Rows and distinct offsets by Kafka partition as Athena counts them, or its failure; None: not in the catalog."""
    table = sides.landing.table
    if not glue.has_hour(sides.glue, sides.database, table, hour):
        return None
    question = Question(row_counts.statement(sides.sql, table), (hour.dt, hour.hr))
    try:
        answer = sides.athena.ask({(name := f"reconcile {hour}"): question})[name]
    except LakeError as e:
        return e
    partition, rows, distinct = (answer.columns.index(c) for c in ("kafka_partition", "rows", "distinct_offsets"))
    return {int(r[partition] or 0): (int(r[rows] or 0), int(r[distinct] or 0)) for r in answer.rows}


def _look_at_kafka(landing: Landing, view: _View, low: Offsets, high: Offsets) -> tuple[tuple[Finding, ...], int]:
    """Compare the ends of the hour's offsets, as far as Kafka still holds them; also returns in how many partitions."""
    if other := tuple(rules.topic(view.hour, view.manifests, landing.topic_id)):
        return other, 0
    if any(f.kind in (Kind.MISSING, Kind.DAMAGED) for f in view.findings):
        return (), 0  # What lies at the ends is not known.
    spans = {p: span for p, span in rules.spans(view.manifests).items() if p in high}
    firsts = _records_at(landing.reader, {p: start for p, (start, end) in spans.items() if low[p] <= start < high[p]})
    lasts = _records_at(landing.reader, {p: end - 1 for p, (start, end) in spans.items() if low[p] < end <= high[p]})
    held = {p: Ends(firsts.get(p), lasts.get(p), high[p]) for p in spans}
    found = tuple(rules.kafka(view.hour, rules.landed_ends(view.manifests, view.contents), held))
    return found, len(firsts.keys() | lasts.keys())


def _records_at(reader: TopicReader, offsets: Mapping[int, int]) -> dict[int, Place]:
    """The records at these offsets, one per Kafka partition; absent where there is none (compaction, a marker)."""
    found: dict[int, Place] = {}
    for batch in reader.read([OffsetRange(p, offset, offset + 1) for p, offset in offsets.items()]):
        found[batch.partition] = (batch.offsets[-1], batch.timestamps[-1])
    return found


def _repair(sides: Sides, findings: Sequence[Finding]) -> tuple[dict[str, str], dict[str, str]]:
    """Try what is safe; returns what was done and why something could not be done, by the finding's subject."""
    landing, done, failed = sides.landing, {}, {}
    for f in (f for f in findings if f.kind is Kind.ORPHAN):
        try:
            landing.lake.move(f.subject, to := object_key.quarantine_key(f.subject))
            done[f.subject] = f"moved to {to}"
            _log.warning("Moved s3://%s/%s to %s", landing.lake.bucket, visible(f.subject), visible(to))
        except TicklakeError as e:
            failed[f.subject] = str(e)
    again: dict[Minute, list[str]] = {}
    for f in (f for f in findings if f.kind in (Kind.MISSING, Kind.DAMAGED)):
        again.setdefault(ObjectKey.parse(f.subject).minute, []).append(f.subject)
    for minute, subjects in again.items():
        try:
            # By their names: what S3 says of an object's size and checksum may be right, and its bytes wrong.
            restored = _restore(landing, minute, subjects)
        except TicklakeError as e:
            failed |= dict.fromkeys(subjects, str(e))
        else:
            done |= {key: str(how) for key, how in restored.how.items()}
            failed |= {key: str(e) for key, e in restored.failed.items()}
    uncatalogued = [f.subject for f in findings if f.kind is Kind.UNCATALOGUED]
    if uncatalogued:
        try:
            glue.crawl(sides.glue, sides.crawler)
        except TicklakeError as e:
            failed |= dict.fromkeys(uncatalogued, str(e))
        else:
            done |= dict.fromkeys(uncatalogued, "crawled")
    return done, failed


def _restore(landing: Landing, minute: Minute, damaged: Sequence[str]) -> Restored:
    manifest = manifest_of(landing.lake, landing.table, minute)
    if manifest is None:
        raise LakeError(f"The manifest of {minute} was there and is gone.", "Nobody may delete manifests.")
    return restore(landing, manifest, damaged=damaged)


def _looked(view: _View, found: tuple[Finding, ...], kafka_partitions: int, timely: Timeliness) -> Reconciled:
    manifests, contents = view.manifests, view.contents.values()
    return Reconciled(
        hour=view.hour,
        at=view.at,
        minutes=len(manifests),
        offsets=sum(end - start for start, end in rules.spans(manifests).values()),
        records=sum(m.records for m in manifests),
        rejected=sum(m.rejected for m in manifests),
        lost=sum(s.end - s.start for m in manifests for s in m.lost),
        objects=len(contents),
        bytes=sum(c.bytes for c in contents),
        lines=sum(c.lines or 0 for c in contents),
        counted=sum(rows for rows, _ in view.answer.values()),
        distinct=sum(distinct for _, distinct in view.answer.values()),
        kafka_partitions=kafka_partitions,
        stays=(*view.findings, *found),
        timely=timely.timely,
        unproven=timely.unproven,
    )


def _keep(landing: Landing, results: Sequence[Reconciled]) -> None:
    """Store each hour's result and the totals; log the findings as a table, a line an hour, and the totals."""
    lake, table = landing.lake, landing.table
    found = [(f, state) for r in results for state in ("repaired", "stays") for f in getattr(r, state)]
    if found:
        rows = [(state, f.kind, f.subject, f"{f.seen} -> {f.remedy}") for f, state in found]
        _log.warning("%s", text_table(("state", "finding", "about", "seen -> remedy"), rows))
    total = Tally()
    for r in results:
        _log.info("%s", r)
        document = {**r.to_dict(), "run_id": landing.run_id}
        lake.put(object_key.reconciled_key(table, r.hour), json.dumps(document, indent=1).encode())
        day_key, total_key = object_key.day_reconciled_key(table, r.hour), object_key.total_reconciled_key(table)
        _, total = add_to_totals(lake, day_key, total_key, r.hour, r.tally, r.at)
    _log.info("All reconciled hours: %s", total)
