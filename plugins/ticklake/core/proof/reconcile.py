"""Reconcile's rules: what must be equal between Kafka, manifests, objects and Athena, and what is found when it is not.

All of an hour that is over. Nothing here asks anybody: the stage brings what each side says, and gets findings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, pairwise

from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest, StoredObject
from ticklake.core.landing.object_key import ObjectKey
from ticklake.core.landing.object_reader import Content
from ticklake.core.landing.offset_ranges import Offsets
from ticklake.core.landing.origin import Origin
from ticklake.core.minute import Hour, Minute

Place = tuple[int, int]
"""Offset and timestamp (ms since the epoch) of a record."""

_SHOWN = 5


class Kind(StrEnum):
    """What can be found."""

    GAP = "gap"
    OVERLAP = "overlap"
    ORPHAN = "orphan object"
    MISSING = "missing object"
    DAMAGED = "damaged object"
    UNCATALOGUED = "uncatalogued partition"
    COUNT = "count differs"
    LOST = "lost"
    KAFKA = "Kafka disagrees"
    WAITING = "record waiting"


HEALED_BY_TIME = frozenset({Kind.GAP, Kind.UNCATALOGUED, Kind.COUNT})
"""Landing or a crawl may only be late: looking again later is worth while."""


@dataclass(frozen=True, order=True)
class Finding:
    """One difference: its kind, the key, minutes or partition it is about, what is seen, what can be done."""

    kind: Kind
    subject: str
    seen: str
    remedy: str


@dataclass(frozen=True)
class Seam:
    """Where a sealed minute, or the table's origin, begins and ends.

    Attributes:
        name: for the reader.
        minute: the minute.
        following: the minute that must touch it; an origin stands for no minute: it is its own.
        starts: first offset per Kafka partition.
        ends: end offset, exclusive.
    """

    name: str
    minute: Minute
    following: Minute
    starts: Offsets
    ends: Offsets

    @classmethod
    def of(cls, sealed: Manifest | Origin) -> Seam:
        """The edge that a manifest or an origin is."""
        if isinstance(sealed, Origin):
            return cls(f"the origin {sealed.minute}", sealed.minute, sealed.minute, sealed.starts, sealed.starts)
        return cls(str(sealed.minute), sealed.minute, sealed.minute.plus(1), sealed.starts, sealed.ends)


def continuity(hour: Hour, sealed: Iterable[Manifest | Origin]) -> Iterator[Finding]:
    """(a) Consecutive manifests touch, over the hour's edges too, and the hour is sealed to its end.

    Args:
        hour: the hour.
        sealed: its manifests, the newest before it, the oldest after it, and the origin, as far as there are any.
    """
    edges = sorted((Seam.of(s) for s in sealed), key=lambda e: (e.minute, e.following))
    for before, after in pairwise(edges):
        yield from _between(hour, before, after)
    if edges and edges[-1].following < Minute(hour.plus(1).start):
        first, last = max(edges[-1].following, Minute(hour.start)), hour.minutes()[-1]
        yield Finding(Kind.GAP, _minutes(first, last), "not sealed, and nothing after it is", _reland(first, last))


def _between(hour: Hour, before: Seam, after: Seam) -> Iterator[Finding]:
    unsealed = [m for m in hour.minutes() if before.following <= m < after.minute]
    if before.following < after.minute and not unsealed:
        if after.minute.hour != hour:
            return  # the hour that holds the later of the two says it
        unsealed = [before.following, after.minute.plus(-1)]  # a pause, however long
    subject, reland = f"{before.name} to {after.name}", _CHANGED
    if unsealed:
        subject, reland = _minutes(unsealed[0], unsealed[-1]), _reland(unsealed[0], unsealed[-1])
    # A partition that one of the two does not know did not exist then: it began, or ended, at 0.
    places = [(p, before.ends.get(p, 0), after.starts.get(p, 0)) for p in sorted({*before.ends, *after.starts})]
    gaps = [f"partition {p} offsets {end} to {start - 1}" for p, end, start in places if end < start]
    overlaps = [f"partition {p} offsets {start} to {end - 1}" for p, end, start in places if end > start]
    if gaps:
        yield Finding(Kind.GAP, subject, f"in no manifest: {_some(gaps)}", reland)
    if overlaps:
        yield Finding(Kind.OVERLAP, subject, f"in two manifests: {_some(overlaps)}", _CHANGED)


def objects(
    manifests: Sequence[Manifest], listed: Mapping[str, int], contents: Mapping[str, Content]
) -> Iterator[Finding]:
    """(b, c) The objects in S3 are exactly those of the manifests, with their bytes, and hold as many lines as they say.

    Args:
        manifests: of the hour.
        listed: what lies under the hour's prefixes: key -> size in bytes.
        contents: what was read of those that are listed by a manifest and have its size.
    """
    wanted = {o.key: o for o in stored(manifests)}
    yield from _unlisted(manifests, sorted(listed.keys() - wanted.keys()))
    for key, o in wanted.items():
        if key not in listed:
            yield Finding(Kind.MISSING, key, "in its manifest and not in S3", _LAND_AGAIN)
        elif key not in contents:
            yield Finding(Kind.DAMAGED, key, f"{listed[key]:,} bytes, {o.bytes:,} in its manifest", _LAND_AGAIN)
        else:
            yield from _content(o, contents[key])


def _unlisted(manifests: Sequence[Manifest], keys: Sequence[str]) -> Iterator[Finding]:
    sealed = {m.minute for m in manifests}
    unsealed: defaultdict[Minute, int] = defaultdict(int)
    for key in keys:
        minute = _minute_of(key)
        if minute is None or minute in sealed:
            # A manifest never gets another object, so this one will never be in it.
            remedy = "Reconcile with `repair` moves it to quarantine/."
            yield Finding(Kind.ORPHAN, key, "in S3 and in no manifest", remedy)
        else:
            unsealed[minute] += 1
    for minute, count in unsealed.items():
        seen = f"not sealed, but {count} objects lie there: it is being landed, or an attempt was killed"
        yield Finding(Kind.GAP, str(minute), seen, _reland(minute, minute))


def _content(o: StoredObject, content: Content) -> Iterator[Finding]:
    if content.checksum != o.checksum or content.lines is None:
        yield Finding(Kind.DAMAGED, o.key, "other bytes than its manifest says", _LAND_AGAIN)
    elif content.lines != o.records:
        seen = f"{content.lines:,} lines, {o.records:,} in its manifest"
        yield Finding(Kind.COUNT, o.key, seen, "The bytes are those that were sealed: its manifest was changed.")


def losses(manifests: Iterable[Manifest]) -> Iterator[Finding]:
    """Offsets that Kafka no longer had when their minute was landed."""
    for m in manifests:
        for s in m.lost:
            seen = f"partition {s.partition} offsets {s.start} to {s.end - 1} were gone before they were landed"
            yield Finding(Kind.LOST, str(m.minute), seen, "Nothing brings them back; raise the topic's retention.")


def rows(
    manifests: Sequence[Manifest], answer: Mapping[int, tuple[int, int]] | LakeError | None, table: str, hour: Hour
) -> Iterator[Finding]:
    """(d) Athena counts the manifests' rows, each Kafka offset once.

    Args:
        manifests: of the hour.
        answer: Kafka partition -> rows, distinct offsets; None when the hour is not in the catalog; the error, when Athena
            failed: one damaged object fails every query of its hour.
        table: name of the table.
        hour: the hour.
    """
    landed: defaultdict[int, int] = defaultdict(int)
    for o in chain.from_iterable(m.objects for m in manifests):
        landed[o.partition] += o.records
    if isinstance(answer, LakeError):
        yield Finding(Kind.COUNT, str(hour), answer.problem, "A damaged object or one that is none of ours? See there.")
        return
    if answer is None:
        if landed:
            seen = f"{sum(landed.values()):,} rows that Athena does not see"
            remedy = f"Reconcile with `repair` runs the crawler; by hand: a run of s3_to_catalog with the key {hour}."
            yield Finding(Kind.UNCATALOGUED, f"{table} dt={hour.dt}/hr={hour.hr}", seen, remedy)
        return
    for partition in sorted({*landed, *answer}):
        counted, distinct = answer.get(partition, (0, 0))
        if not counted == distinct == landed[partition]:
            seen = f"Athena counts {counted:,} rows, {distinct:,} distinct; the manifests say {landed[partition]:,}"
            remedy = "Nothing when an object is missing or no manifest's: see there. Else query them by kafka_offset."
            yield Finding(Kind.COUNT, f"{hour} Kafka partition {partition}", seen, remedy)


@dataclass(frozen=True)
class Ends:
    """The first and the last record of a range of offsets, and its end; a place is None where there is no record."""

    first: Place | None
    last: Place | None
    end: int


def spans(manifests: Iterable[Manifest]) -> dict[int, tuple[int, int]]:
    """Kafka partition -> [start, end) of all the manifests' slices; partitions without offsets left out."""
    found: dict[int, tuple[int, int]] = {}
    for s in (s for m in manifests for s in m.slices if s.end > s.start):
        start, end = found.get(s.partition, (s.start, s.end))
        found[s.partition] = min(start, s.start), max(end, s.end)
    return found


def landed_ends(manifests: Sequence[Manifest], contents: Mapping[str, Content]) -> dict[int, Ends]:
    """What lies in S3 at both ends of each Kafka partition's span, rejected records included."""
    places: defaultdict[int, list[Place]] = defaultdict(list)
    for o in stored(manifests):
        content = contents[o.key]
        places[o.partition] += (p for p in (content.first, content.last) if p)
    return {
        p: Ends(min(places[p], default=None), max(places[p], default=None), end)
        for p, (_, end) in spans(manifests).items()
    }


def topic(hour: Hour, manifests: Iterable[Manifest], topic_id: str | None) -> Iterator[Finding]:
    """(e) The hour was landed from the topic that is there now; ids that are not known are not compared."""
    others = {m.topic_id for m in manifests} - {topic_id, None}
    if topic_id and others:
        seen = f"landed from the topic with the id {', '.join(sorted(map(str, others)))}, now it is {topic_id}"
        yield Finding(Kind.KAFKA, str(hour), seen, _OTHER_TOPIC)


def kafka(hour: Hour, landed: Mapping[int, Ends], held: Mapping[int, Ends]) -> Iterator[Finding]:
    """(e) What Kafka still holds at both ends of the hour is what lies in S3.

    Args:
        hour: the hour.
        landed: by Kafka partition, what lies in S3.
        held: the same of Kafka: the records at the span's first and last offset, None where the log holds none there
            (retention, compaction, a transaction's marker); ``end`` is the end of the log.
    """
    for p in sorted(landed.keys() & held.keys()):
        ours, theirs = landed[p], held[p]
        said = []
        if theirs.end < ours.end:
            said.append(f"the log ends at {theirs.end}, the manifests at {ours.end}")
        for which, here, there in (("first", ours.first, theirs.first), ("last", ours.last, theirs.last)):
            # What Kafka has must be in S3; what S3 has, Kafka may have compacted or forgotten.
            if there is not None and here != there:
                said.append(f"its {which} record is {_place(there)}, in S3 it is {_place(here)}")
        if said:
            yield Finding(Kind.KAFKA, f"{hour} Kafka partition {p}", "; ".join(said), _OTHER_TOPIC)


def stored(manifests: Iterable[Manifest]) -> Iterator[StoredObject]:
    """All objects of the manifests, rejected ones too."""
    return chain.from_iterable((*m.objects, *m.rejected_objects) for m in manifests)


_OTHER_TOPIC = (
    "Was the topic made again, or does ticklake_kafka lead to another cluster? Then land it as another table."
)
_CHANGED = "Both are sealed: look into their manifests under manifests/, one of them was changed or restored wrongly."
_LAND_AGAIN = (
    "Reconcile with `repair` writes it again from Kafka, or from the bucket's versions; so does the DAG reland."
)


def _reland(first: Minute, last: Minute) -> str:
    return f"Run the DAG reland from {first} to {last}."


def _minutes(first: Minute, last: Minute) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _minute_of(key: str) -> Minute | None:
    try:
        return ObjectKey.parse(key).minute
    except LakeError:
        return None


def _place(place: Place | None) -> str:
    return f"offset {place[0]} of {place[1]} ms" if place else "none"


def _some(things: Sequence[str]) -> str:
    more = f" and {len(things) - _SHOWN} more" if len(things) > _SHOWN else ""
    return f"{'; '.join(things[:_SHOWN])}{more}"
