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
from ticklake.core.minute import Minute
from ticklake.core.slices import Offsets


@dataclass(frozen=True)
class Origin:
    """First minute, and per Kafka partition its first offset."""

    minute: Minute
    starts: Offsets

    def to_json(self) -> bytes:
        """``{"minute": "2026-11-22T10:05", "starts": {"0": 17}}``."""
        return json.dumps({"minute": self.minute.key, "starts": dict(self.starts)}, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read it; raises LakeError."""
        try:
            document = json.loads(body)
            starts = {int(p): offset for p, offset in document["starts"].items()}
            if not all(type(offset) is int for offset in starts.values()):
                raise TypeError("an offset is not a whole number")
            return cls(Minute.parse(document["minute"]), starts)
        except (ValueError, KeyError, TypeError, AttributeError, SettingsError) as e:
            raise LakeError(f"origins/….json is not what Ticklake writes: {body!r:.80}.") from e
