"""Dead letters: the line that is kept of a rejected record, read back, and what is remembered of those produced again."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from ticklake.core.errors import LakeError
from ticklake.core.formats.json_rows import Record, Splicer, UnfitError
from ticklake.core.message_headers import Headers, headers_of

REDRIVEN_HEADER = "ticklake-redriven"
VERSION = 1


def kind_of_reason(reason: str) -> str:
    """The reason without what is special about one record: ``not JSON`` of ``not JSON: unexpected end``."""
    return reason.partition(":")[0]


def rejected_line(record: Record, partition: int, timestamp: int, reason: str) -> bytes:
    """The line kept in ``rejected/``: everything needed to look at the record and to produce it again."""
    headers = headers_of(record)
    line = {
        "kafka_partition": partition,
        "kafka_offset": record.offset(),
        "kafka_timestamp": timestamp,
        "reason": reason,
        "key": _base64(record.key()),
        "value": _base64(record.value()),
        "headers": None if headers is None else [[name, _base64(content)] for name, content in headers],
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True)
class Rejected:
    """One line of ``rejected/``; ``headers`` is None when they could not be read."""

    partition: int
    offset: int
    timestamp: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers | None

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read a line that ``rejected_line`` wrote; raises LakeError."""
        try:
            kept = json.loads(line)
            headers = kept["headers"]
            return cls(
                partition=kept["kafka_partition"],
                offset=kept["kafka_offset"],
                timestamp=kept["kafka_timestamp"],
                reason=kept["reason"],
                key=_decoded(kept["key"]),
                value=_decoded(kept["value"]),
                headers=None if headers is None else tuple((name, _decoded(content)) for name, content in headers),
            )
        except (ValueError, KeyError, TypeError) as e:
            raise LakeError(f"This is not a rejected record: {line[:80]!r}: {type(e).__name__}: {e}.") from e

    @property
    def place(self) -> bytes:
        """``3/123456``: Kafka partition and offset, as the header names them."""
        return b"%d/%d" % (self.partition, self.offset)

    def verdict(self) -> str | None:
        """Why it would be rejected by today's rules; None: it would be a row."""
        try:
            Splicer().row(self.value, self.partition, self.offset, self.timestamp)
        except UnfitError as unfit:
            return str(unfit)
        return None


@dataclass(frozen=True)
class Marker:
    """What is remembered of one rejected object.

    Attributes:
        since: end of the Kafka partition's log before the first of ``pending`` was sent.
        pending: offsets that were about to be sent; whether they were stands in Kafka, at or after ``since``.
        redriven: offsets that were sent.
    """

    since: int = 0
    pending: frozenset[int] = frozenset()
    redriven: frozenset[int] = frozenset()

    def begin(self, offsets: Collection[int], since: int) -> Marker:
        """These are about to be sent; a ``since`` that still has something pending stays."""
        return Marker(
            min(self.since, since) if self.pending else since,
            self.pending | set(offsets) - self.redriven,
            self.redriven,
        )

    def settle(self, sent: Collection[int], unsent: Collection[int] = ()) -> Marker:
        """Of those pending, these were sent and those were not."""
        return Marker(self.since, self.pending - set(sent) - set(unsent), self.redriven | set(sent))

    def to_json(self) -> bytes:
        """The marker as it lies in the bucket."""
        document = {
            "version": VERSION,
            "since": self.since,
            "pending": sorted(self.pending),
            "redriven": sorted(self.redriven),
        }
        return json.dumps(document).encode()

    @classmethod
    def from_json(cls, body: bytes | None) -> Self:
        """Read it (None: there is none yet); raises LakeError."""
        if body is None:
            return cls()
        try:
            document = json.loads(body)
            if document["version"] != VERSION:
                raise LakeError(f"The marker has version {document['version']}, this Ticklake reads {VERSION}.")
            since = int(document["since"])
            return cls(since, frozenset(map(int, document["pending"])), frozenset(map(int, document["redriven"])))
        except (ValueError, KeyError, TypeError) as e:
            raise LakeError(f"This does not say what was redriven: {body[:80]!r}.") from e


@dataclass
class ReasonCounts:
    """Records of one reason: all there are, and what became of them. They add up."""

    rejected: int = 0
    before: int = 0
    unfit: int = 0
    unreadable: int = 0
    sent: int = 0


def tally_rows(tallies: Mapping[str, ReasonCounts]) -> Iterable[tuple[Any, ...]]:
    """Rows for a table, most frequent reason first."""
    for reason, t in sorted(tallies.items(), key=lambda item: (-item[1].rejected, item[0])):
        yield reason, t.rejected, t.before, t.unfit, t.unreadable, t.sent


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _base64(content: bytes | str | None) -> str | None:
    if content is None:
        return None
    raw = content.encode() if isinstance(content, str) else content
    return base64.b64encode(raw).decode("ascii")
