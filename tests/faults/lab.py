"""The laboratory: for each trial a topic, a bucket and a proxy in front of S3, on real parts; and the verdict at its end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.faults.task import Ended, Order, Task, client, until_done
from tests.support.faulty_s3 import FaultyS3, faulty_s3
from tests.support.kafka import serves
from tests.support.waiting import wait_for
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import LandingSettings, Stream, TableSettings, TopicSettings
from ticklake.verify.compare import verify
from ticklake.verify.source import Compared
from ticklake.verify.verdict import Verdict

MINUTE = Minute.parse("2026-11-22T10:05")
PARTITIONS = 3
NOTE = "note: "
# The trial chooses the time, and old records stay.
CREATE_TIME = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}


@dataclass(frozen=True)
class Place:
    """One trial's own topic and bucket."""

    bootstrap: str
    stream: Stream
    upstream: str
    bucket: str
    proxy: FaultyS3
    patience: dict[str, Any]
    random: random.Random
    s3: Any = field(repr=False)

    @property
    def topic(self) -> str:
        """Name of the topic, and of the table."""
        return self.stream.topic.name

    def send(self, count: int, at: int, partition: int | None = None, keys: int = 1) -> None:
        """Produce records, all with one timestamp (ms), to one or all Kafka partitions; returns when they are confirmed."""
        self.send_at([at] * count, partition, keys)

    def send_at(self, times: Sequence[int], partition: int | None = None, keys: int = 1) -> None:
        """One record for each timestamp."""
        refused: list[str] = []
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "log_level": 0})
        for n, at in enumerate(times):
            value = b'{"n":%d,"s":"%s"}' % (n, b"x" * self.random.randrange(60))
            place = n % PARTITIONS if partition is None else partition
            key = b"%d" % self.random.randrange(keys)
            producer.produce(
                self.topic,
                value,
                key,
                place,
                timestamp=at,
                on_delivery=lambda e, _: refused.append(e.str()) if e else None,
            )
        if producer.flush(60) or refused:
            raise RuntimeError(f"records were not confirmed: {refused[:1]}")

    def order(self, minute: Minute = MINUTE, **changes: Any) -> Order:
        """A landing of the minute through the proxy, a day later by the worker's clock."""
        now = changes.pop("now", minute.start + timedelta(days=1))
        order = Order(
            self.bootstrap, self.stream, self.proxy.endpoint, self.bucket, minute, now, patience=self.patience
        )
        return replace(order, **changes)

    def task(self, minute: Minute = MINUTE, **changes: Any) -> Task:
        """One attempt, started."""
        return Task(self.order(minute, **changes))

    def land(self, minute: Minute = MINUTE, **changes: Any) -> list[Ended]:
        """Attempts until one succeeds, as Airflow makes them."""
        return until_done(self.order(minute, **changes))

    def verdict(self) -> Verdict:
        """Kafka and S3 compared, past the proxy."""
        kafka = {"bootstrap.servers": self.bootstrap, "log_level": 0}
        return verify(Compared(kafka, self.topic, self.s3, self.bucket, self.topic))[0]

    def keys(self, prefix: str = "") -> list[str]:
        """Keys in the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def admin(self) -> AdminClient:
        """An admin client of the cluster."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})


@dataclass(frozen=True)
class Lab:
    """The parts that all trials share; ``stalled`` is the patience of the S3 client where S3 falls silent."""

    bootstrap: str
    endpoint: str
    brokers: int = 1
    stalled: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def place(self, seed: int, *, bucket: bool = True, stalls: bool = False, **config: str) -> Iterator[Place]:
        """A topic, a bucket and a proxy; the topic is removed afterwards."""
        name = f"f{uuid4().hex[:20]}"
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        copies = min(3, self.brokers)
        create_topic(admin, name, copies, CREATE_TIME | config)
        s3 = client(self.endpoint)
        if bucket:
            s3.create_bucket(Bucket=name)
        stream = Stream(
            TopicSettings(name, PARTITIONS, copies, max(1, copies - 1), 168),
            TableSettings(name, "k"),
            LandingSettings(f"g-{name}", 1, 1440),
        )
        patience = self.stalled if stalls else {}
        with faulty_s3(self.endpoint) as proxy:
            yield Place(self.bootstrap, stream, self.endpoint, name, proxy, patience, random.Random(seed), s3)
        admin.delete_topics([name], request_timeout=60)


def create_topic(admin: AdminClient, name: str, copies: int, config: Mapping[str, str]) -> None:
    """Create it, also when one of that name is still being deleted, and wait until the brokers know it."""
    new = NewTopic(name, PARTITIONS, copies, config=dict(config))

    def created() -> bool:
        try:
            admin.create_topics([new], request_timeout=60)[name].result(60)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True

    wait_for(created, f"topic {name} created")
    wait_for(lambda: serves(admin, name, PARTITIONS), f"topic {name} known to the brokers")


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        kind: the kind of fault, a row of the table.
        name: the trial.
        seed: of its random choices.
        lost: records of Kafka that are nowhere; twice: rows beyond the first; altered: rows that are not their record.
        other: further differences: unknown rows, orphans, gaps, overlaps, wrong manifests, hung or speechless attempts.
        attempts: how many attempts there were.
        heal_seconds: from the fault to the end of the attempt that healed it.
        words: what the failed attempts said, and what is wrong.
        notes: what is worth knowing and not the landing's doing.
    """

    kind: str
    name: str
    seed: int
    lost: int
    twice: int
    altered: int
    other: int
    attempts: int
    heal_seconds: float
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def healed(self) -> bool:
        """Nothing is wrong at the end."""
        return self.lost + self.twice + self.altered + self.other == 0


@dataclass(frozen=True)
class Trial:
    """One fault: what it is called, and what does it: returns the attempts, and what else is wrong, in words.

    Words that begin with NOTE are not wrong, only worth knowing. A ``slow`` trial waits more than it works; in one that
    ``stalls`` S3 is silent for as long as the client bears it.
    """

    kind: str
    name: str
    run: Callable[[Place], tuple[Sequence[Ended], Sequence[str]]]
    topic_config: dict[str, str] = field(default_factory=dict)
    bucket: bool = True
    slow: bool = False
    stalls: bool = False

    def outcome(self, lab: Lab, seed: int) -> Outcome:
        """Carry it out and compare the content."""
        with lab.place(seed, bucket=self.bucket, stalls=self.stalls, **self.topic_config) as place:
            began = time.monotonic()
            ends, wrong = self.run(place)
            seconds = time.monotonic() - (place.proxy.first_hit or began)
            place.proxy.arm(None)
            return self._judge(seed, ends, list(wrong), place.verdict(), seconds)

    def _judge(self, seed: int, ends: Sequence[Ended], wrong: list[str], verdict: Verdict, seconds: float) -> Outcome:
        notes = [word for word in wrong if word.startswith(NOTE)]
        wrong = [word for word in wrong if not word.startswith(NOTE)]
        wrong += [f"no error in words: {e.words}" for e in ends if e.error == "Hung" or "not in words" in e.words]
        tally = verdict.tally
        wrong += ["nothing was compared"] * (tally.rows == 0)
        wrong += [f"unknown rows: {tally.unknown}"] * bool(tally.unknown)
        wrong += [f"misplaced rows: {tally.misplaced}"] * bool(tally.misplaced)
        for found in verdict.findings.values():
            wrong += found
        said = [e.words for e in ends if not e.done]
        return Outcome(
            self.kind, self.name, seed, tally.missing, tally.twice, tally.altered, len(wrong), len(ends), round(seconds, 3),
            (*dict.fromkeys(said), *wrong, *verdict.offsets),
            tuple(notes),
        )  # fmt: skip
