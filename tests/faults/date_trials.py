"""Dates that are wrong: producers with a clock ahead, another unit, none at all. No record of any date may hold others back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from tests.faults.lab import MINUTE, PARTITIONS, Place, Trial
from tests.faults.task import Ended
from ticklake.core.landing.object_key import manifest_key
from ticklake.core.minute import Minute
from ticklake.verify.log import TopicLog

_MINUTES = 5
_LARGEST = 2**63 - 1
_DATE_2100 = 4_102_444_800_000


@dataclass(frozen=True)
class Dates:
    """A way to date records wrongly: its name, and the date (ms) of a record that comes amid a minute."""

    name: str
    of: Callable[[Minute, Random], int]


KINDS: tuple[Dates, ...] = (
    Dates("in 2100", lambda m, r: _DATE_2100 + r.randrange(60_000)),
    Dates("an hour ahead", lambda m, r: m.end_ms + 3_600_000 + r.randrange(60_000)),
    Dates("30 s ahead", lambda m, r: m.end_ms + 30_000 + r.randrange(1000)),
    Dates("microseconds for milliseconds", lambda m, r: m.start_ms * 1000 + r.randrange(60_000_000)),
    Dates("nanoseconds for milliseconds", lambda m, r: m.start_ms * 1_000_000 + r.randrange(60_000_000)),
    Dates("the largest of 64 bits", lambda m, r: _LARGEST - r.randrange(2)),
    Dates("seconds for milliseconds", lambda m, r: m.start_ms // 1000 + r.randrange(60)),
    Dates("of 1970", lambda m, r: 1 + r.randrange(3)),
    Dates("of any kind, mixed", lambda m, r: KINDS[r.randrange(len(KINDS) - 1)].of(m, r)),
)


def wrong_dates(dates: Dates, everywhere: bool, log_append_time: bool = False) -> Trial:
    """Good records and wrongly dated ones, in one Kafka partition or in all, minute by minute."""

    def records(place: Place, minute: Minute) -> Mapping[int, list[int]]:
        strange = set(range(PARTITIONS)) if everywhere else {0}
        found = {}
        for p in range(PARTITIONS):
            good = sorted(minute.start_ms + place.random.randrange(60_000) for _ in range(place.random.randrange(1, 9)))
            for _ in range(place.random.randrange(3) if p in strange else 0):
                good.insert(place.random.randrange(len(good) + 1), dates.of(minute, place.random))
            found[p] = good
        return found

    where = "in all Kafka partitions" if everywhere else "in one Kafka partition"
    name = f"{dates.name}, {'the brokers date them (LogAppendTime)' if log_append_time else where}"
    config = {"message.timestamp.after.max.ms": str(_LARGEST)}
    if log_append_time:
        config = {"message.timestamp.type": "LogAppendTime"}
    return Trial("dates", name, lambda place: _minutes(place, records), topic_config=config)


def falling() -> Trial:
    """Dates that only fall, over all the minutes: each record is dated before the one in front of it."""

    def records(place: Place, minute: Minute) -> Mapping[int, list[int]]:
        passed = (minute.start_ms - MINUTE.start_ms) // 60_000
        last = MINUTE.plus(2 * _MINUTES - passed).start_ms
        return {p: [last - n * 1000 - place.random.randrange(999) for n in range(8)] for p in range(PARTITIONS)}

    config = {"message.timestamp.after.max.ms": str(_LARGEST)}
    return Trial("dates", "strictly falling", lambda place: _minutes(place, records), topic_config=config)


def _minutes(
    place: Place, records: Callable[[Place, Minute], Mapping[int, list[int]]]
) -> tuple[Sequence[Ended], Sequence[str]]:
    """Send and land, minute by minute; whatever came in a minute must be landed by the end of the next one's run."""
    ends: list[Ended] = []
    wrong: list[str] = []
    came: dict[int, int] = {}
    for n in range(_MINUTES):
        minute = MINUTE.plus(n)
        for partition, times in records(place, minute).items():
            place.send_at(times, partition)
        before, came = came, _ends(place)
        ends += place.land(minute, now=minute.plus(1).start + timedelta(milliseconds=place.random.randrange(1, 20_000)))
        landed = _landed(place, minute)
        wrong += [
            f"{minute}: Kafka partition {p} is landed to {landed.get(p)}, {end} had come a minute before"
            for p, end in before.items()
            if landed.get(p, 0) < end
        ]
    last = MINUTE.plus(_MINUTES)
    ends += place.land(last, now=last.plus(1).start)
    landed = _landed(place, last)
    return ends, wrong + [f"{came} had come, landed is {landed}"] * (landed != came)


def _ends(place: Place) -> dict[int, int]:
    log = TopicLog({"bootstrap.servers": place.bootstrap, "log_level": 0}, place.topic)
    try:
        return log.high
    finally:
        log.close()


def _landed(place: Place, minute: Minute) -> dict[int, int]:
    try:
        body = place.s3.get_object(Bucket=place.bucket, Key=manifest_key(place.topic, minute))["Body"].read()
    except place.s3.exceptions.NoSuchKey:
        return {}
    return {s["partition"]: s["end"] for s in json.loads(body)["slices"]}


def all_dates(share: float) -> Iterator[tuple[Trial, int]]:
    """The trials with their seeds; ``share`` of the whole number of each."""
    counts = [(wrong_dates(kind, everywhere), 3) for kind in KINDS for everywhere in (False, True)]
    counts += [(falling(), 4), (wrong_dates(KINDS[6], everywhere=True, log_append_time=True), 2)]
    for trial, count in counts:
        for seed in range(max(1, round(count * share))):
            yield trial, seed
