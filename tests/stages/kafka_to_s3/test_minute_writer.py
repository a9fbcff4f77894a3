"""Any records in: what is written holds each of them once, as a row or as a rejected one."""

import base64
import gc
import gzip
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tests.support.verdict import verdicts
from ticklake.core.formats.json_rows import Batch, Record
from ticklake.core.landing.gzip_writer import IGZIP, Packed
from ticklake.core.landing.object_key import ObjectKey
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.minute_writer import MinuteWriter, pools

MINUTE = Minute.parse("2026-11-22T10:05")

alike = st.integers(0, 9).map(lambda n: b'{"a":%d,"b":"x"}' % n)  # many of one shape: proven together
texts = st.sampled_from(
    [b"{}", b'{"a":1}', b'{ "a" : "x",\n"b":[]}', b'{"a":1,"A":2}', b'{"dt":1}', b"[]", b"\xff", b'{"a":NaN}']
)
values = st.one_of(alike, alike, st.none(), st.binary(max_size=20), texts)
timestamps = st.integers(MINUTE.start_ms - 5, MINUTE.end_ms + 5)


@dataclass(frozen=True)
class Consumed:
    """A record as the client gives it."""

    at: int
    content: bytes | None
    time: int
    name: bytes | None = None
    more: tuple[tuple[str, bytes | None], ...] = ()

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.name

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.more) or None

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return (1, self.time)


@st.composite
def logs(draw: st.DrawFn) -> dict[int, list[Consumed]]:
    """Kafka partition -> records with rising offsets, some offsets without one."""
    made: dict[int, list[Consumed]] = {}
    for partition in draw(st.sets(st.integers(0, 3), min_size=1)):
        at = sorted(draw(st.sets(st.integers(0, 60), max_size=25)))
        headers = st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=2).map(tuple)
        made[partition] = [
            Consumed(a, draw(values), draw(timestamps), draw(st.none() | st.binary(max_size=3)), draw(headers))
            for a in at
        ]
    return made


def batch_of(partition: int, records: Sequence[Consumed]) -> Batch:
    """As ``TopicReader`` gives them."""
    offsets = [r.at for r in records]
    run = range(offsets[0], offsets[-1] + 1)
    return Batch(
        partition, cast(Sequence[Record], records), [r.content for r in records],
        run if len(run) == len(offsets) else offsets, [r.time for r in records],
    )  # fmt: skip


class Memory(dict[str, bytes]):
    """A store in memory."""

    def __call__(self, key: str, packed: Packed) -> None:
        assert key not in self
        with packed.body:
            self[key] = packed.body.read()


@given(logs(), st.integers(50, 500), st.integers(1, 10))
def test_records_and_rejected_are_all_that_was_consumed_each_once_and_unchanged(
    log: dict[int, list[Consumed]], object_bytes: int, batch: int
) -> None:
    memory = Memory()
    slices = [OffsetRange(p, 0, 70) for p in log]
    with pools() as shared:
        writer = MinuteWriter(memory, "t", MINUTE, object_bytes, IGZIP, shared)
        for one in slices:
            writer.begin(one.partition, one.start)
        for partition, records in log.items():
            for i in range(0, len(records), batch):
                writer.take(batch_of(partition, records[i : i + batch]))
        for one in slices:
            writer.end(one.partition, one.end)
        written = writer.finish(time.monotonic())

    lines: dict[tuple[int, int], dict[str, Any]] = {}
    for stored in (*written.objects, *written.rejected_objects):
        rows = [json.loads(line) for line in gzip.decompress(memory[stored.key]).splitlines()]
        assert len(rows) == stored.records
        key = ObjectKey.parse(stored.key)
        for row in rows:
            place = (row["kafka_partition"], row["kafka_offset"])
            assert place not in lines
            assert place[0] == key.partition
            assert key.start <= place[1] < key.end
            lines[place] = {**row, "zone": key.zone}
    assert memory.keys() == {o.key for o in (*written.objects, *written.rejected_objects)}
    consumed = {(p, r.at): r for p, records in log.items() for r in records}
    assert sum(o.records for o in (*written.objects, *written.rejected_objects)) == len(consumed)
    assert lines.keys() == consumed.keys()
    for place, record in consumed.items():
        _check_line(lines[place], record)
    times = [r.time for r in consumed.values()]
    assert (written.min_timestamp, written.max_timestamp) == ((min(times), max(times)) if times else (None, None))
    assert written.early == sum(time >= MINUTE.end_ms for time in times)
    assert written.late == sum(time < MINUTE.start_ms for time in times)


def _check_line(line: dict[str, Any], record: Consumed) -> None:
    assert line["kafka_timestamp"] == record.time
    if not verdicts(record.content):
        assert line["zone"] == "raw"
        own = {k: v for k, v in line.items() if k != "zone" and not k.startswith("kafka_")}
        assert own == json.loads(record.content or b"")
        return
    assert line["zone"] == "rejected"
    assert _decoded(line["value"]) == record.content
    assert _decoded(line["key"]) == record.name
    assert [(name, _decoded(content)) for name, content in line["headers"]] == list(record.more)


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def test_pythons_own_pace_is_given_back_after_writing() -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    with pools():
        assert (sys.getswitchinterval(), gc.get_threshold()) != before
    assert (sys.getswitchinterval(), gc.get_threshold()) == before
