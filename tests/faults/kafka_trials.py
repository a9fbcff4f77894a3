"""Brokers die: the leader while records are produced or landed, two of three, all of them. On a cluster of the trials' own."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import Producer

from tests.faults.brokers import Brokers
from tests.faults.lab import MINUTE, NOTE, PARTITIONS, Place, Trial
from tests.faults.task import Ended
from tests.support.waiting import let_pass, wait_for
from ticklake.clients.kafka.producer import PRODUCER_CONFIG
from ticklake.verify.log import TopicLog

Attempts = tuple[Sequence[Ended], Sequence[str]]


class _Stream:
    """Records produced in the background, as `csv_to_kafka` does; those that Kafka confirmed are remembered."""

    def __init__(self, place: Place) -> None:
        self.confirmed: set[int] = set()
        self.failed: list[str] = []
        self._place = place
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._produce)
        self._thread.start()

    def _produce(self) -> None:
        # The pipeline counts without being told of each record; here each confirmation is remembered.
        told = {"delivery.report.only.error": False}
        producer = Producer({"bootstrap.servers": self._place.bootstrap, **PRODUCER_CONFIG, **told})
        n = 0
        while not self._stop.wait(0.01):
            for _ in range(5):
                at = MINUTE.start_ms + n
                producer.produce(
                    self._place.topic,
                    b'{"n":%d}' % n,
                    partition=n % PARTITIONS,
                    timestamp=at,
                    on_delivery=self._told(n),
                )
                n += 1
            producer.poll(0)
        producer.flush(90)

    def _told(self, n: int) -> Callable[[object, object], None]:
        def told(error: object, _: object) -> None:
            self.failed.append(str(error)) if error else self.confirmed.add(n)

        return told

    def flows(self, more: int = 100) -> None:
        """Wait until so many records more are confirmed than now."""
        wanted = len(self.confirmed) + more
        wait_for(lambda: len(self.confirmed) >= wanted or self.failed, f"{more} confirmed records more")

    def finish(self) -> list[str]:
        """Stop, wait for the confirmations; what went wrong."""
        self._stop.set()
        self._thread.join()
        return [f"{len(self.failed)} records were not confirmed: {self.failed[0]}"] if self.failed else []

    def check(self) -> list[str]:
        """Whether every confirmed record is in Kafka and in S3, each once; what only Kafka did is a note."""
        landed, held = _landed(self._place), _held(self._place)
        doubled = sum(count > 1 for count in held.values())
        wrong = [f"{len(set(held) - set(landed))} records of Kafka are not in S3"] if set(held) - set(landed) else []
        if self.confirmed - set(held):
            wrong.append(f"{NOTE}{len(self.confirmed - set(held))} confirmed records are no longer in Kafka")
        # Two offsets for one record, each landed once: the topic itself holds it twice.
        return wrong + [f"{NOTE}the producer's repetition put {doubled} records twice into Kafka"] * bool(doubled)


def _landed(place: Place) -> Counter[int]:
    found: Counter[int] = Counter()
    for key in place.keys("raw/"):
        body = place.s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
        found.update(json.loads(line)["n"] for line in gzip.decompress(body).splitlines())
    return found


def _held(place: Place) -> Counter[int]:
    log = TopicLog({"bootstrap.servers": place.bootstrap, "log_level": 0}, place.topic)
    try:
        return Counter(json.loads(r.value())["n"] for p in log.high for r in log.records(p, 0, log.high[p]))
    finally:
        log.close()


def leader_killed_while_producing(brokers: Brokers) -> Trial:
    """kill -9 of a leader amid production, which goes on; then it comes back."""

    def run(place: Place) -> Attempts:
        stream = _Stream(place)
        stream.flows()
        brokers.kill(brokers.leader(place.topic, place.random.randrange(PARTITIONS)))
        place.proxy.first_hit = time.monotonic()
        stream.flows()
        ends = place.land()
        brokers.heal()
        wrong = stream.finish()
        ends += [*place.land(MINUTE.plus(1)), *place.land(MINUTE.plus(2))]
        return ends, wrong + stream.check()

    return Trial("Kafka: leader killed", "while records are produced", run)


def leader_killed_while_landing(brokers: Brokers) -> Trial:
    """kill -9 of a leader amid a landing; it comes back only when the minute is sealed."""

    def run(place: Place) -> Attempts:
        for _ in range(10):
            place.send(1500, MINUTE.start_ms)
        leader = brokers.leader(place.topic, place.random.randrange(PARTITIONS))
        task = place.task()
        let_pass(place.random.uniform(0.05, 0.8))
        brokers.kill(leader)
        place.proxy.first_hit = time.monotonic()
        ends = [task.wait()]
        ends += [] if ends[0].done else place.land()
        seconds = place.proxy.first_hit
        brokers.heal()
        place.proxy.first_hit = seconds
        return ends, []

    return Trial("Kafka: leader killed", "while a minute is landed", run)


def two_of_three_down(brokers: Brokers) -> Trial:
    """Two of three brokers are killed: nothing is landed, in words; then they are back."""

    def run(place: Place) -> Attempts:
        place.send(300, MINUTE.start_ms)
        first = place.random.randrange(3)
        brokers.kill(1 + first, 1 + (first + 1) % 3)
        place.proxy.first_hit = time.monotonic()
        ends = [place.task().wait()]
        brokers.heal()
        return [*ends, *place.land(), *place.land(MINUTE.plus(1))], []

    return Trial("Kafka: two of three down", "then back", run)


def all_killed(brokers: Brokers) -> Trial:
    """kill -9 of all brokers amid production and landing; then they start over their unclean logs."""

    def run(place: Place) -> Attempts:
        stream = _Stream(place)
        stream.flows()
        task = place.task()
        let_pass(place.random.uniform(0.0, 0.5))
        brokers.kill(1, 2, 3)
        place.proxy.first_hit = time.monotonic()
        brokers.heal()
        stream.flows()
        wrong = stream.finish()
        ends = [task.wait()]
        ends += [*place.land(), *place.land(MINUTE.plus(1)), *place.land(MINUTE.plus(2))]
        return ends, wrong + stream.check()

    return Trial("Kafka: unclean restart", "all three killed", run)


def all_kafka(brokers: Brokers, share: float) -> Iterator[tuple[Trial, int]]:
    """The trials with their seeds; ``share`` of the whole number of each."""
    counts = (
        (leader_killed_while_producing(brokers), 5),
        (leader_killed_while_landing(brokers), 6),
        (two_of_three_down(brokers), 3),
        (all_killed(brokers), 4),
    )
    for trial, count in counts:
        for seed in range(max(1, round(count * share))):
            yield trial, seed
