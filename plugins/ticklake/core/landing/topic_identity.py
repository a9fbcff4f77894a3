"""Whether a topic is still the topic that was landed: a name can be used again, Kafka's topic id cannot.

The offsets of a topic that was deleted and made again restart at 0. Under the old ones' names they would be other records, so
landing stops before it writes or reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from ticklake.core.errors import KafkaError

_REMEDY = (
    "It was deleted and made again, so its offsets restart at 0, or the connection leads to another cluster. Land it as "
    "another table ([table] name in the stream file), so that nothing is overwritten."
)


def require_same_topic(topic: str, now: str | None, then: str | None, landed: str) -> None:
    """Raise KafkaError when both ids are known and differ: see ``another_topic``."""
    another = another_topic(topic, now, then, landed)
    if another is not None:
        raise another


def another_topic(topic: str, now: str | None, then: str | None, landed: str) -> KafkaError | None:
    """What to say when the topic is not the one that was landed; None when it is, as far as that is known.

    Args:
        topic: its name.
        now: the id that Kafka tells; None: a cluster that gives topics no id.
        then: the id written down before; None: written before ids were.
        landed: what was landed from the topic with that id, for the error.
    """
    if now is None or then is None or now == then:
        return None
    return KafkaError(
        f"Topic {topic} is not the one that {landed} was landed from: its id is {now}, that one's was {then}.", _REMEDY
    )


def log_cut_back(topic: str, ends: Mapping[int, int], high: Mapping[int, int], landed: str) -> KafkaError | None:
    """What to say when the log ends before offsets that were landed: it is not the log that it was; else None.

    Args:
        topic: its name.
        ends: what was landed, end offsets by Kafka partition.
        high: where the log ends now, uncommitted records included.
        landed: what was landed up to there, for the error.
    """
    beyond = sorted(p for p, end in ends.items() if p in high and end > high[p])
    if not beyond:
        return None
    where = ", ".join(f"partition {p} ends at offset {high[p]}, landed up to {ends[p]}" for p in beyond[:3])
    more = f" and {len(beyond) - 3} partitions more" if len(beyond) > 3 else ""
    return KafkaError(f"Topic {topic} ends before what {landed} was landed from: {where}{more}.", _REMEDY)
