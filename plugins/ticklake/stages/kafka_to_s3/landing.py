"""What landing works with, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ticklake.clients.aws.s3 import Lake
from ticklake.clients.kafka.consumer import TopicReader
from ticklake.core.landing.gzip_writer import IGZIP, Encoder
from ticklake.core.landing.manifest import Manifest
from ticklake.core.landing.origin import Origin
from ticklake.core.landing.topic_identity import require_same_topic as require
from ticklake.core.settings.stream import Stream


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
