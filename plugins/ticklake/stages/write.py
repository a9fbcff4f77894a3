"""Reads the slices of one minute, or of several small ones together, and writes their objects.

After an outage a day may wait in minutes of a few records each. To read each by itself costs a fetch from Kafka a minute, most
of it waiting; so minutes are read together as long as what they hold fits into little memory.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence

from ticklake.core.minute import Minute
from ticklake.core.records import Batch
from ticklake.core.slices import Slice
from ticklake.stages.landing import Landing
from ticklake.stages.minute_writer import MinuteWriter, Store, Written, pools, to_lake

Cut = tuple[Minute, tuple[Slice, ...]]
"""A minute and what it takes, at most one slice per Kafka partition."""

LARGEST_RECORD = 1 << 20
"""Bytes of a record where nothing is known: Kafka's own default limit."""

# Each reading begins with a wait, and of each partition librdkafka queues some megabytes: few together are slow where there are
# many, many together cost memory.
_PARTITIONS_AT_ONCE = 8
_BYTES_AT_ONCE = 16 << 20
_MINUTES_AT_ONCE = 60


def within(cuts: Iterable[Cut], record_bytes: int) -> list[Cut]:
    """The first cuts, as many as may be written together; at least one.

    Args:
        cuts: of consecutive minutes, oldest first.
        record_bytes: mean size of a record, as far as it is known.
    """
    some: list[Cut] = []
    left = _BYTES_AT_ONCE
    for cut in cuts:
        left -= sum(s.end - s.start for s in cut[1]) * record_bytes
        if some and left < 0:
            break
        some.append(cut)
        if len(some) == _MINUTES_AT_ONCE:
            break
    return some


def write(landing: Landing, cuts: Sequence[Cut]) -> Generator[Written]:
    """Write the objects of consecutive minutes; gives what was written of each, in their order, once it is stored.

    Args:
        landing: what to work with.
        cuts: the minutes; in each Kafka partition the slices touch.

    Raises:
        KafkaError, LakeError, DiskError: what is written already names its content and harms nothing.
    """
    yield from make(landing, cuts, landing.stream.landing.object_bytes, to_lake(landing.lake))


def make(landing: Landing, cuts: Sequence[Cut], object_bytes: int, store: Store) -> Generator[Written]:
    """Make the objects of consecutive minutes and give them to a store. Gives and raises what ``write`` does.

    Args:
        landing: what to work with.
        cuts: the minutes; in each Kafka partition the slices touch.
        object_bytes: uncompressed size at which an object is closed.
        store: takes each object as soon as it is made.
    """
    with pools() as shared:
        began = time.monotonic()
        writers = [
            MinuteWriter(store, landing.table, minute, object_bytes, landing.encoder, shared) for minute, _ in cuts
        ]
        try:
            partitions = sorted({s.partition for _, slices in cuts for s in slices})
            for i in range(0, len(partitions), _PARTITIONS_AT_ONCE):
                _read_into(landing, writers, cuts, set(partitions[i : i + _PARTITIONS_AT_ONCE]))
            for writer in writers:
                yield writer.finish(began)
        except BaseException:
            for writer in writers:
                writer.abandon()
            raise


def _read_into(landing: Landing, writers: Sequence[MinuteWriter], cuts: Sequence[Cut], partitions: set[int]) -> None:
    """Read these Kafka partitions of all the minutes at once."""
    of: dict[int, list[tuple[Slice, MinuteWriter]]] = {p: [] for p in sorted(partitions)}
    for writer, (_, slices) in zip(writers, cuts, strict=True):
        for s in slices:
            if s.partition in partitions:
                writer.begin(s)
                of[s.partition].append((s, writer))
    ends = {p: [s.end for s, _ in some] for p, some in of.items()}
    for batch in landing.reader.read([Slice(p, some[0][0].start, some[-1][0].end) for p, some in of.items()]):
        for n, part in _by_minute(batch, ends[batch.partition]):
            s, writer = of[batch.partition][n]
            writer.take(part)
            if part.offsets[-1] + 1 == s.end:
                writer.end(s)  # its last object is on its way while other Kafka partitions are being read
    for some in of.values():
        for s, writer in some:
            writer.end(s)


def _by_minute(batch: Batch, ends: Sequence[int]) -> Iterator[tuple[int, Batch]]:
    """The batch cut at the ends of slices that touch: position of the slice, its records."""
    begin = 0
    while begin < len(batch):
        n = bisect_right(ends, batch.offsets[begin])
        end = bisect_left(batch.offsets, ends[n], begin)
        yield n, batch if end - begin == len(batch) else batch.part(begin, end)
        begin = end
