"""Does landing keep up with the topic? Findings in words, beside those about the cluster: lag, another topic, strange dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ticklake.core.errors import LakeError
from ticklake.core.landing.manifest import Manifest
from ticklake.core.minute import Minute
from ticklake.core.moment import moment, span
from ticklake.core.proof.broker_health import Check, ClusterFacts, Level, PartitionFacts
from ticklake.core.proof.waiting import LogEnds, held_back, not_the_topic
from ticklake.core.settings.stream import Stream

# The newest closed minute is sealed some seconds after its end: two minutes behind is still punctual.
PUNCTUAL_MINUTES = 2
# So far the clocks of brokers, or of producers that are well kept, may be apart.
_CLOCKS_MS = 10_000
_LAG, _TOPIC, _HELD, _DATES = "lag of landing", "topic landed", "open transaction", "dates of records"
_LAND = "kafka_to_s3 seals a minute each minute: is it unpaused, and what does its newest run say?"


def examine_landing(
    facts: ClusterFacts, stream: Stream, sealed: Sequence[Manifest] | LakeError, now: datetime
) -> tuple[Check, ...]:
    """Findings about landing, in the order of the table; none without a topic.

    Args:
        facts: what was seen of the cluster.
        stream: what the stream file asks for.
        sealed: some of the newest manifests, newest first, read before the cluster was looked at; empty when there is none;
            the error when the lake did not tell.
        now: the time of the look, aware.
    """
    if not facts.partitions:
        return ()
    manifests = () if isinstance(sealed, LakeError) else tuple(sealed)
    newest = manifests[0] if manifests else None
    log = _log(facts, stream)
    other = not_the_topic(log, newest)
    if other is not None:
        # A failure: landing refuses, so every record from now on waits until somebody acts, and retention takes it in the end.
        # How far landing is behind is no question then: the offsets are of two topics.
        return (Check(Level.FAILURE, _TOPIC, other.problem, other.remedy),)
    findings = [_lag(facts, stream, newest, sealed if isinstance(sealed, LakeError) else None, now)]
    return (*findings, *_held(log, newest), *_dates(manifests, stream))


def _log(facts: ClusterFacts, stream: Stream) -> LogEnds:
    ends = {p.partition: p.end for p in facts.partitions if p.end is not None}
    stable = {p.partition: _stable(p) for p in facts.partitions if p.end is not None}
    low = {p.partition: p.start for p in facts.partitions if p.start is not None}
    return LogEnds(stream.topic.name, facts.topic_id, low, {p: s for p, s in stable.items() if s is not None}, ends)


def _stable(p: PartitionFacts) -> int | None:
    return p.end if p.stable is None else p.stable


def _lag(
    facts: ClusterFacts, stream: Stream, newest: Manifest | None, unknown: LakeError | None, now: datetime
) -> Check:
    known = [p for p in facts.partitions if p.end is not None and p.start is not None]
    beyond = [p.partition for p in known if newest is None and (p.committed or 0) > (p.end or 0)]
    if beyond:
        seen = f"group {stream.landing.group} has committed beyond the end of partitions {', '.join(map(str, beyond))}"
        remedy = "The topic was deleted and made again. Start with another table ([table] name in the stream file)."
        return Check(Level.WARNING, _LAG, seen, remedy)
    offsets = sum(max(0, (_stable(p) or 0) - _landed(p, newest)) for p in known)
    seen = f"{offsets:,} offsets not yet landed"
    if unknown is not None:
        return Check(Level.WARNING, _LAG, f"{seen}, newest sealed minute unknown: {unknown.problem}", unknown.remedy)
    if newest is None:
        level = Level.WARNING if offsets else Level.OK
        return Check(level, _LAG, f"{seen}, no minute sealed yet", _LAND if offsets else "")
    closed = Minute.containing(now).plus(-1)
    minutes = max(0, int((closed.start - newest.minute.start).total_seconds() // 60))
    seen += f", newest sealed minute {newest.minute} ({minutes} behind)"
    if minutes > PUNCTUAL_MINUTES:
        return Check(Level.WARNING, _LAG, seen, _LAND)
    return Check(Level.OK, _LAG, seen)


def _landed(p: PartitionFacts, newest: Manifest | None) -> int:
    """Up to where the Kafka partition is landed: by the manifest; by the group's offsets where there is none."""
    landed = (newest.ends if newest else {}).get(p.partition, p.committed)
    return max(landed or 0, p.start or 0)


def _held(log: LogEnds, newest: Manifest | None) -> Iterator[Check]:
    """A transaction that was open at the newest seal and still is; those of a moment are no finding."""
    if newest is None:
        return
    seen_then = {s.partition: s.log_end for s in newest.slices}
    held = {p: n for p, n in held_back(log).items() if (then := seen_then.get(p)) is not None and log.stable[p] <= then}
    if held:
        seen = f"{sum(held.values()):,} offsets of partitions {', '.join(map(str, held))} are held back"
        remedy = (
            f"Which producer has it open: kafka-transactions describe-producers --topic {log.topic} --partition "
            f"{min(held)}. It commits, aborts, or kafka-transactions abort ends it."
        )
        yield Check(Level.WARNING, _HELD, f"{seen} since before {newest.sealed_at}", remedy)


def _dates(manifests: Sequence[Manifest], stream: Stream) -> Iterator[Check]:
    """How many records came before or after their minute, and how far off."""
    if not manifests:
        return
    early, late = sum(m.early for m in manifests), sum(m.late for m in manifests)
    dates = [(m, m.max_timestamp) for m in manifests if m.early and m.max_timestamp is not None]
    ahead = max(((ms - m.minute.end_ms, ms) for m, ms in dates), default=(0, 0))
    dates = [(m, m.min_timestamp) for m in manifests if m.late and m.min_timestamp is not None]
    behind = max(((m.minute.start_ms - ms, ms) for m, ms in dates), default=(0, 0))
    total = sum(m.records + m.rejected for m in manifests)
    seen = f"of {total:,} records in the newest {len(manifests)} minutes {early:,} came early, {late:,} late"
    if early:
        seen += f"; up to {span(ahead[0])} ahead of their minute ({moment(ahead[1])})"
    if late:
        seen += f"; up to {span(behind[0])} behind it ({moment(behind[1])})"
    if max(ahead[0], behind[0]) <= _CLOCKS_MS:
        yield Check(Level.OK, _DATES, seen)
        return
    remedy = (
        f"They are landed all the same. Is a producer's clock wrong, or its unit? Let the brokers date the records: "
        f"kafka-configs --alter --entity-type topics --entity-name {stream.topic.name} --add-config "
        "message.timestamp.type=LogAppendTime; or have such dates refused: message.timestamp.after.max.ms and "
        "message.timestamp.before.max.ms."
    )
    yield Check(Level.WARNING, _DATES, seen, remedy)
