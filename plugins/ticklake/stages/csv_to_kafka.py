"""Ticks from the CSV to the Kafka topic, at a set rate: sampled at random or replayed in the file's order."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Self

from ticklake.clients.kafka_producer import CONFIRM_SECONDS, RecordProducer
from ticklake.core.errors import InputError, SettingsError
from ticklake.core.settings import Stream
from ticklake.core.text_table import text_table
from ticklake.core.ticks import COLUMNS, Tick, TickFile, check_typed, pool, to_json

log = logging.getLogger(__name__)

MODES = ("sample", "replay")
MOST_RATE = 1_000_000
MOST_SECONDS = 7 * 24 * 3600

_POOL_ROWS = 200_000  # rows that `sample` chooses from and endless `replay` keeps at most: some 60 MB
_BATCH = 500  # records between two looks at the clock
_REPORT_SECONDS = 10.0
_KILL_SECONDS = 1.5

Record = tuple[bytes, bytes]  # key, value


@dataclass(frozen=True)
class ProducerRun:
    """What one run is asked to do: the Params of the Trigger form.

    Attributes:
        mode: ``sample``: random rows; ``replay``: the file's rows in order.
        rate: records a second; 0: as fast as possible.
        seconds: length of the run.
        seed: of ``sample``; the same seed chooses the same rows. None: others each time.
        endless: ``replay`` begins again at the end of the file.
        record: one tick typed by a person, sent instead of the file's.
    """

    mode: str
    rate: float
    seconds: float
    seed: int | None
    endless: bool
    record: Tick | None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Check what a person may have typed; raises SettingsError naming the field."""
        mode, seed, endless, record = (params.get(name) for name in ("mode", "seed", "endless", "record"))
        if mode not in MODES:
            raise SettingsError(f"mode = {mode!r} is none of {', '.join(MODES)}.")
        if seed is not None and type(seed) is not int:
            raise SettingsError(f"seed = {seed!r} is not a whole number.", "Leave it empty for other rows each time.")
        if type(endless) is not bool:
            raise SettingsError(f"endless = {endless!r} is neither true nor false.")
        return cls(
            mode=mode,
            rate=_number(params, "rate", 0, MOST_RATE),
            seconds=_number(params, "seconds", 1, MOST_SECONDS),
            seed=seed,
            endless=endless,
            record=None if record is None else check_typed(record),
        )


@dataclass(frozen=True)
class Produced:
    """What a run did: records that Kafka confirmed, per partition, and blank rows of the file that were skipped."""

    per_partition: Mapping[int, int]
    seconds: float
    blank_rows: int

    @property
    def records(self) -> int:
        """All partitions together."""
        return sum(self.per_partition.values())

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        return {
            "records": self.records,
            "per_partition": {str(partition): count for partition, count in sorted(self.per_partition.items())},
            "seconds": round(self.seconds, 1),
            "blank_rows": self.blank_rows,
        }


def produce_ticks(
    producer: RecordProducer,
    stream: Stream,
    csv: Path,
    run: ProducerRun,
    stop: Event,
    give_way: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Produced:
    """Write ticks to the stream's topic until the run is over.

    Args:
        producer: open, unused.
        stream: names the topic and the key's column.
        csv: the file of ticks.
        run: what to do.
        stop: when set, the loop ends and all that was sent is flushed, within 2 s.
        give_way: asked every ten seconds; true ends the run early.
        clock: seconds since any moment.

    Raises: InputError naming file, line and column (what came before it is written); KafkaError when a record is not delivered.
    """
    file = TickFile(csv)
    records = _records(file, run, stream.table.key_column)
    start = clock()
    try:
        _send(producer, stream.topic.name, records, run, stop, give_way, clock)
    finally:
        producer.finish(_KILL_SECONDS if stop.is_set() else CONFIRM_SECONDS + 1)
    produced = Produced(dict(producer.per_partition), clock() - start, file.blank)
    log.info(
        "%d records written to %s in %.1f s, %d blank rows skipped\n%s",
        *(produced.records, stream.topic.name, produced.seconds, produced.blank_rows),
        text_table(("partition", "records"), sorted(produced.per_partition.items())),
    )
    return produced


def _records(file: TickFile, run: ProducerRun, key_column: str) -> Iterator[Record]:
    if key_column not in COLUMNS:
        raise SettingsError(f"[table] key_column = {key_column!r} is not a column of the ticks: {', '.join(COLUMNS)}.")

    def record(tick: Tick) -> Record:
        return str(tick[key_column]).encode(), to_json(tick)

    if run.record is not None:
        return iter([record(run.record)])
    if run.mode == "replay":
        return _replay(file, record, endless=run.endless)
    chance = random.Random(run.seed)  # noqa: S311 - not a secret
    rows = pool(map(record, file), _POOL_ROWS, chance)
    if not rows:
        raise _no_rows(file)
    return (chance.choice(rows) for _ in iter(int, 1))


def _replay(file: TickFile, record: Callable[[Tick], Record], *, endless: bool) -> Iterator[Record]:
    """The file's rows in order; one that is not too large is read and serialised only once."""
    kept: list[Record] = []
    whole = endless
    while True:
        for row in map(record, file):
            yield row
            if whole:
                kept.append(row)
                whole = len(kept) <= _POOL_ROWS
        if not file.rows:
            raise _no_rows(file)
        while whole:
            yield from kept
        if not endless:
            return
        kept.clear()


def _no_rows(file: TickFile) -> InputError:
    return InputError(f"{file.path} has no rows but its header.", "TICKLAKE_CSV says which file it is.")


def _send(
    producer: RecordProducer,
    topic: str,
    records: Iterator[Record],
    run: ProducerRun,
    stop: Event,
    give_way: Callable[[], bool],
    clock: Callable[[], float],
) -> None:
    """Send record n at the time n / rate after the start, however long single steps take; so the rate does not drift."""
    most = math.ceil(run.rate * run.seconds) if run.rate else math.inf
    # A second of grace for what was due before the end.
    end = run.seconds + (1 if run.rate else 0)
    start = clock()
    report = _REPORT_SECONDS
    while not stop.is_set() and producer.sent < most and (now := clock() - start) < end:
        due = min(most, now * run.rate + 1) - producer.sent if run.rate else _BATCH
        wanted = producer.sent + min(int(due), _BATCH)
        if not producer.send(topic, islice(records, wanted - producer.sent), stop.is_set):
            return
        if producer.sent < wanted:
            return  # the records are at their end
        # Short waits: the stop flag is looked at five times a second, and a fast rate comes in small batches.
        ahead = producer.sent / run.rate - now if run.rate else 0.0
        producer.serve(min(max(ahead, 0.005), 0.2) if ahead > 0 else 0)
        if now >= report:
            report += _REPORT_SECONDS
            log.info("%d records sent, %d written, %.0f s of %.0f", producer.sent, producer.written, now, run.seconds)
            if give_way():
                log.info("Another run of this DAG waits: this one ends early")
                return


def _number(params: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise SettingsError(f"{name} = {value!r} is not a number from {least} to {most:,}.")
    return float(value)
