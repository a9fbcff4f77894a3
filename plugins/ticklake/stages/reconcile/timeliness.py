"""Reconcile's look at what minutes left to the next ones: the first record behind each end, in as few reads as there are.

Within the hour it is an object's first row, and those were read anyway. Behind the hour's last end it is one record a Kafka
partition, read together; where Kafka no longer has it, the first row of the next hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey, hour_prefix
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.offset_ranges import OffsetRange, Offsets
from ticklake.core.minute import Hour
from ticklake.core.proof.timeliness import Candidate, Left, Timeliness, rows_by_offset
from ticklake.stages.kafka_to_s3.landing import Landing

_HOURS_BEHIND = 24  # so far the first row behind an hour is looked for, where Kafka no longer has its record


def look_behind(
    landing: Landing,
    hour: Hour,
    manifests: Sequence[Manifest],
    contents: Mapping[str, Content],
    read: Callable[[str], Content | None],
    low: Offsets | None,
) -> Timeliness:
    """Judge the ends of an hour's minutes.

    Args:
        landing: the bucket, and Kafka.
        hour: the hour.
        manifests: of the hour.
        contents: what its objects hold, by key.
        read: reads an object; None when it is not there.
        low: first offset that Kafka holds, by Kafka partition; None when its log is another topic's.
    """
    found = Timeliness.of(manifests)
    found.decide(rows_by_offset(manifests, contents))
    behind = _behind(found.open, manifests)
    if low is not None:
        held = {p: offsets for p, offsets in behind.items() if low.get(p, offsets[1]) <= offsets[0]}
        first = _first_records(landing.reader, held)
        found.decide({p: [place] for p, place in first.items()})
        found.nothing_lies_behind(held.keys() - first.keys())
    if found.open:
        rows = _first_rows(landing, hour, _behind(found.open, manifests), read)
        found.decide(rows)
    found.give_up()
    return found


def _behind(open_: Sequence[Left], manifests: Sequence[Manifest]) -> dict[int, tuple[int, int]]:
    """Kafka partition -> offsets [start, end) behind the hour's last end in which the first record lies, if there is one."""
    ends: defaultdict[int, int] = defaultdict(int)
    for s in (s for m in manifests for s in m.slices):
        ends[s.partition] = max(ends[s.partition], s.end)
    last: defaultdict[int, int] = defaultdict(int)
    for left in open_:
        last[left.partition] = max(last[left.partition], left.log_end)
    return {p: (ends[p], log_end) for p, log_end in last.items() if log_end > ends[p]}


def _first_records(reader: TopicReader, behind: Mapping[int, tuple[int, int]]) -> dict[int, Candidate]:
    """The first record of each range, read at once; absent where there is none."""
    found: dict[int, Candidate] = {}
    for batch in reader.read([OffsetRange(p, start, end) for p, (start, end) in behind.items()], lambda p: p in found):
        found.setdefault(batch.partition, (batch.offsets[0], batch.timestamps[0]))
    return found


def _first_rows(
    landing: Landing, hour: Hour, behind: Mapping[int, tuple[int, int]], read: Callable[[str], Content | None]
) -> dict[int, list[Candidate]]:
    """The first row of each range among the next hours' objects."""
    found: dict[int, list[Candidate]] = {}
    wanted = set(behind)
    for later in (hour.plus(n) for n in range(1, _HOURS_BEHIND + 1)):
        if not wanted or later.start > landing.clock():
            break
        firsts: defaultdict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for entry in (
            e for zone in (RAW, REJECTED) for e in landing.lake.list(hour_prefix(zone, landing.table, later))
        ):
            with suppress(LakeError):  # a stranger's: it is found as an orphan of its hour
                key = ObjectKey.parse(entry.key)
                if key.partition in wanted and key.start >= behind[key.partition][0]:
                    firsts[key.partition][key.start].append(entry.key)
        for partition, by_start in firsts.items():
            contents = [read(key) for key in by_start[min(by_start)]]
            places: list[Candidate] = [c.first for c in contents if c and c.first]
            unread: list[Candidate] = [(min(by_start), None)]
            found[partition] = sorted(places)[:1] if len(places) == len(contents) else unread
        wanted -= firsts.keys()
    return found
