"""Every user of `up --secure` tries every operation: what its stage needs is allowed, everything else is refused.

The outcome is docs/security.md's table; `UPDATE_DOCS=1` writes it again.
"""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from local.home import PROJECT
from tests.support.kafka import create_rights, create_topics
from tests.support.secured_kafka import SecuredKafka
from ticklake.core.settings.environment import KAFKA_ACTORS

DOCUMENT = PROJECT / "docs" / "security.md"
SECONDS = 60.0
OPEN_GROUP = "probe"
Settings = dict[str, Any]
Probe = Callable[[Settings, str, str], Any]  # a user's settings, the topic, the consumer group


def describe(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    admin.describe_topics(TopicCollection([topic]))[topic].result(SECONDS)


def create(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True)[topic].result(SECONDS)


def create_another(user: Settings, topic: str, group: str) -> None:
    create(user, f"probe-{uuid4().hex}", group)


def delete(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    admin.delete_topics([topic])[topic].result(SECONDS)


def grow(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    admin.create_partitions([NewPartitions(topic, 9)], validate_only=True)[topic].result(SECONDS)


def read_config(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin.describe_configs([resource])[resource].result(SECONDS)


def change_config(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource], validate_only=True)[resource].result(SECONDS)


def read(user: Settings, topic: str, group: str) -> None:
    # A group that everybody may use: only the topic's right counts.
    with closing(Consumer({**user, "group.id": OPEN_GROUP, "enable.partition.eof": True})) as consumer:
        if unseen := consumer.list_topics(topic, timeout=SECONDS).topics[topic].error:
            raise KafkaException(unseen)
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(SECONDS)
        assert message, "neither a record nor an error came"
        error = message.error()
        if error and error.name() != "_PARTITION_EOF":
            raise KafkaException(error)


def write(user: Settings, topic: str, group: str) -> None:
    errors: list[Any] = []
    producer = Producer({**user, "enable.idempotence": True, "message.timeout.ms": 60_000})
    producer.produce(topic, b"{}", partition=1, on_delivery=lambda error, _: errors.append(error))
    producer.flush(SECONDS)
    assert errors
    if errors[0]:
        raise KafkaException(errors[0])


def transact(user: Settings, topic: str, group: str) -> None:
    Producer({**user, "transactional.id": "ticklake-redrive-stock_ticks"}).init_transactions(SECONDS)


def transact_otherwise(user: Settings, topic: str, group: str) -> None:
    Producer({**user, "transactional.id": "another"}).init_transactions(SECONDS)


def see_group(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    admin.describe_consumer_groups([group])[group].result(SECONDS)


def commit(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    offsets = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    done = admin.alter_consumer_group_offsets([offsets])[group].result(SECONDS)
    for one in done.topic_partitions:
        if one.error:
            raise KafkaException(one.error)


def give_rights(user: Settings, topic: str, group: str) -> None:
    admin = AdminClient(user)
    every = binding(ResourceType.TOPIC, topic, AclOperation.ALL)
    admin.create_acls([every])[every].result(SECONDS)


def binding(kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    return AclBinding(kind, name, ResourcePatternType.LITERAL, "User:*", "*", operation, AclPermissionType.ALLOW)


# (operation, on what, how, who may)
PROBES: tuple[tuple[str, str, Probe, set[str]], ...] = (
    ("Describe", "topic `stock_ticks`", describe, set(KAFKA_ACTORS)),
    ("Read", "topic `stock_ticks`", read, {"landing", "reconcile", "redrive"}),
    ("Write", "topic `stock_ticks`", write, {"produce", "redrive"}),
    ("Create", "topic `stock_ticks`", create, {"health"}),
    ("DescribeConfigs", "topic `stock_ticks`", read_config, {"health"}),
    ("AlterConfigs", "topic `stock_ticks`", change_config, set()),
    ("Alter (more partitions)", "topic `stock_ticks`", grow, set()),
    ("Delete", "topic `stock_ticks`", delete, set()),
    ("Describe", "another topic", lambda user, _, group: describe(user, "another", group), set()),
    ("Read", "another topic", lambda user, _, group: read(user, "another", group), set()),
    ("Write", "another topic", lambda user, _, group: write(user, "another", group), set()),
    ("Create", "another topic", create_another, set()),
    ("Describe", "group `ticklake`", see_group, {"landing", "reconcile", "redrive", "health"}),
    ("Read (commit)", "group `ticklake`", commit, {"landing", "reconcile"}),
    ("Read (commit)", "another group", lambda user, topic, _: commit(user, topic, "another"), set()),
    ("Write", "transactional id `ticklake-redrive-stock_ticks`", transact, {"redrive"}),
    ("Write", "another transactional id", transact_otherwise, set()),
    ("Alter (rights)", "the cluster", give_rights, set()),
)


@pytest.fixture(scope="module")
def outcomes(secured_kafka: SecuredKafka, secured_topic: str) -> dict[tuple[int, str], str]:
    """(number of the probe, user) -> ``allowed`` or ``refused``, as Kafka answered."""
    admin = AdminClient(secured_kafka.client("admin"))
    create_topics(admin, NewTopic("another", 2, 1))
    create_rights(admin, binding(ResourceType.GROUP, OPEN_GROUP, AclOperation.READ))
    asked = [(number, actor) for number in range(len(PROBES)) for actor in KAFKA_ACTORS]
    group = secured_kafka.stream.landing.group

    def outcome(number: int, actor: str) -> str:
        return _outcome(PROBES[number][2], {**secured_kafka.client(actor), "log_level": 0}, secured_topic, group)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(asked, pool.map(lambda one: outcome(*one), asked), strict=True))


def _outcome(probe: Probe, user: Settings, topic: str, group: str) -> str:
    try:
        probe(user, topic, group)
    except (KafkaException, SystemError) as e:
        # A fatal error of a producer may come while it calls back: Python then wraps it.
        known = e.__cause__ if isinstance(e, SystemError) else e
        code = known.args[0].name() if isinstance(known, KafkaException) else ""
        if code.endswith("AUTHORIZATION_FAILED"):
            return "refused"
        if code == "TOPIC_ALREADY_EXISTS":
            return "allowed"
        raise
    return "allowed"


@pytest.mark.parametrize("actor", KAFKA_ACTORS)
def test_a_user_may_do_what_its_stage_needs_and_nothing_else(actor: str, outcomes: dict[tuple[int, str], str]) -> None:
    wrong = [
        f"{operation} on {place}: {outcomes[number, actor]}"
        for number, (operation, place, _, may) in enumerate(PROBES)
        if outcomes[number, actor] != ("allowed" if actor in may else "refused")
    ]
    assert wrong == []


def test_the_table_in_the_docs_is_what_was_seen(outcomes: dict[tuple[int, str], str]) -> None:
    head = ["operation", "on", *KAFKA_ACTORS]
    rows = [
        [operation, place, *("**allowed**" if outcomes[n, a] == "allowed" else "refused" for a in KAFKA_ACTORS)]
        for n, (operation, place, _, _) in enumerate(PROBES)
    ]
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    lines.insert(1, f"|{'---|' * len(head)}")
    begin, end = "<!-- kafka-rights: written by tests/clients/kafka/test_rights.py -->\n", "<!-- /kafka-rights -->"
    wanted = f"{begin}{chr(10).join(lines)}\n{end}"
    text = DOCUMENT.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(pattern.sub(lambda _: wanted, text))
    else:
        assert wanted in text, "UPDATE_DOCS=1 writes it again"
