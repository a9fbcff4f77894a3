"""Reads the slices of one minute, or of several small ones together, and writes their objects.

After an outage a day may wait in minutes of a few records each. To read each by itself costs a fetch from Kafka a minute, most
of it waiting; so minutes are read together as long as what they hold fits into little memory.

Where a slice's end is open (``offset_ranges``) it is found here, in the records as they come: none is read twice for it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence

from ticklake.core.formats.json_rows import Batch
from ticklake.core.landing.offset_ranges import Cut, EndRule, OffsetRange
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.kafka_to_s3.minute_writer import MinuteWriter, Store, pools, to_lake
from ticklake.stages.kafka_to_s3.written import Written

LARGEST_RECORD = 1 << 20
"""Bytes of a record where nothing is known: Kafka's own default limit."""

# Each reading begins with a wait, and of each partition librdkafka queues some megabytes: few together are slow where there are
# many, many together cost memory.
_PARTITIONS_AT_ONCE = 8
_BYTES_AT_ONCE = 16 << 20
_MINUTES_AT_ONCE = 60


def within(cuts: Iterable[tuple[Minute, Cut]], record_bytes: int) -> list[tuple[Minute, Cut]]:
    """The first minutes with what they take, as many as may be written together; at least one.

    Args:
        cuts: of consecutive minutes, oldest first.
        record_bytes: mean size of a record, as far as it is known.
    """
    some: list[tuple[Minute, Cut]] = []
    left = _BYTES_AT_ONCE
    for minute, cut in cuts:
        left -= sum(s.end - s.start for s in cut.slices) * record_bytes
        if some and left < 0:
            break
        some.append((minute, cut))
        if len(some) == _MINUTES_AT_ONCE:
            break
    return some


def write(landing: Landing, cuts: Sequence[tuple[Minute, Cut]]) -> Generator[Written]:
    """Write the objects of consecutive minutes; gives what was written of each, in their order, once it is stored.

    Args:
        landing: what to work with.
        cuts: the minutes and what they take, as far as Kafka holds it; in each Kafka partition the slices touch.

    Raises:
        KafkaError, LakeError, DiskError: what is written already names its content and harms nothing.
    """
    yield from make(landing, cuts, landing.stream.landing.object_bytes, to_lake(landing.lake))


def make(landing: Landing, cuts: Sequence[tuple[Minute, Cut]], object_bytes: int, store: Store) -> Generator[Written]:
    """Make the objects of consecutive minutes and give them to a store. Gives and raises what ``write`` does.

    Args:
        landing: what to work with.
        cuts: the minutes and what they take; in each Kafka partition the slices touch.
        object_bytes: uncompressed size at which an object is closed.
        store: takes each object as soon as it is made.
    """
    with pools() as shared:
        began = time.monotonic()
        writers = [
            MinuteWriter(store, landing.table, minute, object_bytes, landing.encoder, shared) for minute, _ in cuts
        ]
        try:
            partitions = sorted({s.partition for _, cut in cuts for s in cut.slices})
            for i in range(0, len(partitions), _PARTITIONS_AT_ONCE):
                some = {p: _Partition(p) for p in partitions[i : i + _PARTITIONS_AT_ONCE]}
                for writer, (_, cut) in zip(writers, cuts, strict=True):
                    for s in cut.slices:
                        if s.partition in some:
                            some[s.partition].add(s, cut.open.get(s.partition), writer)
                _read_into(landing, some)
            for writer in writers:
                yield writer.finish(began)
        except BaseException:
            for writer in writers:
                writer.abandon()
            raise


def _read_into(landing: Landing, partitions: dict[int, _Partition]) -> None:
    """Read these Kafka partitions, of all the minutes at once."""
    slices = [partition.slice for partition in partitions.values()]
    for batch in landing.reader.read(slices, lambda p: partitions[p].done):
        partitions[batch.partition].take(batch)
    for partition in partitions.values():
        partition.finish()


class _Partition:
    """One Kafka partition's records on their way to the minutes that they belong to, oldest first."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._minutes: list[tuple[OffsetRange, EndRule | None, MinuteWriter]] = []
        self._next = 0  # the minute that takes what comes
        self._end = 0  # of what was given to a minute

    def add(self, planned: OffsetRange, rule: EndRule | None, writer: MinuteWriter) -> None:
        """The next minute takes this slice; a rule ends it earlier."""
        if not self._minutes:
            self._end = planned.start
            writer.begin(self._number, planned.start)
        self._minutes.append((planned, rule, writer))

    @property
    def slice(self) -> OffsetRange:
        """All that is to be read."""
        return OffsetRange(self._number, self._minutes[0][0].start, self._minutes[-1][0].end)

    @property
    def done(self) -> bool:
        """Whether every minute has what it takes."""
        return self._next == len(self._minutes)

    def take(self, batch: Batch) -> None:
        """Hand the next records out; what lies behind the last minute's end is left."""
        begin = 0
        while not self.done and begin < len(batch):
            planned, rule, writer = self._minutes[self._next]
            limit = bisect_left(batch.offsets, planned.end, begin)
            some = batch if limit - begin == len(batch) else batch.part(begin, limit)
            found = rule.find(some.offsets, some.timestamps) if rule and some else None
            if found is not None:
                some, limit = some.part(0, found), begin + found
            if some:
                writer.take(some)
                self._end = some.offsets[-1] + 1
            if found is not None:
                self._close(batch.offsets[limit])
            elif limit < len(batch) or self._end == planned.end:
                # Its last object is on its way while other Kafka partitions are being read.
                self._close(planned.end)
            begin = limit

    def finish(self) -> None:
        """Close what is left: nothing more comes."""
        while not self.done:
            self._close(self._minutes[self._next][0].end)

    def _close(self, end: int) -> None:
        self._minutes[self._next][2].end(self._number, end)
        self._end = end
        self._next += 1
        if not self.done:
            self._minutes[self._next][2].begin(self._number, end)
