"""A minute that stopped short must be seen: here the rule that prevents it is taken out of landing, or an answer is made up."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.stages.conftest import MINUTE, TestTopic, ticks
from tests.stages.kafka_to_s3.test_land import delete_before
from tests.support.untimely import take_any_date, without_the_rule
from ticklake.core.minute import Minute
from ticklake.core.moment import moment
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.verify.compare import verify
from ticklake.verify.sealed import SealedMinute
from ticklake.verify.source import Compared
from ticklake.verify.timely import EndsCheck
from ticklake.verify.verdict import Verdict

HOUR_MS = 3_600_000
DATE_2100 = 4_102_444_800_000
LAST = MINUTE.plus(2)
NOW = LAST.plus(1).start


@pytest.fixture
def topic(topic: TestTopic) -> TestTopic:
    """It takes any date, as topics did before Kafka 3.6."""
    take_any_date(topic.bootstrap, topic.name)
    return topic


@pytest.fixture
def at_now(landing: Landing) -> Landing:
    """The landing, its clock standing at the last minute's end."""
    return replace(landing, clock=lambda: NOW)


def send(topic: TestTopic, *dates: int, partition: int = 0) -> None:
    for date in dates:
        topic.send(b"{}", partition=partition, at=date)


def three_minutes(landing: Landing, topic: TestTopic, strange: int) -> Verdict:
    """Good records around one of another date, three minutes landed, each when it was over."""
    for n in range(3):
        at = MINUTE.plus(n)
        send(topic, at.start_ms + 1, *([strange] if n == 0 else []), at.start_ms + 2)
        send(topic, at.start_ms + 1, partition=1)
        now = at.plus(1).start
        land(replace(landing, clock=lambda now=now: now), at, now)  # type: ignore[misc]
    return check(landing, topic)


def check(landing: Landing, topic: TestTopic, first: Minute | None = None, last: Minute | None = None) -> Verdict:
    lake = landing.lake
    source = Compared({"bootstrap.servers": topic.bootstrap}, topic.name, lake._client, lake.bucket, landing.table)
    return verify(source, first, last)[0]


@pytest.mark.parametrize("strange", [DATE_2100, LAST.end_ms + HOUR_MS, (MINUTE.start_ms + 1) * 1_000_000])
def test_with_the_rule_taken_out_of_landing_the_proof_fails_and_names_minute_partition_offset_and_date(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch, strange: int
) -> None:
    without_the_rule(monkeypatch)
    verdict = three_minutes(landing, topic, strange)
    assert not verdict.agrees
    assert list(verdict.waiting) == [
        f"{MINUTE} to {LAST} stop short in Kafka partition 0, at offset 1 of 7: the first record left, offset 1,"
        f" is dated {moment(strange)}, after it was sealed ({moment(MINUTE.end_ms)})"
    ]
    assert verdict.tally.missing == 0  # all that was compared agrees: only this tells
    assert "They do NOT agree." in verdict.lines()[-1]


def test_with_the_rule_in_landing_the_same_records_prove_to_be_in_time(landing: Landing, topic: TestTopic) -> None:
    verdict = three_minutes(landing, topic, DATE_2100)
    assert verdict.agrees, verdict.lines()
    assert (verdict.timely, verdict.unproven, verdict.tally.rows) == (9, 0, 10)


def test_a_record_that_waits_behind_one_from_the_future_that_was_landed_is_seen(
    at_now: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(topic, MINUTE.start_ms, DATE_2100)
    land(at_now, MINUTE, NOW)  # by the rule: it is a row of this minute
    send(topic, MINUTE.plus(1).start_ms + 5)
    without_the_rule(monkeypatch)
    land(at_now, MINUTE.plus(1), NOW)
    verdict = check(at_now, topic)
    assert list(verdict.waiting) == [
        f"{MINUTE.plus(1)} stops short in Kafka partition 0, at offset 2 of 3: the first record left, offset 2,"
        f" is dated {moment(MINUTE.plus(1).start_ms + 5)}, before its end ({moment(MINUTE.plus(1).end_ms)})"
    ]


def transaction(topic: TestTopic, at: int, commit: bool) -> None:
    """One record of its own date, and the marker behind it, of the broker's."""
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic.name, b"{}", partition=0, timestamp=at)
    producer.flush(60)
    (producer.commit_transaction if commit else producer.abort_transaction)(60)


def wait_for_end(topic: TestTopic, end: int) -> None:
    """The marker comes a moment after the transaction's end was confirmed."""
    deadline = datetime.now(UTC).timestamp() + 60
    while topic.end_offsets()[0] < end:
        assert datetime.now(UTC).timestamp() < deadline


@pytest.mark.parametrize("rule", [True, False])
def test_an_aborted_record_from_the_future_holds_nothing_or_is_seen(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch, rule: bool
) -> None:
    minute = Minute.containing(datetime.now(UTC))  # markers have the broker's date
    send(topic, minute.start_ms)
    transaction(topic, DATE_2100, commit=False)
    wait_for_end(topic, 3)
    send(topic, *(minute.plus(n).start_ms for n in range(3)))
    if not rule:
        without_the_rule(monkeypatch)
    for n in range(3):
        now = minute.plus(n + 1).start
        land(replace(landing, clock=lambda now=now: now), minute.plus(n), now)  # type: ignore[misc]
    verdict = check(landing, topic)
    assert verdict.agrees is rule, verdict.lines()
    # No reader sees the aborted record itself; the one behind it was left though it was due.
    assert [found.partition(" short")[0] for found in verdict.waiting] == (
        [] if rule else [f"{minute} to {minute.plus(2)} stop"]
    )


def test_a_transactions_marker_may_end_a_minute_though_the_record_behind_it_is_late(
    landing: Landing, topic: TestTopic
) -> None:
    minute = Minute.containing(datetime.now(UTC)).plus(-1)
    transaction(topic, minute.start_ms, commit=True)
    wait_for_end(topic, 2)
    send(topic, minute.start_ms + 7)
    land(landing, minute, datetime.now(UTC))
    verdict = check(landing, topic)
    assert verdict.agrees, verdict.lines()
    assert (verdict.tally.rows, verdict.unproven) == (1, 0)


@dataclass
class FakeLog:
    """Kafka as it might answer: records by offset with their dates, and how Kafka's index of dates answers."""

    records: dict[int, int] = field(default_factory=dict)
    dated: dict[int, int] = field(default_factory=dict)
    compacted: bool = False

    def first(self, partition: int, start: int, end: int) -> Any:
        return next((record(o, ms) for o, ms in self.records.items() if start <= o < end), None)

    def first_dated(self, partition: int, ms: int) -> int | None:
        return self.dated.get(ms)


def record(offset: int, ms: int) -> Any:
    return SimpleNamespace(offset=lambda: offset, timestamp=lambda: (1, ms))


def judged(
    log: FakeLog, end: int, log_end: int | None, gone_until: int = 0, foreign: bool = False
) -> tuple[int, int, int]:
    """Ends proven, records waiting, ends unproven, of one minute that ended at ``end``, seen to its end by Kafka."""
    verdict = Verdict("t", "t")
    timely = EndsCheck(log, verdict)  # type: ignore[arg-type]
    log_ends = {} if log_end is None else {0: log_end}
    timely.expect(SealedMinute(MINUTE, MINUTE.end_ms + 1000, "id", {0: (0, end)}, log_ends, {}, (), 0, 0))
    timely.finish(0, end, gone_until, foreign)
    return verdict.timely, verdict.waiting.total, verdict.unproven


IN_TIME, TOO_SOON, TOO_LATE = MINUTE.end_ms, MINUTE.end_ms - 1, MINUTE.end_ms + 1001
PROVEN, WAITS, UNPROVEN = (1, 0, 0), (0, 1, 0), (0, 0, 1)


@pytest.mark.parametrize(
    ("end", "log_end", "records", "verdict"),
    [
        (5, 5, {5: TOO_SOON}, PROVEN),  # it came after the minute was sealed
        (5, 9, {5: IN_TIME}, PROVEN),
        (5, 9, {5: MINUTE.end_ms + 1000}, PROVEN),
        (5, 9, {5: TOO_SOON}, WAITS),
        (5, 9, {5: TOO_LATE}, WAITS),
        (5, 9, {}, PROVEN),  # nothing but markers
        (5, 9, {9: TOO_LATE}, PROVEN),
        (5, None, {5: IN_TIME}, UNPROVEN),
    ],
)
def test_the_first_record_behind_the_end_decides_by_its_date(
    end: int, log_end: int | None, records: dict[int, int], verdict: tuple[int, int, int]
) -> None:
    assert judged(FakeLog(records), end, log_end) == verdict


@pytest.mark.parametrize(
    ("dated", "verdict"),
    [
        ({MINUTE.end_ms: 5}, PROVEN),  # a marker at offset 5, of the next window
        ({MINUTE.end_ms: 5, TOO_LATE: 5}, WAITS),  # it is of the future itself
        ({MINUTE.end_ms: 6}, WAITS),  # nothing before the record that waits has ended the minute
        ({}, WAITS),
    ],
)
def test_where_no_record_stands_at_the_end_kafkas_index_of_dates_decides(
    dated: dict[int, int], verdict: tuple[int, int, int]
) -> None:
    assert judged(FakeLog({6: TOO_SOON}, dated), 5, 9) == verdict


def test_what_compaction_or_retention_may_have_taken_makes_a_late_record_unproven_and_one_in_time_no_less_so() -> None:
    late, timely = {6: TOO_SOON}, {6: IN_TIME}
    assert judged(FakeLog(late, compacted=True), 5, 9) == UNPROVEN
    assert judged(FakeLog(timely, compacted=True), 5, 9) == PROVEN
    assert judged(FakeLog(late), 5, 9, gone_until=6) == UNPROVEN
    assert judged(FakeLog({}), 5, 9, gone_until=6) == UNPROVEN
    assert judged(FakeLog(timely), 5, 9, gone_until=6) == PROVEN


def test_records_of_another_topic_of_that_name_prove_nothing() -> None:
    assert judged(FakeLog({5: TOO_SOON}), 5, 9, foreign=True) == UNPROVEN


def test_manifests_of_an_earlier_version_are_counted_and_said() -> None:
    verdict = Verdict("t", "t")
    timely = EndsCheck(FakeLog(), verdict)  # type: ignore[arg-type]
    timely.expect(SealedMinute(MINUTE, 0, "id", {0: (0, 5), 1: (0, 2)}, {}, {}, (), 0, 0))
    assert verdict.unproven == 2
    assert timely.notes()[0].startswith("1 minutes do not say how far the log went")
    assert verdict.content_agrees


def test_a_manifest_that_saw_less_of_the_log_than_it_took_is_wrong() -> None:
    verdict = Verdict("t", "t")
    EndsCheck(FakeLog(), verdict).expect(SealedMinute(MINUTE, 0, "id", {0: (0, 5)}, {0: 4}, {}, (), 0, 0))  # type: ignore[arg-type]
    assert verdict.manifests.total == 1


def test_where_kafka_holds_nothing_more_the_rows_decide(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_rule(monkeypatch)
    send(topic, MINUTE.start_ms, MINUTE.end_ms + HOUR_MS, *(MINUTE.start_ms + n for n in range(3)))
    land(replace(landing, clock=lambda: NOW), MINUTE, NOW)
    monkeypatch.undo()
    later = MINUTE.plus(61)
    land(landing, later, later.plus(1).start)
    delete_before(topic, 5)
    verdict = check(landing, topic)
    assert verdict.waiting.total == 1
    assert "the first record left, offset 1," in verdict.waiting[0]
    assert verdict.tally.gone == 5


def test_the_end_of_a_range_is_proven_by_what_kafka_holds_behind_it(landing: Landing, topic: TestTopic) -> None:
    topic.send(*ticks(2), at=MINUTE.start_ms)
    topic.send(*ticks(2), at=MINUTE.end_ms)
    for n in range(2):
        land(landing, MINUTE.plus(n), NOW)
    verdict = check(landing, topic, MINUTE, MINUTE)
    assert verdict.agrees, verdict.lines()
    assert (verdict.timely, verdict.unproven) == (3, 0)
