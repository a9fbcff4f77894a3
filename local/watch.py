"""The wait of `./ticklake up`: the counts as they rise, until two minutes are proven or something will not come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from local import airflow_api, aws_stand_in
from local.lake import CountedTotal, SealedTotal, counted, sealed
from local.processes import Part, PartError
from local.stack import Stack
from local.status import offsets
from local.task_failures import Attempt
from local.terminal import say
from ticklake.clients.aws.s3 import Lake
from ticklake.core.minute import Hour
from ticklake.core.settings.stream import Stream

_MINUTES_WANTED = 2
_PATIENCE = 420.0  # seconds for the first minutes to be counted
_QUIET = 15.0  # seconds after which the counts are said again though nothing rose
_FAILURES_EVERY = 3.0  # seconds between two looks at the tasks
# The DAGs that bring the records from the file to the counts.
_AWAITED = ("csv_to_kafka", "kafka_to_s3", "s3_to_catalog", "catalog_to_counts")


def watch(stack: Stack, parts: Sequence[Part], since: datetime, fresh: bool = False) -> None:
    """Say the counts as they rise, until two minutes are sealed and all their records counted.

    Args:
        stack: the stack.
        parts: all of them, running.
        since: when this `up` began: tasks that failed before it are another's.
        fresh: whether what was proven before does not count, since the producer reads another file now.

    Raises: PartError, when a part ends, a task fails for good, or nothing comes.
    """
    stream = Stream.from_toml(stack.stream)
    lake = Lake(aws_stand_in.client(stack, "s3"), stack.bucket)
    failures = Failures(stack, since)
    say("waiting for the first minutes: a minute is landed when it is over, then counted")
    deadline = time.monotonic() + _PATIENCE
    before: tuple[object, ...] = ()
    said = 0.0
    # Records of the file before are no sign that this one's come.
    others = offsets(stack.kafka(), stream.topic.name).records if fresh else 0
    while True:
        for part in parts:
            if not part.alive():
                raise part.dead()
        again = failures.look()
        now = (sealed(lake, stack, stream.table.name), counted(lake, stream.table.name))
        if (*now, again) != before or time.monotonic() - said > _QUIET:
            produced = offsets(stack.kafka(), stream.topic.name).records
            say(" · ".join([counts_line(produced, *now), *(attempt.progress for attempt in again)]))
            before, said = (*now, again), time.monotonic()
        if is_proven(*now) and now[0].records > others:
            if fresh:
                # The hour was crawled before this file's first object came, and would be again at the next hour only.
                airflow_api.Api(stack).run("s3_to_catalog", Hour.containing(datetime.now(UTC)).key)
                say("the crawler runs once more: new columns are in Athena in a moment")
            return
        if time.monotonic() > deadline:
            produced = offsets(stack.kafka(), stream.topic.name).records
            raise PartError(
                f"No {_MINUTES_WANTED} minutes were sealed and counted within {_PATIENCE:.0f} s; no task failed for good.",
                f"All parts still run; the tasks and their logs: {stack.home.airflow_url}\n"
                f"It was waiting for {missing(produced, *now)}.",
            )
        time.sleep(1)


class Failures:
    """The failed tasks of the awaited DAGs, looked at every few seconds."""

    def __init__(self, stack: Stack, since: datetime) -> None:
        self._stack = stack
        self._api = airflow_api.Api(stack)
        self._since = since
        self._next = 0.0
        self._again: tuple[Attempt, ...] = ()

    def look(self) -> tuple[Attempt, ...]:
        """Those that are tried again; raises PartError with the words of the first that is not."""
        if time.monotonic() < self._next:
            return self._again
        self._next = time.monotonic() + _FAILURES_EVERY
        try:
            found = [a for a in self._api.failed_attempts(self._since) if a.dag in _AWAITED]
        except PartError:
            return self._again  # busy for a moment; when it is dead its part says so
        for attempt in found:
            if attempt.for_good:
                raise self._failed(attempt)
        self._again = tuple(found)
        return self._again

    def _failed(self, attempt: Attempt) -> PartError:
        page = f"{self._stack.home.airflow_url}/dags/{attempt.dag}/runs/{attempt.run}/tasks/{attempt.task}"
        words = attempt.words() or "  It has no log."
        return PartError(
            f"{attempt.name} has failed for good, in try {attempt.number} of {attempt.most}:\n{words}\n"
            f"Its log: {attempt.log}\n"
            f"All parts still run. Mend that, then go on: ./ticklake up. To try only the task again, clear it: {page}",
        )


def is_proven(landed: SealedTotal, athena: CountedTotal) -> bool:
    """Whether Athena counts, each once, at least the records of two sealed minutes."""
    return landed.minutes >= _MINUTES_WANTED and 0 < landed.records == athena.records == athena.distinct


def counts_line(produced: int, landed: SealedTotal, athena: CountedTotal) -> str:
    """One line of the rising counts."""
    return (
        f"Kafka {produced:>7,} · sealed {landed.records:>7,} in {landed.minutes} min · "
        f"SELECT COUNT(*) {athena.records:>7,} · distinct {athena.distinct:>7,}"
    )


def missing(produced: int, landed: SealedTotal, athena: CountedTotal) -> str:
    """What has not come yet, and whose work it is."""
    if not produced:
        return "the first record in Kafka (DAG csv_to_kafka)"
    if not landed.records or landed.minutes < _MINUTES_WANTED:
        there = f"{landed.minutes} minutes with {landed.records:,} records are"
        return f"{_MINUTES_WANTED} sealed minutes with records; {there} (DAG kafka_to_s3)"
    if not athena.records:
        return "the first count in Athena (DAGs s3_to_catalog and catalog_to_counts)"
    return (
        f"Athena to count all {landed.records:,} sealed records; it counts {athena.records:,} (DAG catalog_to_counts)"
    )
