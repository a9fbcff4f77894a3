"""Tasks die, come in twos, sleep and wake, are cleared and backfilled: whatever Airflow and a machine can do to them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from tests.faults.lab import MINUTE, Place, Trial
from tests.faults.task import Ended, Task
from tests.support.waiting import let_pass, wait_for
from ticklake.core.landing.object_key import RAW

_REQUESTS = 13  # what a landing of three objects asks of S3, about

Attempts = tuple[Sequence[Ended], Sequence[str]]


def _at_request(place: Place, number: int, when: str, act: Callable[[], None]) -> None:
    """Do something once, when S3 is asked for the so-manieth time: ``before`` or ``after`` it has carried that out."""

    def watch(n: int, now: str) -> None:
        if (n, now) == (number, when):
            place.proxy.first_hit = time.monotonic()
            act()

    place.proxy.arm(None)
    place.proxy.watch = watch


def _any_request(place: Place, act: Callable[[], None]) -> None:
    _at_request(place, 1 + place.random.randrange(_REQUESTS), place.random.choice(("before", "after")), act)


def killed_at_a_request() -> Trial:
    """kill -9 when S3 is asked for something, or has just done it; up to three attempts in a row."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        ends: list[Ended] = []
        for _ in range(place.random.randrange(1, 4)):
            started: list[Task] = []
            _any_request(place, lambda started=started: started[0].kill())  # type: ignore[misc]
            started.append(place.task())
            ends.append(started[0].wait())
            place.send(1, MINUTE.start_ms)  # the next attempt sees more of the log
        place.proxy.watch = None
        return [*ends, *place.land(), *place.land(MINUTE.plus(1))], []

    return Trial("task: kill -9", "at a request to S3", run)


def killed_at_a_moment() -> Trial:
    """kill -9 at any moment of an attempt's life."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        task = place.task()
        let_pass(place.random.uniform(0, 1.5))
        task.kill()
        place.proxy.first_hit = time.monotonic()
        return [task.wait(), *place.land(), *place.land(MINUTE.plus(1))], []

    return Trial("task: kill -9", "at any moment", run)


def twins() -> Trial:
    """Two tasks land the same minute at once; the second sees more of the log than the first."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        begun = threading.Event()
        _any_request(place, begun.set)
        first = place.task(run_id="first")
        wait_for(lambda: begun.is_set() or not first.alive(), "the request, or the end of an attempt without it")
        place.send(3, MINUTE.start_ms)
        second = place.task(run_id="second")
        ends = [first.wait(), second.wait()]
        wrong = [] if any(e.done for e in ends) else ["neither of the twins succeeded"]
        return [*ends, *place.land(MINUTE.plus(1))], wrong

    return Trial("task: twins", "the same minute at once", run)


def zombie(killed: bool) -> Trial:
    """A task is stopped anywhere, another seals the minute, the next minute lands, then the first one wakes."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        started: list[Task] = []
        asleep = threading.Event()

        def stop() -> None:
            started[0].signal(signal.SIGSTOP)
            asleep.set()

        _any_request(place, stop)
        started.append(place.task(run_id="zombie"))
        wait_for(lambda: asleep.is_set() or not started[0].alive(), "the request, or the end of an attempt without it")
        place.send(3, MINUTE.start_ms)
        place.proxy.watch = None
        ends = [*place.land(), *place.land(MINUTE.plus(1))]
        if killed:
            _at_request(place, 1 + place.random.randrange(5), "after", started[0].kill)
        started[0].signal(signal.SIGCONT)
        ends.append(started[0].wait())
        place.proxy.watch = None
        ends += place.land(MINUTE.plus(2))
        return ends, []

    name = "is killed before it has cleaned up" if killed else "wakes after the seal"
    return Trial("task: zombie", name, run)


def backfill_over_live_minutes() -> Trial:
    """Minutes before the first landed one are backfilled in any order, two at a time, while new ones land."""

    def run(place: Place) -> Attempts:
        for n in range(6):
            place.send(3, MINUTE.plus(n).start_ms + place.random.randrange(60_000))
        ends = place.land(MINUTE.plus(3))
        order = [0, 1, 2, 4, 5]
        place.random.shuffle(order)
        while order:
            tasks = [place.task(MINUTE.plus(n), run_id=f"backfill-{n}") for n in (order.pop(), *order[-1:])]
            ends += [t.wait() for t in tasks]
        ends += [end for n in range(6) for end in place.land(MINUTE.plus(n))]
        return ends, []

    return Trial("backfill", "over live minutes", run)


def cleared_while_the_next_lands() -> Trial:
    """A sealed minute is cleared, whole, damaged or forced, while the next minutes land."""

    def run(place: Place) -> Attempts:
        place.send(9, MINUTE.start_ms)
        ends = place.land()
        before = {key: _body(place, key) for key in place.keys(f"{RAW}/")}
        victim = place.random.choice(sorted(before))
        match place.random.randrange(3):
            case 0:
                place.s3.delete_object(Bucket=place.bucket, Key=victim)
            case 1:
                place.s3.put_object(Bucket=place.bucket, Key=victim, Body=before[victim][:-1])
        place.send(6, MINUTE.plus(1).start_ms)
        tasks = [place.task(force=place.random.random() < 0.5), place.task(MINUTE.plus(1)), place.task()]
        ends += [t.wait() for t in tasks]
        after = {key: _body(place, key) for key in before}
        return ends, [] if after == before else ["an object came back with other bytes"]

    return Trial("clear", "of a sealed minute", run)


def scheduler_stopped(minutes: int = 10) -> Trial:
    """No run for ten minutes, then one that must land them all, and is killed amid that."""

    def run(place: Place) -> Attempts:
        place.send(3, MINUTE.start_ms)
        ends = place.land()
        for n in range(1, minutes + 1):
            place.send(3, MINUTE.plus(n).start_ms + place.random.randrange(60_000))
        started: list[Task] = []
        number = place.random.randrange(5, 60)
        _at_request(place, number, "after", lambda: started[0].kill())
        started.append(place.task(MINUTE.plus(minutes)))
        ends.append(started[0].wait())
        place.proxy.watch = None
        ends += place.land(MINUTE.plus(minutes + 1))
        sealed = len(place.keys("manifests/"))
        return ends, [] if sealed == minutes + 2 else [f"{sealed} minutes are sealed"]

    return Trial("scheduler stopped", f"for {minutes} minutes, first run killed", run)


def _body(place: Place, key: str) -> bytes:
    body: bytes = place.s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
    return body


def all_tasks(share: float) -> Iterator[tuple[Trial, int]]:
    """The trials with their seeds; ``share`` of the whole number of each."""
    counts = (
        (killed_at_a_request(), 150),
        (killed_at_a_moment(), 60),
        (twins(), 30),
        (zombie(killed=False), 25),
        (zombie(killed=True), 25),
        (backfill_over_live_minutes(), 12),
        (cleared_while_the_next_lands(), 16),
        (scheduler_stopped(), 16),
    )
    for trial, count in counts:
        for seed in range(max(1, round(count * share))):
            yield trial, seed
