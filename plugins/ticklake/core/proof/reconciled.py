"""What came of reconciling an hour: what each side holds, what was found and is repaired, what stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from ticklake.core.errors import LakeError
from ticklake.core.minute import Hour
from ticklake.core.proof.reconcile import HEALED_BY_TIME, Finding
from ticklake.core.proof.row_counts import Tally

_SHOWN = 10


@dataclass(frozen=True)
class Reconciled:
    """An hour.

    Attributes:
        hour: the hour.
        at: when it was looked at.
        minutes: sealed ones.
        offsets: of all Kafka partitions, as the manifests span them.
        records: rows, as the manifests say.
        rejected: likewise.
        lost: offsets that Kafka no longer had.
        objects: read.
        bytes: of them.
        lines: in them, rejected ones too.
        counted: rows in Athena.
        distinct: offsets among them.
        kafka_partitions: whose ends Kafka still holds and were compared.
        stays: findings that are there.
        repaired: findings that were there.
        timely: ends of minutes, one a Kafka partition, that are proven not to have stopped short.
        unproven: the others, of which it can neither be said nor denied.
    """

    hour: Hour
    at: datetime
    minutes: int
    offsets: int
    records: int
    rejected: int
    lost: int
    objects: int
    bytes: int
    lines: int
    counted: int
    distinct: int
    kafka_partitions: int
    stays: tuple[Finding, ...]
    repaired: tuple[Finding, ...] = ()
    timely: int = 0
    unproven: int = 0

    def __str__(self) -> str:
        return (
            f"{self.hour}: {self.minutes} minutes · {self.offsets:,} offsets · "
            f"manifests {self.records:,} + {self.rejected:,} rejected · "
            f"{self.lines:,} lines in {self.objects:,} objects · Athena {self.counted:,}, distinct {self.distinct:,} · "
            f"Kafka compared in {self.kafka_partitions} partitions · "
            f"{self.timely:,} minutes' ends in time, {self.unproven:,} unproven · "
            f"repaired {len(self.repaired)} · stays {len(self.stays)}"
        )

    @property
    def tally(self) -> Tally:
        """For the totals."""
        return Tally(self.records, self.counted, self.distinct)

    def after_repair_of(self, before: Reconciled, done: Mapping[str, str], failed: Mapping[str, str]) -> Reconciled:
        """This later look at the hour, with what is gone since the one before as repaired.

        Args:
            before: the look before the repair.
            done: how something was repaired, by the finding's subject: it takes the remedy's place.
            failed: why something could not be repaired, likewise.
        """
        still = {(f.kind, f.subject) for f in self.stays}
        return replace(
            self,
            repaired=tuple(
                replace(f, remedy=done.get(f.subject, "gone with the others"))
                for f in before.stays
                if (f.kind, f.subject) not in still
            ),
            stays=tuple(replace(f, remedy=failed.get(f.subject, f.remedy)) for f in self.stays),
        )

    def to_dict(self) -> dict[str, Any]:
        """What is stored: JSON."""
        return {**asdict(self), "hour": self.hour.key, "at": self.at.isoformat(timespec="seconds")}


def require_agreement(results: Iterable[Reconciled]) -> None:
    """Raise LakeError naming what stays different and the remedies; nothing when all agree."""
    stays = [f for r in results for f in r.stays]
    if stays:
        told = "; ".join(f"{f.kind}: {f.subject}: {f.seen}" for f in stays[:_SHOWN])
        more = f"; and {len(stays) - _SHOWN} more, see the log" if len(stays) > _SHOWN else ""
        raise LakeError(
            f"{len(stays)} difference{'s stay' if len(stays) > 1 else ' stays'}: {told}{more}.",
            " ".join(dict.fromkeys(f.remedy for f in stays[:_SHOWN])),
        )


def time_may_heal(results: Iterable[Reconciled]) -> bool:
    """Whether all that stays may be a matter of landing or a crawl being late."""
    return all(f.kind in HEALED_BY_TIME for r in results for f in r.stays)
