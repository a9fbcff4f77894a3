"""What landing works with and what it did; how leftovers of attempts that ended early go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.errors import LakeError
from ticklake.core.landing.gzip_writer import IGZIP, Encoder
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.minute import Minute
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey, hour_prefix, minute_prefix
from ticklake.core.landing.origin import Origin
from ticklake.core.landing.topic_identity import require_same_topic as require
from ticklake.core.settings.stream import Stream
from ticklake.stages.manifest_store import manifest_of

log = logging.getLogger(__name__)

# As long as a landing may take before Airflow ends it; an attempt that wakes later still is reconcile's.
_LATE_MINUTES = 30
_CLOCKS = timedelta(seconds=10)  # by which S3's clock may be behind


@dataclass(frozen=True)
class Landing:
    """What the stage works with.

    Attributes:
        reader: of the topic.
        lake: the bucket.
        stream: the stream's settings.
        run_id: the run's name.
        topic_id: Kafka's id of the topic.
        clock: the time of a seal.
        encoder: what packs the objects.
    """

    reader: TopicReader
    lake: Lake
    stream: Stream
    run_id: str
    topic_id: str | None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    encoder: Encoder = IGZIP

    @property
    def table(self) -> str:
        """Name of the table."""
        return self.stream.table.name


@dataclass(frozen=True)
class Landed:
    """What a run did: minutes that it sealed or found sealed by a twin, oldest first; keys that it wrote again.

    ``restored`` are those of them that came from the bucket's versions.
    """

    manifests: tuple[Manifest, ...]
    rewritten: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


def require_same_topic(landing: Landing, known: Manifest | Origin) -> None:
    """Raise KafkaError when the topic is not the one that was landed."""
    require(landing.reader.topic, landing.topic_id, known.topic_id, f"{landing.table} at {known.minute}")


def delete_leftovers(landing: Landing, manifest: Manifest, found: set[str] | None = None) -> None:
    """Remove what attempts that were killed have left under a minute's prefix; only after sealing: a twin might win.

    ``found`` are keys under that prefix, as far as they are known; None: they are listed.
    """
    if found is None:
        prefixes = [minute_prefix(zone, landing.table, manifest.minute) for zone in (RAW, REJECTED)]
        found = {entry.key for prefix in prefixes for entry in landing.lake.list(prefix)}
    leftovers = found - manifest.keys
    if leftovers:
        log.warning("%s: removing leftovers of an attempt that ended early: %s", manifest.minute, sorted(leftovers))
        landing.lake.delete(leftovers)


def delete_late_leftovers(landing: Landing, previous: Manifest) -> None:
    """Remove what came under sealed minutes after they were sealed, as far back as an attempt may still have run.

    A loser of a seal, or one that slept, may have died before it cleaned up. Under the newest sealed minute everything is
    looked at; under those before it what was written when they had been looked at already. So it costs one listing of some
    minutes a zone, and a manifest is read only where something late is found.
    """
    last, first = previous.minute, previous.minute.plus(-_LATE_MINUTES)
    found: dict[Minute, set[str]] = {}
    for zone in (RAW, REJECTED):
        for hour in sorted({first.hour, last.hour}):
            after = minute_prefix(zone, landing.table, first) if hour == first.hour else ""
            for entry in landing.lake.list(hour_prefix(zone, landing.table, hour), start_after=after):
                with suppress(LakeError):  # a stranger's: reconcile tells of it
                    minute = ObjectKey.parse(entry.key).minute
                    if minute > last:
                        break
                    if minute == last or entry.modified >= minute.plus(2).start - _CLOCKS:
                        found.setdefault(minute, set()).add(entry.key)
    for minute, keys in found.items():
        sealed = previous if minute == last else manifest_of(landing.lake, landing.table, minute)
        if sealed:
            delete_leftovers(landing, sealed, keys)


def leftovers_by_minute(landing: Landing, minute: Minute) -> dict[Minute, set[str]]:
    """The keys under the prefixes of this hour's minutes: in a catch-up two listings an hour, not a minute."""
    found: dict[Minute, set[str]] = {m: set() for m in minute.hour.minutes()}
    for zone in (RAW, REJECTED):
        for entry in landing.lake.list(hour_prefix(zone, landing.table, minute.hour)):
            with suppress(LakeError):  # a stranger's: reconcile tells of it
                found[ObjectKey.parse(entry.key).minute].add(entry.key)
    return found
