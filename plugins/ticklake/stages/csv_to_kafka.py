"""The CSV's rows to the Kafka topic, at a set rate: sampled at random or replayed in the file's order.

The file is read once before anything is sent (``ticklake.core.sample``): what its columns hold is decided over all of it, and
what does not fit is an error with file, line and column.
"""

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

from ticklake.clients.kafka.producer import CONFIRM_SECONDS, RecordProducer
from ticklake.core.errors import SettingsError
from ticklake.core.sample.rows import Record, compact, key_of, pool, record_maker
from ticklake.core.sample.table import CsvTable, read_table
from ticklake.core.sample.typed import typed_row
from ticklake.core.settings.stream import Stream
from ticklake.core.text_table import text_table

log = logging.getLogger(__name__)

MODES = ("sample", "replay")
MOST_RATE = 1_000_000
MOST_SECONDS = 7 * 24 * 3600

_POOL_ROWS = 200_000  # rows that `sample` chooses from and endless `replay` keeps at most,
_POOL_BYTES = 100_000_000  # fewer where they are long
_BATCH = 500  # records between two looks at the clock
_REPORT_SECONDS = 10.0
_KILL_SECONDS = 1.5


@dataclass(frozen=True)
class ProducerRun:
    """What one run is asked to do: the Params of the Trigger form.

    Attributes:
        mode: ``sample``: random rows; ``replay``: the file's rows in order.
        rate: records a second; 0: as fast as possible.
        seconds: length of the run.
        seed: of ``sample``; the same seed chooses the same rows. None: others each time.
        endless: ``replay`` begins again at the end of the file.
        record: one row typed by a person, sent instead of the file's.
    """

    mode: str
    rate: float
    seconds: float
    seed: int | None
    endless: bool
    record: Mapping[str, Any] | None

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
        if record is not None and not isinstance(record, dict):
            raise SettingsError(f"record = {record!r} is not a JSON object.", 'Such as {"Index": "HSI", "Open": 5.5}.')
        return cls(
            mode=mode,
            rate=_number(params, "rate", 0, MOST_RATE),
            seconds=_number(params, "seconds", 1, MOST_SECONDS),
            seed=seed,
            endless=endless,
            record=record,
        )


@dataclass(frozen=True)
class Produced:
    """What a run did.

    Attributes:
        per_partition: records that Kafka confirmed.
        seconds: how long it took.
        blank_rows: rows of the file that were skipped.
        short_rows: rows of the file with fewer fields than columns; the missing ones are null.
    """

    per_partition: Mapping[int, int]
    seconds: float
    blank_rows: int = 0
    short_rows: int = 0

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
            "short_rows": self.short_rows,
        }


def produce_csv(
    producer: RecordProducer,
    stream: Stream,
    csv: Path,
    run: ProducerRun,
    stop: Event,
    give_way: Callable[[], bool] = lambda: False,
    csv_key: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Produced:
    """Write rows of the file to the stream's topic until the run is over.

    Args:
        producer: open, unused.
        stream: names the topic, and the key's column unless ``csv_key`` does.
        csv: the file.
        run: what to do.
        stop: when set, the loop ends and all that was sent is flushed, within 2 s.
        give_way: asked every ten seconds; true ends the run early.
        csv_key: the key's column (setting TICKLAKE_CSV_KEY); None: the stream's where the file has it, else there are no keys.
        clock: seconds since any moment.

    Raises: InputError naming file, line and column, before anything is sent; KafkaError when a record is not delivered.
    """
    began = clock()
    table = read_table(csv, stop.is_set, _progress(csv))
    if table is None:
        return Produced({}, clock() - began)
    key = key_of(table, csv_key, stream.table.key_column)
    _log_table(table, key)
    records = _records(table, run, key)
    start = clock()
    try:
        _send(producer, stream.topic.name, records, run, stop, give_way, clock)
    finally:
        producer.finish(_KILL_SECONDS if stop.is_set() else CONFIRM_SECONDS + 1)
    produced = Produced(dict(producer.per_partition), clock() - start, table.blank, table.short)
    log.info(
        "%d records written to %s in %.1f s, %d blank rows skipped\n%s",
        *(produced.records, stream.topic.name, produced.seconds, produced.blank_rows),
        text_table(("partition", "records"), sorted(produced.per_partition.items())),
    )
    return produced


def _progress(csv: Path) -> Callable[[int, float], None]:
    """Logs how far the first reading of a large file is, every ten seconds."""
    said = time.monotonic()

    def tell(rows: int, share: float) -> None:
        nonlocal said
        if time.monotonic() - said >= _REPORT_SECONDS:
            said = time.monotonic()
            log.info("%s: %d rows looked at, %.0f %% of the file", csv, rows, 100 * share)

    return tell


def _log_table(table: CsvTable, key: int | None) -> None:
    if table.form.note:
        log.warning("%s: %s", table.path, table.form.note)
    log.info(
        "%s: %s; %d rows, %d blank ones skipped, %d with fewer fields than columns; key: %s\n%s",
        *(table.path, table.form, table.rows, table.blank, table.short),
        "none" if key is None else table.names[key],
        text_table(("column", "holds", "note"), [(c.name, c.kind, c.note) for c in table.columns]),
    )


def _records(table: CsvTable, run: ProducerRun, key: int | None) -> Iterator[Record]:
    made = record_maker(table, key)
    if run.record is not None:
        return iter([made(typed_row(run.record, table))])
    most = max(1, min(_POOL_ROWS, _POOL_BYTES // table.bytes_of_a_row))
    if run.mode == "replay":
        return _replay(lambda: (made(row) for batch in table.batches() for row in batch), most, endless=run.endless)
    chance = random.Random(run.seed)  # noqa: S311 - not a secret
    rows = pool((row for batch in table.batches() for row in batch), most, chance)
    records = [compact(made(rows.pop())) for _ in range(len(rows))]  # so that no row is held twice
    return (chance.choice(records) for _ in iter(int, 1))


def _replay(read: Callable[[], Iterator[Record]], most: int, *, endless: bool) -> Iterator[Record]:
    """The file's rows in order; one of at most so many rows is read and serialised only once."""
    kept: list[Record] = []
    whole = endless
    while True:
        for record in read():
            yield record
            if whole:
                kept.append(compact(record))
                whole = len(kept) <= most
        while whole:
            yield from kept
        if not endless:
            return
        kept.clear()


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
