"""One look at the cluster, and the topic's creation.

What the client library cannot tell is left out: it has neither DescribeQuorum nor DescribeLogDirs, so the quorum is tested by a
request that only its active controller answers, and disk space is not seen. (The controller id in Kafka's metadata is
no help: a KRaft broker names any live broker there.)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka import KafkaError as Code
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from ticklake.clients.kafka.errors import ErrorLog, shared_settings
from ticklake.clients.kafka.msk_iam import with_tokens
from ticklake.core.errors import KafkaError
from ticklake.core.proof.broker_health import ClusterFacts, PartitionFacts, topic_config
from ticklake.core.settings.environment import KAFKA_CONNECTION
from ticklake.core.settings.stream import Stream, TopicSettings

# A cluster that is down is reported within _CONNECT_SECONDS, one that is half dead within about twice that.
_CONNECT_SECONDS = 8.0
_ANSWER_SECONDS = 5.0
_STEP_SECONDS = 0.5
_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
_NO_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # sixteen zero bytes in base64
_NO_ANSWER = {Code._TIMED_OUT, Code._TIMED_OUT_QUEUE, Code._TRANSPORT, Code.REQUEST_TIMED_OUT, Code.NOT_CONTROLLER}


class KafkaAdmin:
    """An administrator's view of one cluster.

    Args:
        connection: settings of librdkafka, as in the Airflow connection's extra.
        name: of the Airflow connection.

    Raises (every method): KafkaError, when no broker answers in time or Kafka refuses.
    """

    def __init__(self, connection: Mapping[str, Any], name: str = KAFKA_CONNECTION) -> None:
        self._where = str(connection.get("bootstrap.servers"))
        self._errors = ErrorLog(connection, name)
        shared = with_tokens(shared_settings(connection), self._errors.token_failed)
        # What matters of librdkafka's log comes by the callback, too, and can be said once there.
        self._settings: dict[str, Any] = {**shared, "log_level": 0, "error_cb": self._errors}
        with self._errors.opening():
            self._client = AdminClient(self._settings)

    def look(self, stream: Stream) -> ClusterFacts:
        """Create the topic if it is missing, then read everything that its health depends on. Blocks up to about 20 s."""
        cluster = self._answer(self._client.describe_cluster(request_timeout=_CONNECT_SECONDS), "describe the cluster")
        brokers = tuple(sorted(node.id for node in cluster.nodes))
        topic_id, partitions = self._described(stream.topic.name)
        quorum_seconds = self._create(stream.topic, len(brokers), only_ask=bool(partitions))
        created = not partitions and quorum_seconds is not None
        facts = ClusterFacts(cluster.cluster_id, brokers, quorum_seconds, created, partitions, {}, topic_id=topic_id)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while created and time.monotonic() < deadline:  # its leaders need a moment until they answer
            topic_id, partitions = self._described(stream.topic.name)
            facts = self._with_offsets(replace(facts, topic_id=topic_id, partitions=partitions), stream)
            if len(facts.partitions) == stream.topic.partitions and not facts.unread:
                return facts
            time.sleep(0.1)
        return self._with_offsets(facts, stream)

    def topic_id(self, topic: str) -> str | None:
        """Kafka's id of the topic, another one after it was deleted and made again; None before Kafka 2.8."""
        future = self._client.describe_topics(TopicCollection([topic]), request_timeout=_CONNECT_SECONDS)[topic]
        return _id(self._answer(future, f"describe topic {topic}"))

    def _create(self, topic: TopicSettings, brokers: int, *, only_ask: bool) -> float | None:
        """Have the topic created, or (``only_ask``) the request checked: seconds until the controller's answer, or None."""
        copies = min(topic.replication_factor, brokers)
        new = NewTopic(topic.name, topic.partitions, copies, config=topic_config(topic, brokers))
        start = time.monotonic()
        future = self._client.create_topics(
            [new], operation_timeout=_ANSWER_SECONDS, request_timeout=_ANSWER_SECONDS, validate_only=only_ask
        )[topic.name]
        try:
            future.result(_ANSWER_SECONDS + 1)
        except (KafkaException, TimeoutError) as e:
            error = e.args[0] if isinstance(e, KafkaException) else None
            if error is None or error.code() in _NO_ANSWER:
                return None
            # Any other answer is one from the controller. "Exists" is what is wanted: of the question, or of a twin's topic.
            if error.code() != Code.TOPIC_ALREADY_EXISTS and not only_ask:
                problem = f"Kafka at {self._where} did not create topic {topic.name}"
                raise self._errors.explain(problem, error=error) from e
        return time.monotonic() - start

    def _described(self, topic: str) -> tuple[str | None, tuple[PartitionFacts, ...]]:
        """The topic's id and partitions; none when there is no such topic. Never creates it, as a metadata request might."""
        future = self._client.describe_topics(TopicCollection([topic]), request_timeout=_ANSWER_SECONDS)[topic]
        try:
            description = future.result(_ANSWER_SECONDS + 1)
        except KafkaException as e:
            if e.args[0].code() == Code.UNKNOWN_TOPIC_OR_PART:
                return None, ()
            raise self._failed(f"describe topic {topic}", e) from e
        return _id(description), tuple(
            PartitionFacts(
                partition=p.id,
                leader=p.leader.id if p.leader is not None and p.leader.id >= 0 else None,
                replicas=tuple(node.id for node in p.replicas),
                in_sync=tuple(node.id for node in p.isr),
            )
            for p in sorted(description.partitions, key=lambda p: p.id)
        )

    def _with_offsets(self, facts: ClusterFacts, stream: Stream) -> ClusterFacts:
        """The facts with the topic's settings, log offsets and the group's offsets, all asked for at once."""
        if not facts.partitions:
            return facts
        topic, group = stream.topic.name, stream.landing.group
        resource = ConfigResource(ResourceType.TOPIC, topic)
        places = [TopicPartition(topic, p.partition) for p in facts.partitions if p.leader is not None]
        config = self._client.describe_configs([resource], request_timeout=_ANSWER_SECONDS)[resource]
        starts = self._client.list_offsets(dict.fromkeys(places, _EARLIEST), request_timeout=_ANSWER_SECONDS)
        ends = self._client.list_offsets(dict.fromkeys(places, _LATEST), request_timeout=_ANSWER_SECONDS)
        stables = self._client.list_offsets(
            dict.fromkeys(places, _LATEST),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER_SECONDS,
        )

        unread: list[str] = []
        done = self._committed(group, [TopicPartition(topic, p.partition) for p in facts.partitions], unread)
        settings = self._read(config, f"settings of {topic}", unread)
        low, high = self._offsets(starts, "first", unread), self._offsets(ends, "end", unread)
        stable = self._offsets(stables, "last stable", unread)
        partitions = tuple(
            replace(p, start=low.get(n), end=high.get(n), stable=stable.get(n), committed=done.get(n))
            for n, p in ((p.partition, p) for p in facts.partitions)
        )
        values = {name: str(entry.value) for name, entry in settings.items()} if settings else {}
        return replace(facts, partitions=partitions, config=values, unread=tuple(unread))

    def _committed(self, group: str, places: list[TopicPartition], unread: list[str]) -> dict[int, int]:
        """Committed offsets of the group, by Kafka partition.

        By a consumer, which joins nothing: the admin client's own request kills the process when the group's coordinator
        is just moving or not there yet (confluentinc/librdkafka#5040).
        """
        consumer = Consumer({**self._settings, "group.id": group, "enable.auto.commit": False})
        try:
            found = consumer.committed(places, timeout=_ANSWER_SECONDS)
        except KafkaException as e:
            # Without the right the answer only never comes: the reason is among the consumer's messages.
            told = consumer.poll(0)
            reason = told.error() if told else None
            unread.append(f"offsets of group {group}: {reason.str() if reason else _words(e)}")
            return {}
        finally:
            consumer.close()
        return {tp.partition: tp.offset for tp in found if tp.error is None and tp.offset >= 0}

    def _offsets(self, futures: Mapping[Any, Future[Any]], which: str, unread: list[str]) -> dict[int, int]:
        """Offsets by Kafka partition, without those that could not be read."""
        read = {tp: self._read(f, f"{which} offset of {tp.topic}-{tp.partition}", unread) for tp, f in futures.items()}
        return {tp.partition: found.offset for tp, found in read.items() if found}

    def _read(self, future: Future[Any], what: str, unread: list[str]) -> Any:
        """The answer, or None and a line in ``unread``."""
        try:
            return future.result(_ANSWER_SECONDS + 1)
        except (KafkaException, TimeoutError) as e:
            unread.append(f"{what}: {_words(e)}")
            return None

    def _answer(self, future: Future[Any], what: str) -> Any:
        deadline = time.monotonic() + _CONNECT_SECONDS + 1
        while True:
            try:
                return future.result(_STEP_SECONDS)
            except (KafkaException, TimeoutError) as e:
                self._client.poll(0)  # runs the error callback: the answer alone only says "timed out"
                # The request itself is not given up before its time, even where brokers refuse us for good.
                if future.done() or self._errors.refused or time.monotonic() > deadline:
                    raise self._failed(what, e) from e

    def _failed(self, what: str, e: Exception) -> KafkaError:
        return self._errors.explain(
            f"Kafka at {self._where} did not {what}",
            "Are the brokers up, and does the connection name their addresses?",
            e.args[0] if isinstance(e, KafkaException) else None,
        )


def _id(description: Any) -> str | None:
    found = str(description.topic_id)
    return None if found == _NO_TOPIC_ID else found


def _words(e: Exception) -> str:
    return str(e.args[0].str()) if isinstance(e, KafkaException) else "no answer in time"
