"""The producing loop on a real broker: what is read back is what the run was asked for."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ticklake.clients.kafka.admin import KafkaAdmin
from ticklake.clients.kafka.producer import RecordProducer
from ticklake.core.errors import InputError, KafkaError, SettingsError
from ticklake.core.sample.table import read_table
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream
from ticklake.stages import csv_to_kafka
from ticklake.stages.csv_to_kafka import Produced, ProducerRun, produce_csv

CSV = Settings.from_env({"TICKLAKE_BUCKET": "any"}).csv
COLUMNS = ("Index", "Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "CloseUSD")
PARAMS = {"mode": "replay", "rate": 0, "seconds": 60, "seed": None, "endless": False, "record": None}


@pytest.fixture
def stream(kafka_bootstrap: str) -> Stream:
    whole = Stream.from_toml(Path("include/streams/stock_ticks.toml"))
    own = replace(whole, topic=replace(whole.topic, name=f"t-{uuid4().hex}"))
    KafkaAdmin({"bootstrap.servers": kafka_bootstrap}).look(own)  # creates it and waits until it answers
    return own


class Waitless(RecordProducer):
    """A producer whose waiting moves the clock instead of waiting: a run of a minute is over at once, on any machine.

    Attributes:
        now: seconds; a step that need not wait takes ``step``.
        waits: the seconds that each step was to wait.
        meanwhile: called at each step with the time.
    """

    def __init__(self, bootstrap: str, step: float = 0.001, meanwhile: Callable[[float], object] = float) -> None:
        super().__init__({"bootstrap.servers": bootstrap})
        self.now, self.step, self.meanwhile = 0.0, step, meanwhile
        self.waits: list[float] = []

    def serve(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += max(seconds, self.step)
        self.meanwhile(self.now)
        super().serve(0)


@pytest.fixture
def produce(kafka_bootstrap: str, stream: Stream) -> Callable[..., Produced]:
    def run(
        csv: Path = CSV,
        stop: Event | None = None,
        give_way: Callable[[], bool] = bool,
        csv_key: str | None = None,
        producer: Waitless | None = None,
        **params: Any,
    ) -> Produced:
        producer = producer or Waitless(kafka_bootstrap)
        asked = ProducerRun.from_params({**PARAMS, **params})
        return produce_csv(producer, stream, csv, asked, stop or Event(), give_way, csv_key, lambda: producer.now)

    return run


@pytest.fixture
def topic_records(kafka_bootstrap: str, stream: Stream) -> Callable[[], list[tuple[int, str | None, dict]]]:
    """Reads the whole topic: (partition, key, value) of each record, in order of partition and offset."""

    def read() -> list[tuple[int, str | None, dict]]:
        consumer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": "t", "enable.auto.commit": False})
        places = [TopicPartition(stream.topic.name, p, 0) for p in range(6)]
        count = sum(consumer.get_watermark_offsets(place, timeout=60)[1] for place in places)
        consumer.assign(places)
        found = []
        while len(found) < count:
            found += consumer.consume(10_000, timeout=0.1)
        consumer.close()
        found.sort(key=lambda m: (m.partition(), m.offset()))
        return [
            (m.partition() or 0, m.key().decode() if m.key() else None, json.loads(m.value() or b"")) for m in found
        ]

    return read


def small_csv(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "small.csv"
    path.write_text("\n".join([",".join(COLUMNS), *rows, ""]))
    return path


def tick_row(index: str, day: int = 1) -> str:
    return f"{index},2021-05-{day:02d},1.5,2.5,0.5,1.5,1.5,7,1.5"


def test_replay_writes_each_row_once_keyed_by_index_and_in_the_files_order(produce, topic_records, tmp_path):
    names = ["HSI", "NYA", "HSI", "IXIC", "HSI"]
    done = produce(small_csv(tmp_path, *[tick_row(name, day) for day, name in enumerate(names, 1)]))
    records = topic_records()
    assert done.records == len(records) == 5
    assert all(key == value["Index"] and list(value) == list(COLUMNS) for _, key, value in records)
    assert [v["Date"] for _, key, v in records if key == "HSI"] == ["2021-05-01", "2021-05-03", "2021-05-05"]


def test_replay_of_the_whole_file_counts_what_is_in_the_topic(produce, topic_records):
    done = produce()
    counts: dict[int, int] = {}
    for partition, _, _ in topic_records():
        counts[partition] = counts.get(partition, 0) + 1
    assert done.per_partition == counts
    assert done.records == 20_000


@pytest.mark.parametrize("kept", [200_000, 3])
def test_endless_replay_is_the_files_order_over_and_over_whether_its_rows_are_kept_or_read_again(
    produce, topic_records, tmp_path, monkeypatch, kept
):
    monkeypatch.setattr(csv_to_kafka, "_POOL_ROWS", kept)
    produce(small_csv(tmp_path, *(tick_row("HSI", day) for day in range(1, 8))), endless=True, rate=50, seconds=1)
    assert [value["Date"] for _, _, value in topic_records()] == [f"2021-05-{n % 7 + 1:02d}" for n in range(50)]


def test_endless_replay_begins_again(produce, tmp_path):
    assert produce(small_csv(tmp_path, tick_row("HSI")), endless=True, rate=50, seconds=1).records == 50


def test_sample_chooses_random_rows_and_the_same_ones_for_the_same_seed(produce, topic_records):
    produce(mode="sample", rate=400, seconds=1, seed=3)
    first = topic_records()
    assert len({(key, value["Date"]) for _, key, value in first}) > 300
    produce(mode="sample", rate=400, seconds=1, seed=3)
    both = topic_records()
    assert len(both) == 2 * len(first)
    assert all(sum(r == record for r in both) == 2 * sum(r == record for r in first) for record in first[:20])


def test_without_a_seed_each_run_chooses_others(produce, topic_records):
    produce(mode="sample", rate=50, seconds=1)
    first = topic_records()
    produce(mode="sample", rate=50, seconds=1)
    assert topic_records() != sorted([*first, *first], key=str)


def test_the_rate_is_exact_over_the_run_however_long_single_steps_take(produce, kafka_bootstrap):
    sent = []
    producer = Waitless(kafka_bootstrap, step=0.15, meanwhile=lambda now: sent.append((now, producer.sent)))
    done = produce(producer=producer, mode="sample", rate=100, seconds=2)
    assert done.records == 200
    # After each step what was due at its beginning has been sent: the first record is due at once.
    assert all(abs(count - min(200, 100 * (now - 0.15) + 1)) < 2 for now, count in sent if now < 2), sent
    assert 2 <= producer.now < 2.5


def test_a_slow_rate_spreads_its_records_over_the_run(produce, kafka_bootstrap):
    at = {}
    producer = Waitless(kafka_bootstrap, meanwhile=lambda now: at.setdefault(producer.sent, now))
    assert produce(producer=producer, mode="sample", rate=2, seconds=2).records == 4
    assert [at[n] for n in (2, 3, 4)] == pytest.approx([0.5, 1, 1.5], abs=0.21)


def test_as_fast_as_possible_ends_with_the_run_length(produce, kafka_bootstrap):
    producer = Waitless(kafka_bootstrap, step=0.01)
    done = produce(producer=producer, mode="sample", rate=0, seconds=1)
    assert done.records == 500 * 100
    assert set(producer.waits[:100]) == {0}, "it never waits"


@pytest.mark.parametrize("rate", [0, 1])
def test_the_stop_flag_ends_the_loop_at_once_with_everything_flushed(produce, topic_records, kafka_bootstrap, rate):
    stop, after = Event(), []

    def meanwhile(now: float) -> None:
        if stop.is_set():
            after.append(now)
        if now >= 0.6:
            stop.set()

    producer = Waitless(kafka_bootstrap, step=0.05, meanwhile=meanwhile)
    done = produce(stop=stop, producer=producer, mode="sample", rate=rate, seconds=60)
    assert done.records == len(topic_records()) > 0
    assert max(producer.waits) <= 0.2, "it looks at the flag five times a second"
    assert producer.now < 60
    assert all(wait == 0 for wait in producer.waits[-len(after) :]), "all that is left is to flush"


def test_progress_is_logged_and_a_waiting_run_is_given_way(produce, kafka_bootstrap, caplog):
    producer = Waitless(kafka_bootstrap)
    asked = iter([False, True])
    with caplog.at_level(logging.INFO):
        produce(give_way=lambda: next(asked), producer=producer, mode="sample", rate=10, seconds=60)
    assert 20 <= producer.now < 21, "asked every ten seconds"
    lines = [r.getMessage() for r in caplog.records]
    assert sum("records sent" in line for line in lines) == 2
    assert "partition  records" in lines[-1]


def test_a_typed_record_is_sent_once_and_nothing_else(produce, topic_records):
    done = produce(mode="sample", rate=1, record={"Index": "HSI", "Date": "2021-05-31", "Close": 5})
    ((_, key, value),) = topic_records()
    assert (done.records, key, value["Close"], value["Volume"]) == (1, "HSI", 5.0, None)
    assert list(value) == list(COLUMNS)


def test_blank_rows_are_counted(produce, tmp_path):
    assert produce(small_csv(tmp_path, tick_row("HSI"), ",,,,,,,,", "")).blank_rows == 2


@pytest.mark.parametrize("mode", ["sample", "replay"])
def test_nothing_is_sent_of_a_file_with_a_value_that_does_not_fit(produce, topic_records, tmp_path, mode):
    rows = [tick_row("HSI")] * 1000 + ["HSI,2021-05-01,1.5,2.5,0.5,abc,1.5,7,1.5"]
    with pytest.raises(InputError, match=r"small\.csv, line 1002, column Close: 'abc' is not a number"):
        produce(small_csv(tmp_path, *rows), mode=mode)
    assert topic_records() == []


def any_csv(tmp_path: Path, *lines: str, end: str = "\n") -> Path:
    path = tmp_path / "any.csv"
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def test_a_public_copy_of_the_data_set_is_taken_as_it_is(produce, topic_records, tmp_path):
    """Tabs, CRLF, day before month, null, thousands of blank rows, no CloseUSD."""
    header = "\t".join(COLUMNS[:-1])
    rows = [f"HSI\t{day:02d}/06/1979\t1.5\tnull\t0.5\t1.5\t1.5\t7" for day in range(1, 30)]
    done = produce(any_csv(tmp_path, header, *rows, *["\t" * 7] * 5000, end="\r\n"))
    values = [value for _, _, value in topic_records()]
    assert (done.records, done.blank_rows) == (29, 5000)
    assert [value["Date"] for value in values] == [f"1979-06-{day:02d}" for day in range(1, 30)]
    assert list(values[0]) == list(COLUMNS[:-1])
    assert values[0]["High"] is None


def test_a_file_with_other_columns_has_no_keys_and_takes_the_partitions_in_turn(produce, topic_records, tmp_path):
    done = produce(any_csv(tmp_path, "a;b", *(f"{n};x" for n in range(60))))
    assert {key for _, key, _ in topic_records()} == {None}
    assert done.per_partition == dict.fromkeys(range(6), 10)


def test_the_key_can_be_another_column(produce, topic_records, tmp_path):
    produce(any_csv(tmp_path, "id,name", *(f"{n},name{n % 3}" for n in range(60))), csv_key="name")
    records = topic_records()
    assert all(key == value["name"] for _, key, value in records)
    assert len({(partition, key) for partition, key, _ in records}) == 3


def test_a_key_that_is_no_column_is_told_before_anything_is_sent(produce, topic_records, tmp_path):
    with pytest.raises(SettingsError, match=r"TICKLAKE_CSV_KEY = 'nmae' .* Did you mean name\?"):
        produce(any_csv(tmp_path, "id,name", "1,x"), csv_key="nmae")
    assert topic_records() == []


def test_rows_with_too_few_fields_are_counted(produce, tmp_path):
    assert produce(any_csv(tmp_path, "a,b", "1,2", "3")).short_rows == 1


def test_the_log_says_how_the_file_was_understood(produce, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        produce(any_csv(tmp_path, "day|price", "29/06/1979|1", "01/07/1979|n/a", "02/07/1979|3", "|"))
    text = caplog.text
    assert "UTF-8, pipe separator; 3 rows, 1 blank ones skipped, 0 with fewer fields than columns; key: none" in text
    assert "DD/MM/YYYY becomes YYYY-MM-DD" in text
    assert "strings, since line 3 has 'n/a'" in text


def test_the_first_reading_of_a_large_file_is_seen_in_the_log_and_ends_with_the_stop_flag(
    produce, topic_records, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(csv_to_kafka, "_REPORT_SECONDS", 0)
    file = any_csv(tmp_path, "a", *map(str, range(1000)))
    with caplog.at_level(logging.INFO):
        produce(file)
    assert "516 rows looked at" in caplog.text
    assert "1000 rows looked at, 100 % of the file" in caplog.text
    stop = Event()
    stop.set()
    assert produce(file, stop=stop).records == 0


def test_what_is_kept_of_a_file_is_bounded_by_bytes_too(produce, topic_records, tmp_path, monkeypatch):
    """Of rows that take half of what is allowed, two are chosen from."""
    file = any_csv(tmp_path, "a", *(str(n) * 1000 for n in range(10)))
    table = read_table(file)
    assert table is not None
    monkeypatch.setattr(csv_to_kafka, "_POOL_BYTES", 2 * table.bytes_of_a_row)
    produce(file, mode="sample", rate=100, seconds=1)
    assert len({value["a"] for _, _, value in topic_records()}) == 2


@pytest.mark.parametrize("mode", ["sample", "replay"])
def test_a_file_without_rows_is_an_error_not_an_endless_loop(produce, tmp_path, mode):
    with pytest.raises(InputError, match="has no rows but its header"):
        produce(small_csv(tmp_path), mode=mode, endless=True)


def test_a_delivery_failure_fails_the_run_at_once(produce, stream, kafka_bootstrap):
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    entry = ConfigEntry("max.message.bytes", "100", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, stream.topic.name, incremental_configs=[entry])
    admin.incremental_alter_configs([topic])[topic].result(60)
    producer = RecordProducer({"bootstrap.servers": kafka_bootstrap})
    run = ProducerRun.from_params({**PARAMS, "mode": "sample", "rate": 10, "seconds": 600})
    with pytest.raises(KafkaError, match=f"not delivered to topic {stream.topic.name}, partition .*too large"):
        produce_csv(producer, stream, CSV, run, Event())
    assert 0 < producer.sent < 6000, "it did not go on for the ten minutes of the run"


def test_the_result_is_plain_for_xcom():
    assert Produced({3: 2, 0: 1}, 1.26, 4, 5).to_dict() == {
        "records": 3,
        "per_partition": {"0": 1, "3": 2},
        "seconds": 1.3,
        "blank_rows": 4,
        "short_rows": 5,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "random"),
        ("mode", None),
        ("rate", -1),
        ("rate", "5"),
        ("rate", True),
        ("rate", float("nan")),
        ("seconds", 0),
        ("seconds", None),
        ("seed", 1.5),
        ("endless", "no"),
        ("record", "HSI"),
    ],
)
def test_a_wrong_param_is_named(name, value):
    with pytest.raises(SettingsError, match=f"^{name}"):
        ProducerRun.from_params({**PARAMS, name: value})
