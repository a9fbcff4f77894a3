"""The health of the cluster as findings in words, from facts read once. Pure: nothing here talks to Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from ticklake.core.errors import KafkaError
from ticklake.core.settings.stream import Stream, TopicSettings


class Level(StrEnum):
    """How bad a finding is; a failure stops what needs a healthy cluster."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Check:
    """One row of the table: what was looked at, what was seen, what to do about it (empty when ok)."""

    level: Level
    subject: str
    seen: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """For XCom and the asset event: plain texts only."""
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class PartitionFacts:
    """One Kafka partition: ids of brokers, and offsets; None is an offset that could not be read or was never committed.

    ``end`` is the high watermark, ``stable`` the last stable offset: an open transaction holds back what lies between.
    """

    partition: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]
    start: int | None = None
    end: int | None = None
    committed: int | None = None
    stable: int | None = None


@dataclass(frozen=True)
class ClusterFacts:
    """What one look at the cluster saw.

    Attributes:
        brokers: ids of the brokers that are registered and alive.
        quorum_seconds: time in which the controller quorum answered a request; None: it did not.
        created: the topic was missing and has been created by this look.
        partitions: of the topic, in order; empty when the topic is not there.
        config: the topic's settings as Kafka tells them.
        unread: what could not be read, and why, in words.
        topic_id: Kafka's id of the topic; None where Kafka gives none.
    """

    cluster_id: str
    brokers: tuple[int, ...]
    quorum_seconds: float | None
    created: bool
    partitions: tuple[PartitionFacts, ...]
    config: Mapping[str, str]
    unread: tuple[str, ...] = ()
    topic_id: str | None = None


def topic_config(topic: TopicSettings, brokers: int) -> dict[str, str]:
    """The settings the topic should have on a cluster of so many brokers."""
    return {
        # Kafka's clock, not the producer's: only then do timestamps rise with the offsets, and a minute is a clean cut.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(min(topic.min_insync_replicas, topic.replication_factor, max(brokers, 1))),
        "retention.ms": str(topic.retention_hours * 3_600_000),
    }


def examine(facts: ClusterFacts, stream: Stream) -> tuple[Check, ...]:
    """Every finding about the cluster, in the order of the table.

    Args:
        facts: what was seen.
        stream: what the stream file asks for.
    """
    findings = [_brokers(facts, stream.topic), _quorum(facts)]
    if facts.partitions:
        findings += [_topic(facts, stream.topic), _replicas(facts), *_config(facts, stream.topic)]
    else:
        remedy = "It is created as soon as the controller quorum answers."
        findings += [Check(Level.FAILURE, "topic", f"{stream.topic.name} is not there", remedy)]
    findings += [Check(Level.WARNING, "unread", what, "Does the next look see it?") for what in facts.unread]
    return tuple(findings)


def require_healthy(findings: Iterable[Check]) -> None:
    """Raise KafkaError that lists the failures with their remedies; nothing when there is none."""
    failures = [f for f in findings if f.level is Level.FAILURE]
    if failures:
        problems = "".join(f"\n  {f.subject}: {f.seen}. {f.remedy}" for f in failures)
        raise KafkaError(f"The Kafka cluster is not healthy:{problems}")


def _brokers(facts: ClusterFacts, topic: TopicSettings) -> Check:
    expected = {broker for p in facts.partitions for broker in p.replicas}
    missing = sorted(expected - set(facts.brokers))
    seen = f"{len(facts.brokers)} of {max(len(expected | set(facts.brokers)), topic.replication_factor)} seen"
    seen += f" ({_join(facts.brokers)}), cluster {facts.cluster_id}"
    if missing:
        return Check(Level.WARNING, "brokers", f"{seen}; down: {_join(missing)}", f"Start broker {_join(missing)}.")
    if len(facts.brokers) < topic.replication_factor:
        remedy = f"Records have fewer than the {topic.replication_factor} copies of the stream file: add brokers."
        return Check(Level.WARNING, "brokers", seen, remedy)
    return Check(Level.OK, "brokers", seen)


def _quorum(facts: ClusterFacts) -> Check:
    if facts.quorum_seconds is None:
        remedy = "More than half of the controllers must be up: start the missing ones."
        return Check(Level.FAILURE, "controller quorum", "no active controller answers", remedy)
    return Check(Level.OK, "controller quorum", f"answers in {facts.quorum_seconds * 1000:.0f} ms")


def _topic(facts: ClusterFacts, topic: TopicSettings) -> Check:
    count, copies = len(facts.partitions), min(len(p.replicas) for p in facts.partitions)
    made = " (just created)" if facts.created else ""
    seen = f"{topic.name}: {count} partitions, {copies} {'copy' if copies == 1 else 'copies'}{made}"
    if count < topic.partitions:
        remedy = (
            f"kafka-topics --alter --topic {topic.name} --partitions {topic.partitions}; keys then change partitions."
        )
        return Check(Level.WARNING, "topic", f"{seen}; the stream file says {topic.partitions}", remedy)
    if count > topic.partitions:
        remedy = f"Kafka cannot remove partitions: write partitions = {count} in the stream file."
        return Check(Level.WARNING, "topic", f"{seen}; the stream file says {topic.partitions}", remedy)
    if copies < min(topic.replication_factor, len(facts.brokers)):
        remedy = "The topic was created when fewer brokers were up: kafka-reassign-partitions adds copies."
        return Check(Level.WARNING, "topic", f"{seen}; the stream file says {topic.replication_factor}", remedy)
    return Check(Level.OK, "topic", seen)


def _replicas(facts: ClusterFacts) -> Check:
    needed = int(facts.config.get("min.insync.replicas", "1"))
    offline = [p for p in facts.partitions if p.leader is None]
    read_only = [p for p in facts.partitions if p.leader is not None and len(p.in_sync) < needed]
    behind = [p for p in facts.partitions if len(p.in_sync) < len(p.replicas)]
    away = sorted({b for p in behind for b in set(p.replicas) - set(p.in_sync)})
    remedy = f"Start broker {_join(away)}, or wait until it has caught up."
    if offline:
        return Check(Level.FAILURE, "replicas", f"partitions without a leader: {_numbers(offline)}", remedy)
    if read_only:
        seen = f"partitions with fewer than {needed} replicas in sync take no records: {_numbers(read_only)}"
        return Check(Level.FAILURE, "replicas", seen, remedy)
    if behind:
        seen = f"under-replicated partitions: {_numbers(behind)}; records are still taken"
        return Check(Level.WARNING, "replicas", seen, remedy)
    return Check(Level.OK, "replicas", "all in sync")


def _config(facts: ClusterFacts, topic: TopicSettings) -> Iterator[Check]:
    wanted = topic_config(topic, min(len(p.replicas) for p in facts.partitions))
    differing = {name: value for name, value in wanted.items() if facts.config and facts.config.get(name) != value}
    for name, value in differing.items():
        seen = f"{name} is {facts.config.get(name)}, the stream file asks for {value}"
        if name == "message.timestamp.type":
            seen += "; minutes are cut by the producer's clock, so manifests count records outside their minute (early, late)"
        change = f"kafka-configs --alter --entity-type topics --entity-name {topic.name} --add-config {name}={value}"
        yield Check(Level.WARNING, "settings", seen, change)
    if facts.config and not differing:
        yield Check(Level.OK, "settings", ", ".join(f"{name}={value}" for name, value in wanted.items()))


def _join(ids: Iterable[int]) -> str:
    return ", ".join(str(n) for n in ids)


def _numbers(partitions: Iterable[PartitionFacts]) -> str:
    return _join(p.partition for p in partitions)
