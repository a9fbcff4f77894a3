"""Produces rejected records to the topic again, each once: ``redrive``.

Sent are key, value and headers as they were, to the Kafka partition that they came from, with one more header:
``ticklake-redriven: <partition>/<offset>`` of the original. Like every record it then lands in the minute in which it came.

Once, also when a run dies or two run at a time:

1. All runs of a table have the same transactional id. A new run bars the one before it, whose last transaction is then either
   in the log as a whole or not at all.
2. Before the records of an object are sent, its marker says which (``pending``) and from which offset on they would lie.
3. They are sent in one transaction. Then the marker says that they were (``redriven``).
4. A run that finds something pending reads the partition from that offset on and looks for its header: what is there was sent,
   what is not there is sent now.
"""

from __future__ import annotations

import gzip
import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.consumer import TopicReader
from ticklake.clients.kafka.transactions import Outgoing, TransactionalProducer
from ticklake.core.errors import KafkaError, LakeError, SettingsError
from ticklake.core.formats.dead_letters import (
    REDRIVEN_HEADER,
    Marker,
    ReasonCounts,
    Rejected,
    kind_of_reason,
    tally_rows,
)
from ticklake.core.landing.manifest import StoredObject
from ticklake.core.landing.object_key import REJECTED, ObjectKey, hour_prefix, redriven_key
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.message_headers import headers_of
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import Stream
from ticklake.core.text_table import text_table
from ticklake.stages.manifest_store import sealed_in

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class Wanted:
    """What to produce again.

    Attributes:
        first: the oldest minute.
        last: the newest minute, inclusive.
        reason: only records rejected for this kind of reason; empty: for any.
        unfit: also those that would be rejected again.
        dry_run: only tell what would be done.
    """

    first: Minute
    last: Minute
    reason: str = ""
    unfit: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise SettingsError(f"The last minute, {self.last}, is before the first, {self.first}.")


@dataclass(frozen=True)
class Redriven:
    """What a run did: records per kind of reason, objects looked at."""

    tallies: dict[str, ReasonCounts] = field(default_factory=dict)
    objects: int = 0

    @property
    def sent(self) -> int:
        """Records produced (in a dry run: that would be)."""
        return sum(tally.sent for tally in self.tallies.values())

    def to_dict(self) -> dict[str, Any]:
        """For XCom and programs."""
        reasons = {reason: asdict(tally) for reason, tally in sorted(self.tallies.items())}
        return {"sent": self.sent, "objects": self.objects, "reasons": reasons}

    def table(self, *, dry_run: bool) -> str:
        """For people."""
        last = "would be sent" if dry_run else "sent"
        header = ("reason", "rejected", "sent before", "unfit today", "unreadable", last)
        return text_table(header, tally_rows(self.tallies)) if self.tallies else "No rejected records."


def redrive(
    lake: Lake, reader: TopicReader, stream: Stream, producer: Callable[[str], TransactionalProducer], wanted: Wanted
) -> Redriven:
    """Produce rejected records again; progress and a table by reason go to the log.

    Args:
        lake: the bucket.
        reader: of the stream's topic.
        stream: names the table and the topic.
        producer: makes the producer of a transactional id; not called in a dry run.
        wanted: which records.

    Raises: KafkaError, LakeError: what was sent until then is remembered, another run goes on there.
    """
    # First of all: from here on no earlier run can send anything more.
    sender = None if wanted.dry_run else producer(f"ticklake-redrive-{stream.table.name}")
    run = _Run(lake, reader, stream, sender, wanted)
    told = time.monotonic()
    objects = 0
    for stored in _objects(lake, stream.table.name, wanted):
        run.take(stored)
        objects += 1
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            log.info("%s: %d objects looked at, %d records sent so far", stored.key, objects, run.sent)
    redriven = Redriven(run.tallies, objects)
    log.info("%s to %s\n%s", wanted.first, wanted.last, redriven.table(dry_run=wanted.dry_run))
    return redriven


def _objects(lake: Lake, table: str, wanted: Wanted) -> Iterator[StoredObject]:
    """The rejected objects that manifests list: what an attempt that died has left there will be landed by another."""
    hour = wanted.first.hour
    while hour <= wanted.last.hour:
        if any(True for _ in lake.list(hour_prefix(REJECTED, table, hour))):
            for manifest in sealed_in(lake, table, hour):
                if wanted.first <= manifest.minute <= wanted.last:
                    yield from manifest.rejected_objects
        hour = hour.plus(1)


class _Run:
    """One run: takes object by object."""

    def __init__(
        self, lake: Lake, reader: TopicReader, stream: Stream, sender: TransactionalProducer | None, wanted: Wanted
    ) -> None:
        self._lake = lake
        self._reader = reader
        self._topic = stream.topic.name
        self._sender = sender
        self._wanted = wanted
        self.tallies: dict[str, ReasonCounts] = {}

    @property
    def sent(self) -> int:
        return sum(tally.sent for tally in self.tallies.values())

    def take(self, stored: StoredObject) -> None:
        """Look at one object's records and send those that are wanted."""
        key = redriven_key(ObjectKey.parse(stored.key))
        marker = Marker.from_json(self._lake.get(key))
        if marker.pending:
            marker = self._settle(key, stored.partition, marker)
        chosen = [record for record in self._read(stored) if self._choose(record, marker)]
        if self._sender is None or not chosen:
            return
        offsets = [record.offset for record in chosen]
        since = self._reader.high()[stored.partition]
        self._remember(key, lambda m: m.begin(offsets, since))
        self._sender.send(self._topic, map(_outgoing, chosen))
        self._remember(key, lambda m: m.settle(offsets))

    def _choose(self, record: Rejected, marker: Marker) -> bool:
        kind = kind_of_reason(record.reason)
        if self._wanted.reason not in ("", kind):
            return False
        tally = self.tallies.setdefault(kind, ReasonCounts())
        tally.rejected += 1
        if record.offset in marker.redriven:
            tally.before += 1
        elif record.headers is None:
            tally.unreadable += 1
        elif not self._wanted.unfit and record.verdict() is not None:
            tally.unfit += 1
        else:
            tally.sent += 1
            return True
        return False

    def _read(self, stored: StoredObject) -> Iterator[Rejected]:
        body = self._lake.get(stored.key)
        if body is None:
            raise LakeError(
                f"s3://{self._lake.bucket}/{stored.key} is not there, though its manifest lists it.",
                "A run of its minute (kafka_to_s3) writes it again while Kafka holds the offsets.",
            )
        with gzip.open(io.BytesIO(body)) as lines:
            for line in lines:
                yield Rejected.from_line(line)

    def _settle(self, key: str, partition: int, marker: Marker) -> Marker:
        """Find out what a run that died has sent; in a dry run without writing it down."""
        low = self._reader.low()[partition]
        # Including what another producer's open transaction still hides: reading then waits for its end.
        high = self._sender.log_end(self._topic, partition) if self._sender else self._reader.high()[partition]
        if not low <= marker.since <= high:
            raise KafkaError(
                f"A redrive ended early, and Kafka does not hold partition {partition} from offset {marker.since} on, where "
                f"it would be seen whether it sent the records of these offsets: {sorted(marker.pending)}.",
                f"Look for them in the table, then correct `pending` and `redriven` in s3://{self._lake.bucket}/{key}.",
            )
        log.info("A redrive ended early: reading partition %d, offsets %d to %d", partition, marker.since, high)
        places = {b"%d/%d" % (partition, offset): offset for offset in marker.pending}
        sent: set[int] = set()
        for batch in self._reader.read([OffsetRange(partition, marker.since, high)]):
            sent |= {places[place] for record in batch.records for place in _places(record) if place in places}
        settled = marker.settle(sent, marker.pending - sent)
        if self._sender is not None:
            self._remember(key, lambda m: m.settle(sent, marker.pending - sent))
        return settled

    def _remember(self, key: str, change: Callable[[Marker], Marker]) -> None:
        self._lake.update(key, lambda body: change(Marker.from_json(body)).to_json())


def _places(record: Any) -> Sequence[bytes]:
    return [content for name, content in headers_of(record) or () if name == REDRIVEN_HEADER and content is not None]


def _outgoing(record: Rejected) -> Outgoing:
    headers = (*(record.headers or ()), (REDRIVEN_HEADER, record.place))
    return Outgoing(record.partition, record.key, record.value, headers)
