"""The origin: a table's first minute and the offsets at which it starts, agreed on before anything is sealed.

Without a sealed minute to go on from, time alone would choose where a minute starts and where its neighbour ends. Two runs of
neighbouring minutes could then read the log at different moments and leave offsets between them. So the first run writes the
origin (one object, first writer wins), and every run of a minute on either side of it takes its edge from there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from ticklake.core.errors import LakeError, SettingsError
from ticklake.core.landing.offset_ranges import Offsets
from ticklake.core.minute import Minute


@dataclass(frozen=True)
class Origin:
    """First minute, per Kafka partition its first offset, and Kafka's id of the topic (None when not known)."""

    minute: Minute
    starts: Offsets
    topic_id: str | None = None

    def to_json(self) -> bytes:
        """``{"minute": "2026-11-22T10:05", "topic_id": "…", "starts": {"0": 17}}``."""
        document = {"minute": self.minute.key, "topic_id": self.topic_id, "starts": dict(self.starts)}
        return json.dumps(document, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read it; raises LakeError."""
        try:
            document = json.loads(body)
            starts = {int(p): offset for p, offset in document["starts"].items()}
            if not all(type(offset) is int for offset in starts.values()):
                raise TypeError("an offset is not a whole number")
            return cls(Minute.parse(document["minute"]), starts, document.get("topic_id"))
        except (ValueError, KeyError, TypeError, AttributeError, SettingsError) as e:
            raise LakeError(f"origins/….json is not what Ticklake writes: {body!r:.80}.") from e
