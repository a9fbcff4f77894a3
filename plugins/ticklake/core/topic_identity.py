"""Whether a topic is still the topic that was landed: a name can be given anew, Kafka's topic id cannot.

The offsets of a topic that was deleted and made again restart at 0. Under the old ones' names they would be other records, so
landing stops before it writes or reads anything.
"""

from __future__ import annotations

from ticklake.core.errors import KafkaError


def require_same_topic(topic: str, now: str | None, then: str | None, landed: str) -> None:
    """Raise KafkaError when both ids are known and differ.

    Args:
        topic: its name.
        now: the id that Kafka tells; None: a cluster that gives topics no id.
        then: the id written down before; None: written before ids were.
        landed: what was landed from the topic with that id, for the error.
    """
    if now is None or then is None or now == then:
        return
    raise KafkaError(
        f"Topic {topic} is not the one that {landed} was landed from: its id is {now}, that one's was {then}.",
        "It was deleted and made again, so its offsets restart at 0, or the connection leads to another cluster. Land it as "
        "another table ([table] name in the stream file), so that nothing is overwritten.",
    )
