"""Lands or verifies the minutes of a range hour by hour, by the rules of ``kafka_to_s3``: a loop over its ``land``."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ticklake.core.errors import LostOffsetsError, NotRestoredError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.minute import Minute
from ticklake.stages.kafka_to_s3.land import land
from ticklake.stages.kafka_to_s3.landing import Landing
from ticklake.stages.manifest_store import manifest_of

_log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class Relanded:
    """What was done.

    Attributes:
        manifests: of minutes that are sealed now, oldest first; catching up may add earlier ones.
        rewritten: keys of objects that were written again.
        restored: those of them that came from the bucket's versions.
        lost: what Kafka no longer has, and of sealed minutes the bucket's versions neither, in words.
    """

    manifests: tuple[Manifest, ...]
    rewritten: tuple[str, ...]
    restored: tuple[str, ...]
    lost: tuple[str, ...]


def reland(landing: Landing, minutes: Sequence[Minute], now: datetime, force: bool = False) -> Relanded:
    """Land each minute, oldest first: an unsealed one is sealed, of a sealed one what is missing or damaged is written again.

    Offsets that Kafka no longer has keep one minute from being whole, not the next ones from landing: they are in ``lost``.

    Args:
        landing: what to work with.
        minutes: that are over, oldest first.
        now: the time.
        force: write all objects of sealed minutes again.

    Raises:
        KafkaError, LakeError: a side does not answer; what is sealed stays, a retry goes on.
    """
    sealed: dict[Minute, Manifest] = {}
    rewritten: list[str] = []
    restored: list[str] = []
    lost: list[str] = []
    told = time.monotonic()
    for done, minute in enumerate(minutes, start=1):
        try:
            landed = land(landing, minute, now, force)
        except LostOffsetsError as e:
            _log.warning("%s", e)
            lost.append(str(e))
            if isinstance(e, NotRestoredError):
                rewritten += e.rewritten
                restored += e.restored
            manifest = manifest_of(landing.lake, landing.table, minute)
            sealed |= {manifest.minute: manifest} if manifest else {}
        else:
            sealed |= {m.minute: m for m in landed.manifests}
            rewritten += landed.rewritten
            restored += landed.restored
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            _log.info("%d of %d minutes, %s rows", done, len(minutes), f"{sum(m.records for m in sealed.values()):,}")
    manifests = tuple(sealed[m] for m in sorted(sealed))
    _log.info(
        "%s to %s: %d minutes sealed, %s rows, %d objects written again (%d from the bucket's versions), "
        "%d minutes with lost offsets",
        minutes[0], minutes[-1], len(manifests), f"{sum(m.records for m in manifests):,}", len(rewritten), len(restored),
        len(lost),
    )  # fmt: skip
    return Relanded(manifests, tuple(rewritten), tuple(restored), tuple(lost))
