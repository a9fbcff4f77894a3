"""Landing as it was before records dated in the future no longer held a minute's end: what a proof of timeliness must see."""

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ticklake.core.landing import offset_ranges
from ticklake.core.landing.offset_ranges import Clock, LogState, OffsetRange, Offsets


def take_any_date(bootstrap: str, topic: str) -> None:
    """Have the topic take any date, as topics did before Kafka 3.6; since then an hour ahead at most."""
    entry = ConfigEntry("message.timestamp.after.max.ms", str(2**63 - 1), incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})  # kept until the answer is there
    admin.incremental_alter_configs([change])[change].result(60)


def without_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a minute ends where Kafka says that the next window begins, whatever is dated there."""
    monkeypatch.setattr(offset_ranges, "_slice", _slice)


def _slice(
    p: int, log: LogState, clock: Clock, previous: Offsets | None, following: Offsets | None, adjacent: bool
) -> tuple[OffsetRange, bool]:
    high = log.high[p]
    start = log.by_time_start.get(p, high) if previous is None else previous.get(p, 0)
    end = max(start, log.by_time_end.get(p, high))
    return OffsetRange(p, start, end, max(high, end)), False
