"""The manifest: one JSON object per minute, written last. Its form stands in ``docs/manifest.md``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing.object_key import RAW, REJECTED, ObjectKey
from ticklake.core.landing.offset_ranges import OffsetRange
from ticklake.core.minute import Minute

VERSION = 1

_NEVER_CHANGES = ("partition", "start", "end", "records", "crc32")  # of an object


@dataclass(frozen=True, order=True)
class StoredObject:
    """An object in the bucket: offsets [start, end) of a Kafka partition, lines, size in bytes, SHA-256 in base64.

    ``crc32`` is that of the uncompressed lines. ``encoder`` names what packed them (``gzip_writer``): another encoder makes
    other bytes of the same lines. None: written before there was one.
    """

    key: str
    partition: int
    start: int
    end: int
    records: int
    bytes: int
    checksum: str
    crc32: int | None = None
    encoder: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a sealed minute holds.

    Attributes:
        table: name of the table.
        topic: name of the Kafka topic.
        cluster_id: of the Kafka cluster.
        topic_id: Kafka's id of the topic: a topic deleted and made again has another one. None when not known.
        minute: the minute.
        sealed_at: when it was sealed, ISO 8601 in UTC.
        run_id: of the Airflow run that sealed it.
        slices: what the minute takes of each Kafka partition, empty slices included.
        objects: what lies in ``raw/``.
        rejected_objects: what lies in ``rejected/``.
        lost: offsets that Kafka no longer had.
        min_timestamp: smallest record timestamp, milliseconds since the epoch; None without records.
        max_timestamp: the largest.
        early: consumed records with a timestamp at or after the window's end: they came before their minute.
        late: consumed records with a timestamp before the window's start: they came after their minute.
        seconds: wall time of each phase.
    """

    table: str
    topic: str
    cluster_id: str
    topic_id: str | None
    minute: Minute
    sealed_at: str
    run_id: str
    slices: tuple[OffsetRange, ...]
    objects: tuple[StoredObject, ...]
    rejected_objects: tuple[StoredObject, ...]
    lost: tuple[OffsetRange, ...]
    min_timestamp: int | None
    max_timestamp: int | None
    early: int
    late: int
    seconds: dict[str, float]

    @property
    def records(self) -> int:
        """Rows in ``raw/``."""
        return sum(o.records for o in self.objects)

    @property
    def rejected(self) -> int:
        """Records in ``rejected/``."""
        return sum(o.records for o in self.rejected_objects)

    @property
    def starts(self) -> dict[int, int]:
        """Kafka partition -> first offset."""
        return {s.partition: s.start for s in self.slices}

    @property
    def ends(self) -> dict[int, int]:
        """Kafka partition -> end offset, exclusive."""
        return {s.partition: s.end for s in self.slices}

    @property
    def keys(self) -> frozenset[str]:
        """Keys of all its objects."""
        return frozenset(o.key for o in (*self.objects, *self.rejected_objects))

    def require_at_home(self, table: str, minute: Minute) -> None:
        """Raise LakeError unless this is that minute's manifest, and lists that minute's objects only.

        One that was copied from elsewhere, or made up, would have other minutes' objects written again, and this minute's
        taken for leftovers.
        """
        remedy = "Landing did not write it so: bring back the version before it."
        if (self.table, self.minute) != (table, minute):
            raise LakeError(f"This is the manifest of {self.table} at {self.minute}.", remedy)
        for zone, stored in (*((RAW, o) for o in self.objects), *((REJECTED, o) for o in self.rejected_objects)):
            key = ObjectKey(zone, table, minute, stored.partition, stored.start, stored.end)
            if stored.key != str(key):
                raise LakeError(f"This manifest lists {stored.key!r} in the place of {key}.", remedy)

    def to_json(self) -> bytes:
        """The manifest as it lies in the bucket."""
        # What packed nearly all of them stands once, and with an object only where it was another one.
        encoders = Counter(o.encoder for o in (*self.objects, *self.rejected_objects))
        encoder = max(encoders, key=lambda name: encoders[name], default=None)
        document = {
            "version": VERSION,
            "table": self.table,
            "topic": self.topic,
            "cluster_id": self.cluster_id,
            "topic_id": self.topic_id,
            "minute": self.minute.key,
            "sealed_at": self.sealed_at,
            "run_id": self.run_id,
            "records": self.records,
            "rejected": self.rejected,
            "lost": [_offsets(s) for s in self.lost],
            "min_timestamp": self.min_timestamp,
            "max_timestamp": self.max_timestamp,
            "early": self.early,
            "late": self.late,
            "seconds": self.seconds,
            "encoder": encoder,
            "slices": [{**_offsets(s), "log_end": s.log_end} for s in self.slices],
            "objects": [_object(o, encoder) for o in self.objects],
            "rejected_objects": [_object(o, encoder) for o in self.rejected_objects],
        }
        return json.dumps(document, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read a manifest; raises LakeError saying what is wrong with it."""
        try:
            document = json.loads(body)
            if document["version"] != VERSION:
                raise LakeError(
                    f"The manifest has version {document['version']}, this Ticklake reads {VERSION}.",
                    "Update Ticklake: a newer one has written to this bucket.",
                )
            manifest = cls._read(document)
            if (manifest.records, manifest.rejected) != (document["records"], document["rejected"]):
                raise LakeError(f"The manifest of {manifest.minute} contradicts itself: its objects' records differ.")
        except (ValueError, KeyError, TypeError, AttributeError, SettingsError) as e:
            raise LakeError(f"This is not a manifest: {type(e).__name__}: {e}.") from e
        return manifest

    @classmethod
    def _read(cls, document: dict[str, Any]) -> Self:
        as_they_are = ("table", "topic", "cluster_id", "sealed_at", "run_id", "early", "late", "seconds")
        return cls(
            **{name: document[name] for name in (*as_they_are, "min_timestamp", "max_timestamp")},
            # Optional: manifests were written before there was one.
            topic_id=document.get("topic_id"),
            minute=Minute.parse(document["minute"]),
            slices=_slices(document["slices"]),
            lost=_slices(document["lost"]),
            objects=_objects(document, "objects"),
            rejected_objects=_objects(document, "rejected_objects"),
        )


def with_bytes_of(body: bytes, packed: Iterable[StoredObject]) -> bytes:
    """A manifest's JSON in which these objects, packed by another encoder, have their new bytes, checksum and encoder.

    Nothing else of it changes, whatever a later version may have written. Raises LakeError unless it lists such objects.
    """
    document = json.loads(body)
    listed = {o["key"]: o for zone in ("objects", "rejected_objects") for o in document[zone]}
    for new in packed:
        old = listed.get(new.key)
        if old is None or any(old.get(name) != getattr(new, name) for name in _NEVER_CHANGES):
            raise LakeError(f"The manifest of {document['minute']} does not list {new.key} as it was read before.")
        old |= {"bytes": new.bytes, "checksum": new.checksum}
        old.pop("encoder", None)
        old |= _encoder(new, document.get("encoder"))
    return json.dumps(document, indent=1).encode()


def _object(o: StoredObject, encoder: str | None) -> dict[str, Any]:
    fields = asdict(o)
    del fields["encoder"]
    return {**fields, **_encoder(o, encoder)}


def _encoder(o: StoredObject, usual: str | None) -> dict[str, str | None]:
    return {} if o.encoder == usual else {"encoder": o.encoder}


def _objects(document: dict[str, Any], zone: str) -> tuple[StoredObject, ...]:
    known = StoredObject.__match_args__
    usual: dict[str, Any] = {"encoder": document.get("encoder")}
    if not isinstance(usual["encoder"], str | None):
        raise TypeError("encoder is not a string")
    # What a later version has added is left aside, as in the rest of the document.
    return tuple(StoredObject(**usual | {name: o[name] for name in known if name in o}) for o in document[zone])


def _offsets(s: OffsetRange) -> dict[str, int]:
    return {"partition": s.partition, "start": s.start, "end": s.end}


def _slices(listed: Iterable[dict[str, int]]) -> tuple[OffsetRange, ...]:
    return tuple(OffsetRange(**s) for s in listed)
