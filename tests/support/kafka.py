"""What a Kafka broker knows a moment after it was asked for: topics and rights come to it by way of the controller."""

from functools import partial
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from tests.support.waiting import GUARD_SECONDS, wait_for

_ANY: Any = None
_ANY_RIGHT = AclBindingFilter(
    ResourceType.ANY, _ANY, ResourcePatternType.ANY, _ANY, _ANY, AclOperation.ANY, AclPermissionType.ANY
)


def create_topics(admin: AdminClient, *topics: NewTopic) -> None:
    """Create topics and wait until the broker serves every partition of them."""
    for made in admin.create_topics(list(topics)).values():
        made.result(GUARD_SECONDS)
    for topic in topics:
        wait_for(partial(serves, admin, topic.topic, topic.num_partitions), f"topic {topic.topic}")


def serves(admin: AdminClient, topic: str, partitions: int) -> bool:
    """Whether the broker knows so many partitions of the topic, each with a leader."""
    found: Any = admin.list_topics(topic, timeout=GUARD_SECONDS).topics[topic]
    known = [p for p in found.partitions.values() if p.leader >= 0]
    return not found.error and len(known) == partitions


def create_rights(admin: AdminClient, *rights: AclBinding) -> None:
    """Give rights and wait until they are in force."""
    for made in admin.create_acls(list(rights)).values():
        made.result(GUARD_SECONDS)
    wait_for(lambda: set(rights) <= set(rights_in_force(admin)), f"rights in force: {rights}")


def rights_in_force(admin: AdminClient) -> list[AclBinding]:
    """The rights that the broker goes by now: it is asked, not the controller."""
    found: list[AclBinding] = admin.describe_acls(_ANY_RIGHT).result(GUARD_SECONDS)
    return found
