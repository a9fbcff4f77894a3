"""A representative part of `./ticklake bench faults`: trials of each sort, side by side, each ended by comparing content."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import date_trials, kafka_trials, s3_trials, task_trials, time_trials
from tests.faults.brokers import brokers
from tests.faults.lab import MINUTE, Lab, Outcome, Place, Trial
from tests.faults.task import Ended

_AT_ONCE, _SEED = 5, 7
TRIALS = (
    s3_trials.failing("500", "object put", 1),
    s3_trials.failing("503 SlowDown", "list", 8),
    s3_trials.failing("reset", "delete", 8),
    s3_trials.failing("stall", "manifest put", 1),
    s3_trials.failing("truncated answer", "get", 8),
    s3_trials.failing("answer lost", "manifest put", 8),
    s3_trials.failing("answer lost", "origin put", 1),
    s3_trials.refusing("403 ExpiredToken"),
    s3_trials.refusing("400 AuthorizationHeaderMalformed"),
    s3_trials.bucket_missing(),
    s3_trials.disk_full(),
    s3_trials.late_manifest(),
    task_trials.killed_at_a_request(),
    task_trials.killed_at_a_moment(),
    task_trials.twins(),
    task_trials.zombie(killed=False),
    task_trials.zombie(killed=True),
    task_trials.backfill_over_live_minutes(),
    task_trials.cleared_while_the_next_lands(),
    task_trials.scheduler_stopped(),
    time_trials.first_ever(),
    time_trials.clock_jumps(),
    time_trials.leaders_clocks_apart(),
    time_trials.unordered(),
    time_trials.retention_of_unsealed(),
    time_trials.topic_made_again(),
    time_trials.partition_added(),
    time_trials.transactions(),
    time_trials.compacted(),
    date_trials.wrong_dates(date_trials.KINDS[0], everywhere=False),
    date_trials.wrong_dates(date_trials.KINDS[-1], everywhere=True),
    date_trials.falling(),
)


def leader_killed(folder: Path, lab: Lab) -> Outcome:
    with brokers(folder) as three:
        trial = kafka_trials.leader_killed_while_landing(three)
        return trial.outcome(Lab(three.bootstrap, lab.endpoint, brokers=3), _SEED)


@pytest.fixture(scope="module")
def running(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Future[Outcome]]]:
    """All trials, begun when the first is asked for; the one that takes longest first."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        longest = pool.submit(leader_killed, tmp_path_factory.mktemp("three"), lab)
        yield [*(pool.submit(trial.outcome, lab, _SEED) for trial in TRIALS), longest]


@pytest.mark.parametrize(
    "number",
    range(len(TRIALS) + 1),
    ids=[*(f"{t.kind}, {t.name}" for t in TRIALS), "Kafka: leader killed, while a minute is landed"],
)
def test_the_fault_loses_nothing_doubles_nothing_alters_nothing(
    running: Sequence[Future[Outcome]], number: int
) -> None:
    outcome = running[number].result()
    assert outcome.healed, outcome


def test_a_trial_that_ends_with_a_record_lost_is_not_healed(lab: Lab) -> None:
    def run(place: Place) -> tuple[Sequence[Ended], Sequence[str]]:
        place.send(3, MINUTE.start_ms)
        ends = place.land()
        place.s3.delete_object(Bucket=place.bucket, Key=place.keys("raw/")[0])
        return ends, []

    outcome = Trial("none", "an object is deleted", run).outcome(lab, 1)
    assert (outcome.lost, outcome.healed) == (1, False)


def test_a_trial_in_which_nothing_was_landed_is_not_healed(lab: Lab) -> None:
    outcome = Trial("none", "nothing is done", lambda _: ([], [])).outcome(lab, 1)
    assert not outcome.healed
