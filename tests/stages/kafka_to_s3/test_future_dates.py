"""Producers' clocks may say anything: every record lands in a minute within two of its arrival, once, and is a row.

Minutes are played one after the other: what arrives in one is produced, then it is landed as its run would, two seconds after
its end.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.stages.conftest import MINUTE, TestTopic, new_topic
from tests.support import dated_records
from ticklake.clients.aws.s3 import Lake
from ticklake.core.landing.manifest import Manifest
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.land import land, prepare, seal, write_part
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of

CENTURY = 4_102_444_800_000  # 2100-01-01
MINUTES = 4
Land = Callable[[Landing, Minute, datetime], object]

WRONG = {
    "2100": lambda at: CENTURY,
    "an hour ahead": lambda at: at + 3_600_000,
    "30 s ahead": lambda at: at + 30_000,
    "a minute ahead": lambda at: at + 60_000,
    "microseconds": lambda at: at * 1_000,
    "nanoseconds": lambda at: at * 1_000_000,
    "the largest number": lambda at: 2**63 - 1,
    "seconds, so 1970": lambda at: at // 1_000,
    "0": lambda at: 0,
    "none": lambda at: -1,
    "falling": lambda at: 2 * MINUTE.start_ms - at,
    "falling from ahead": lambda at: 2 * MINUTE.plus(6).end_ms - at,
}


def in_one_task(landing: Landing, minute: Minute, now: datetime) -> None:
    land(landing, minute, now)


def in_three_tasks(landing: Landing, minute: Minute, now: datetime) -> None:
    prepared = prepare(landing, minute, now, 3)
    written = [write_part(landing, minute, part) for part in prepared.parts]
    if prepared.cut.slices:
        seal(landing, minute, prepared.cut, prepared.lost, written)


def after(minute: Minute, seconds: float = 2) -> datetime:
    return minute.plus(1).start + timedelta(seconds=seconds)


def at_the_time_of(landing: Landing, minute: Minute) -> Landing:
    """As if the minute's run sealed it, three seconds after its end."""
    return replace(landing, clock=lambda: after(minute, 3))


def arrivals(minute: Minute) -> list[int]:
    return [minute.start_ms + 1_000 + 7_000 * n for n in range(8)]


def manifests(landing: Landing, first: Minute, count: int) -> list[Manifest]:
    found = [manifest_of(landing.lake, landing.table, first.plus(n)) for n in range(count)]
    return [m for m in found if m]


def require_landed(
    landing: Landing, arrived: dict[tuple[int, int], Minute], sealed: Sequence[Manifest], in_time: bool = True
) -> None:
    """Consecutive manifests touch, every offset is a row once; ``in_time``: of its own minute or the next."""
    for before, following in pairwise(sealed):
        assert following.minute == before.minute.plus(1)
        assert before.ends == following.starts
    taken = {(s.partition, offset): m.minute for m in sealed for s in m.slices for offset in range(s.start, s.end)}
    waited = {place: (minute, taken.get(place)) for place, minute in arrived.items()}
    if in_time:
        assert {p: w for p, w in waited.items() if w[1] not in (w[0], w[0].plus(1))} == {}
    assert rows(landing.lake) == Counter(arrived.keys())


def rows(lake: Lake) -> Counter[tuple[int, int]]:
    lines = (line for e in lake.list("raw/") for line in gzip.decompress(lake.get(e.key) or b"").splitlines())
    return Counter((row["kafka_partition"], row["kafka_offset"]) for row in map(json.loads, lines))


def bodies(lake: Lake) -> dict[str, bytes | None]:
    return {e.key: lake.get(e.key) for e in lake.list("raw/")}


class Play:
    """Minutes that go by."""

    def __init__(self, landing: Landing, topic: TestTopic, run: Land = in_one_task) -> None:
        self.landing, self.topic, self.run = landing, topic, run
        self.arrived: dict[tuple[int, int], Minute] = {}

    def arrive(self, minute: Minute, partition: int, dates: Sequence[int]) -> None:
        records = [(date, b'{"n":%d}' % n) for n, date in enumerate(dates)]
        first = dated_records.produce(self.topic.bootstrap, self.topic.name, partition, records)
        self.arrived |= {(partition, first + n): minute for n in range(len(dates))}

    def land(self, minute: Minute) -> None:
        self.run(at_the_time_of(self.landing, minute), minute, after(minute))

    def end(self, last: Minute, in_time: bool = True) -> None:
        """Two quiet minutes, then the verdict; everything again gives the same bytes."""
        for n in (1, 2):
            self.land(last.plus(n))
        count = int((last.start - MINUTE.start).total_seconds()) // 60 + 3
        sealed = manifests(self.landing, MINUTE, count)
        assert len(sealed) == count
        require_landed(self.landing, self.arrived, sealed, in_time)
        before = bodies(self.landing.lake)
        for m in sealed:
            land(self.landing, m.minute, after(last, 600), force=True)
        assert bodies(self.landing.lake) == before


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("mixed", [False, True], ids=["every record", "among good ones"])
def test_every_record_lands_within_two_minutes_whatever_its_date(
    landing: Landing, topic: TestTopic, wrong: str, mixed: bool
) -> None:
    """In one Kafka partition, beside a good one and an empty one."""
    play = Play(landing, topic)
    play.land(MINUTE.plus(-1))
    for minute in map(MINUTE.plus, range(MINUTES)):
        good = arrivals(minute)
        bad = [WRONG[wrong](at) for at in good]
        play.arrive(
            minute, 0, [b if not mixed or n % 3 == 1 else g for n, (g, b) in enumerate(zip(good, bad, strict=True))]
        )
        play.arrive(minute, 1, good)
        play.land(minute)
    play.end(minute)


@pytest.mark.parametrize("wrong", ["2100", "30 s ahead", "a minute ahead", "microseconds"])
def test_the_same_with_wrong_dates_in_every_partition_and_three_tasks_a_minute(
    landing: Landing, topic: TestTopic, wrong: str
) -> None:
    play = Play(landing, topic, in_three_tasks)
    play.land(MINUTE.plus(-1))
    for minute in map(MINUTE.plus, range(4)):
        for partition in range(3):
            play.arrive(minute, partition, [WRONG[wrong](at) for at in arrivals(minute)] + arrivals(minute)[-2:])
        play.land(minute)
    play.end(minute)


def test_one_record_of_2100_delays_nothing_after_it_for_ever(landing: Landing, topic: TestTopic) -> None:
    """Once landed it lies before every later minute's start, and is still what Kafka names as the first of the next window."""
    play = Play(landing, topic)
    play.arrive(MINUTE, 0, [MINUTE.start_ms, CENTURY])
    play.land(MINUTE)
    for minute in map(MINUTE.plus, range(1, 5)):
        play.arrive(minute, 0, arrivals(minute))
        play.land(minute)
        [sealed] = manifests(landing, minute, 1)
        assert (sealed.records, sealed.early, sealed.late) == (8, 0, 0)
    [first] = manifests(landing, MINUTE, 1)
    assert (first.records, first.early, first.max_timestamp) == (2, 1, CENTURY)
    play.end(minute)


def test_a_run_reads_no_record_twice_to_find_its_end(
    landing: Landing, topic: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what lies before the minute, however long the log is."""
    play = Play(landing, topic)
    play.arrive(MINUTE, 0, [CENTURY, *arrivals(MINUTE)])
    play.land(MINUTE)
    play.arrive(MINUTE.plus(1), 0, arrivals(MINUTE.plus(1)))
    read: list[int] = []
    give = landing.reader.read

    def counting(*args: object) -> Iterator[object]:
        for batch in give(*args):  # type: ignore[arg-type]
            read.extend(batch.offsets)
            yield batch

    monkeypatch.setattr(landing.reader, "read", counting)
    play.land(MINUTE.plus(1))
    assert read == list(range(9, 17))


def test_forecasts_for_each_minute_of_the_hour_are_landed_when_they_come(landing: Landing, topic: TestTopic) -> None:
    """Each is dated at a window's very start, so each would hold the cut of its minute, one after the other."""
    play = Play(landing, topic)
    play.arrive(MINUTE, 0, [MINUTE.plus(n).start_ms for n in range(60)])
    for minute in map(MINUTE.plus, range(3)):
        play.land(minute)
    assert [m.records for m in manifests(landing, MINUTE, 3)] == [1, 59, 0]


@pytest.mark.parametrize("wrong", ["2100", "an hour ahead", "falling from ahead"])
def test_a_catch_up_cuts_each_minute_at_its_own_records(landing: Landing, topic: TestTopic, wrong: str) -> None:
    """Good records say where each minute ends; the wrong ones between them change nothing."""
    play = Play(landing, topic)
    play.land(MINUTE)
    for minute in map(MINUTE.plus, range(1, 6)):
        for at in arrivals(minute):
            play.arrive(minute, 0, [at, WRONG[wrong](at)])
    in_one_task(landing, MINUTE.plus(6), after(MINUTE.plus(6)))
    sealed = manifests(landing, MINUTE.plus(1), 6)
    assert [m.records for m in sealed] == [16, 16, 16, 16, 16, 0]
    require_landed(landing, play.arrived, manifests(landing, MINUTE, 7))


def test_a_hole_before_a_sealed_minute_is_filled_up_to_it(landing: Landing, topic: TestTopic) -> None:
    for n in (-2, -1, 0):
        minute = MINUTE.plus(n)
        dated_records.produce(topic.bootstrap, topic.name, 0, [(at, b"{}") for at in (*arrivals(minute), CENTURY)])
    land(landing, MINUTE, after(MINUTE))
    for n in (-2, -1):
        land(landing, MINUTE.plus(n), after(MINUTE))
    sealed = manifests(landing, MINUTE.plus(-2), 3)
    assert [m.ends for m in sealed[:-1]] == [m.starts for m in sealed[1:]]
    assert set(rows(landing.lake).values()) == {1}
    assert {offset for _, offset in rows(landing.lake)} == set(range(sealed[0].starts[0], 27))


def test_brokers_that_date_the_records_themselves_are_not_impressed(
    lake: Lake, topic: TestTopic, landing: Landing
) -> None:
    """The control: under LogAppendTime no date of a producer arrives at all."""
    name = f"t_{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1, config={"message.timestamp.type": "LogAppendTime"})])[name].result(60)
    stream = replace(topic.stream, topic=replace(topic.stream.topic, name=name))
    own = TestTopic(topic.bootstrap, stream)
    minute = Minute.containing(datetime.now(UTC))
    for wrong in WRONG.values():
        dated_records.produce(topic.bootstrap, name, 0, [(wrong(minute.start_ms), b"{}")])
    reader = own.reader()
    later = minute.plus(3)
    mine = replace(landing, reader=reader, stream=stream, topic_id=own.id())
    sealed = [m for n in range(3) for m in land(mine, minute.plus(n), later.start).manifests]
    reader.close()
    assert sum(m.records for m in sealed) == len(WRONG)
    assert sum(m.early + m.late for m in sealed) == 0
    admin.delete_topics([name])[name].result(60)


dates = st.one_of(
    st.integers(-120, 600).map(lambda s: MINUTE.start_ms + 1000 * s),
    st.integers(0, 10).map(lambda m: MINUTE.plus(m).start_ms),
    st.sampled_from([CENTURY, -1, 0, 2**62, MINUTE.start_ms // 1000]),
)
minutes = st.lists(
    st.lists(st.tuples(st.integers(0, 1), st.lists(dates, min_size=1, max_size=6)), max_size=3), min_size=2, max_size=5
)


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(minutes, st.data())
def test_random_dates_wait_no_longer_than_two_minutes(
    kafka_bootstrap: str, s3: Any, played: list[list[tuple[int, list[int]]]], data: st.DataObject
) -> None:
    """On a real log; runs may be skipped, so that a later one catches up. The rule by itself: test_offset_ranges."""
    bucket = f"t-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    with new_topic(kafka_bootstrap) as topic, closing(topic.reader()) as reader:
        play = Play(Landing(reader, Lake(s3, bucket), topic.stream, "test-run", topic.id()), topic)
        play.land(MINUTE.plus(-1))
        in_time = True
        for minute, batches in zip(map(MINUTE.plus, range(len(played))), played, strict=False):
            for partition, some in batches:
                play.arrive(minute, partition, some)
            if data.draw(st.booleans(), label=f"{minute} is landed"):
                play.land(minute)
            else:
                in_time = False
        play.end(minute, in_time)
