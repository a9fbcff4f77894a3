"""Time and the log's ends: boundaries, years, clocks that jump, retention, topics that change under the landing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions, OffsetSpec

from tests.faults.lab import CREATE_TIME, MINUTE, PARTITIONS, Place, Trial, create_topic
from tests.faults.task import Ended
from tests.support.kafka import serves
from tests.support.waiting import let_pass, wait_for
from ticklake.core.minute import Minute

Attempts = tuple[Sequence[Ended], Sequence[str]]
_YEAR_END = Minute.parse("2025-12-31T23:59")


def _each(place: Place, *minutes: Minute) -> list[Ended]:
    return [end for minute in minutes for end in place.land(minute)]


def empty_minutes() -> Trial:
    """No record at all, then a minute with some, then none again."""

    def run(place: Place) -> Attempts:
        ends = place.land()
        place.send(3, MINUTE.plus(1).start_ms)
        return [*ends, *_each(place, MINUTE.plus(1), MINUTE.plus(2))], []

    return Trial("time", "minutes without a record", run)


def on_the_boundary(first: Minute, name: str) -> Trial:
    """Records on the first and on the last millisecond of minutes."""

    def run(place: Place) -> Attempts:
        for at in (first.start_ms, first.end_ms - 1, first.end_ms, first.plus(1).end_ms - 1, first.plus(1).end_ms):
            place.send(PARTITIONS, at)
        ends = _each(place, first, first.plus(1), first.plus(2))
        counts = [len(place.keys(f"raw/{place.topic}/dt={m.hour.dt}/hr={m.hour.hr}/{m.start:%H%M}-"))
                  for m in (first, first.plus(1), first.plus(2))]  # fmt: skip
        return ends, [] if counts == [PARTITIONS] * 3 else [f"objects by minute: {counts}"]

    return Trial("time", name, run)


def first_ever() -> Trial:
    """The first runs ever are of neighbouring minutes, at once."""

    def run(place: Place) -> Attempts:
        for n in range(4):
            place.send(3, MINUTE.plus(n).start_ms)
        order = [0, 1, 2]
        place.random.shuffle(order)
        tasks = [place.task(MINUTE.plus(n)) for n in order]
        place.send(3, MINUTE.start_ms)  # late
        ends = [t.wait() for t in tasks]
        return [*ends, *_each(place, *(MINUTE.plus(n) for n in range(4)))], []

    return Trial("time", "first minutes ever, at once", run)


def minute_in_the_future() -> Trial:
    """A run for a minute that is not over is refused in words; later it lands."""

    def run(place: Place) -> Attempts:
        place.send(3, MINUTE.start_ms)
        early = place.task(now=MINUTE.start + timedelta(seconds=59)).wait()
        wrong = [] if "is not over yet" in early.words else [f"not refused: {early}"]
        wrong += ["something was written"] * bool(place.keys())
        return [early, *place.land()], wrong

    return Trial("time", "minute in the future", run)


def clock_jumps() -> Trial:
    """The worker's clock runs ahead an hour, so it lands minutes to come; then back; records go on at the true time."""

    def run(place: Place) -> Attempts:
        place.send(3, MINUTE.start_ms)
        ends = place.land()
        ahead = MINUTE.plus(place.random.randrange(5, 60))
        ends += place.land(ahead, now=ahead.plus(1).start)
        for n in range(1, 4):
            place.send(3, MINUTE.plus(n).start_ms)
            ends += place.land(MINUTE.plus(n), now=MINUTE.plus(n + 1).start)
        return [*ends, *place.land(ahead.plus(1))], []

    return Trial("time", "worker's clock jumps ahead and back", run)


def leaders_clocks_apart() -> Trial:
    """Time stamps jump up to five seconds back and forth, as when leaders' clocks differ."""

    def run(place: Place) -> Attempts:
        apart = (max(0, n * 1000 + place.random.choice((-5000, 0, 5000))) for n in range(240))
        place.send_at([MINUTE.start_ms + ms for ms in apart])
        return _each(place, *(MINUTE.plus(n) for n in range(6))), []

    return Trial("time", "clocks of leaders 5 s apart (CreateTime)", run)


def unordered() -> Trial:
    """Time stamps of a whole hour in no order; some minutes land in no order, then those between them."""

    def run(place: Place) -> Attempts:
        place.send_at([MINUTE.start_ms + place.random.randrange(3_600_000) for _ in range(120)])
        minutes = [MINUTE.plus(n) for n in place.random.sample(range(60), 4)]
        ends = _each(place, *minutes)
        return [*ends, *_each(place, *(minute.plus(-1) for minute in sorted(minutes)[1:]), MINUTE.plus(61))], []

    return Trial("time", "an hour's records in no order", run)


def _delete_before(place: Place, offset: int) -> None:
    places = [TopicPartition(place.topic, p, offset) for p in range(PARTITIONS)]
    admin = place.admin()
    for future in admin.delete_records(places).values():
        future.result(60)


def retention_of_sealed() -> Trial:
    """Offsets of a sealed minute go; clearing it changes nothing."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        ends = place.land()
        before = place.keys()
        _delete_before(place, 2)
        return [*ends, *place.land(), *place.land(MINUTE.plus(1))], [] if set(before) < set(place.keys()) else [
            "objects went"
        ]

    return Trial("retention", "offsets gone after the seal", run)


def retention_of_unsealed() -> Trial:
    """Offsets go before their minute is landed: the loss is recorded, said in words, and the next minute is right."""

    def run(place: Place) -> Attempts:
        ends = place.land()
        place.send(9, MINUTE.plus(1).start_ms)
        gone = place.random.randrange(1, 3)
        _delete_before(place, gone)
        told = place.land(MINUTE.plus(1))
        wrong = [] if told[-1].error == "LostOffsetsError" else ["the loss was not told"]
        place.send(9, MINUTE.plus(2).start_ms)
        ends = [*ends, *told, *place.land(MINUTE.plus(2))]
        lost = place.verdict().tally.lost
        return ends, wrong + ([] if lost == gone * PARTITIONS else [f"{lost} offsets are recorded as lost"])

    return Trial("retention", "offsets gone before the seal", run)


def topic_made_again() -> Trial:
    """The topic is deleted and made again: landing stops in words, and nothing is overwritten."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        ends = place.land()
        before = place.keys()
        admin = place.admin()
        admin.delete_topics([place.topic])[place.topic].result(60)
        create_topic(admin, place.topic, 1, CREATE_TIME)
        place.send(30, MINUTE.plus(1).start_ms)
        told = place.task(MINUTE.plus(1)).wait()
        wrong = [] if "is not the one that" in told.words else [f"not told: {told}"]
        return [*ends, told], wrong + ([] if place.keys() == before else ["something was written"])

    return Trial("topic", "deleted and made again", run)


def partition_added() -> Trial:
    """Kafka partitions are added while minutes land."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        ends = place.land()
        admin = place.admin()
        admin.create_partitions([NewPartitions(place.topic, PARTITIONS + 2)])[place.topic].result(60)
        wait_for(lambda: serves(admin, place.topic, PARTITIONS + 2), "the new partitions")
        place.send(4, MINUTE.plus(place.random.randrange(3)).start_ms, partition=PARTITIONS + 1)
        return [*ends, *_each(place, MINUTE.plus(1), MINUTE.plus(2), MINUTE.plus(3))], []

    return Trial("topic", "Kafka partitions added", run)


def _ends(place: Place, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED) -> list[int]:
    """The end of each Kafka partition: of its log, or of what no open transaction holds back."""
    places = [TopicPartition(place.topic, p) for p in range(PARTITIONS)]
    latest: OffsetSpec = OffsetSpec.latest()
    admin = place.admin()  # kept: its calls end with it
    found = admin.list_offsets(dict.fromkeys(places, latest), isolation_level=isolation)
    return [found[p].result(60).offset for p in places]


def _stable(place: Place) -> list[int]:
    return _ends(place, IsolationLevel.READ_COMMITTED)


def transactions() -> Trial:
    """Transactions, committed and aborted, small and large, and one that stays open over a minute."""

    def run(place: Place) -> Attempts:
        minute = Minute.parse(time.strftime("%Y-%m-%dT%H:%M", time.gmtime()))  # markers have the broker's time
        settings = {"bootstrap.servers": place.bootstrap, "log_level": 0}
        producer = Producer({**settings, "transactional.id": place.topic})
        producer.init_transactions(60)
        ends: list[Ended] = []
        for n in range(8):
            producer.begin_transaction()
            for i in range(place.random.randrange(1, 8)):
                producer.produce(place.topic, b'{"n":%d}' % i, partition=i % PARTITIONS, timestamp=minute.start_ms)
            producer.flush(60)
            if n == 4:
                ends += place.land(minute)
            producer.commit_transaction(60) if place.random.random() < 0.6 else producer.abort_transaction(60)
        wait_for(lambda: _stable(place) == _ends(place), "the markers, which come a moment after the answer")
        return [*ends, *_each(place, *(minute.plus(n) for n in range(3)))], []

    return Trial("topic", "transactions committed, aborted, open", run)


def compacted() -> Trial:
    """A compacted topic, compacted before and after its minutes land."""

    def run(place: Place) -> Attempts:
        minutes = [MINUTE.plus(n) for n in range(4)]
        ends: list[Ended] = []
        for minute in minutes:
            place.send(12, minute.start_ms, keys=3)
            let_pass(place.random.uniform(1, 2))  # a segment rolls; the cleaner passes at any moment
            ends += place.land(minute)
        return ends, []

    config = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "100",
    }
    return Trial("topic", "compacted", run, topic_config=config)


def all_times(share: float) -> Iterator[tuple[Trial, int]]:
    """The trials with their seeds; ``share`` of the whole number of each."""
    counts = (
        (empty_minutes(), 2),
        (on_the_boundary(MINUTE, "records on the boundary"), 3),
        (on_the_boundary(_YEAR_END, "year end"), 3),
        (first_ever(), 8),
        (minute_in_the_future(), 3),
        (clock_jumps(), 6),
        (leaders_clocks_apart(), 8),
        (unordered(), 6),
        (retention_of_sealed(), 4),
        (retention_of_unsealed(), 6),
        (topic_made_again(), 3),
        (partition_added(), 5),
        (transactions(), 8),
        (compacted(), 4),
    )
    for trial, count in counts:
        for seed in range(max(1, round(count * share))):
            yield trial, seed
