"""What librdkafka says beside its answers: kept out of its own log, told once, and at hand for an error message."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

log = logging.getLogger(__name__)

# Settings of consumers in a connection shared by all clients: librdkafka warns of each at every start of another client.
_CONSUMER_ONLY = re.compile(
    r"group\..*|fetch\..*|queued\..*|enable\.auto\..*|auto\.(offset|commit)\..*|partition\.assignment\..*|isolation\.level"
    r"|(session|heartbeat|max\.poll)\..*|max\.partition\.fetch\.bytes|enable\.partition\.eof|check\.crcs"
)


def shared_settings(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's settings without those that only consumers know."""
    return {name: value for name, value in connection.items() if not _CONSUMER_ONLY.fullmatch(name)}


class ErrorLog:
    """The ``error_cb`` of a client: logs each distinct error once, remembers the latest.

    librdkafka repeats itself for each broker and attempt, with changing durations in brackets: those are cut off.
    """

    def __init__(self) -> None:
        self.latest = ""
        self._told: set[str] = set()

    def __call__(self, error: KafkaError) -> None:
        """Take one error; called by librdkafka from within ``poll``."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self.latest:
            return  # it follows the error that says why
        self.latest = words = re.sub(r" \((after|\d+ identical).*", "", error.str())
        if words not in self._told:
            self._told.add(words)
            log.warning("Kafka: %s", words)

    def because(self) -> str:
        """The latest error as the end of a sentence; empty when there was none."""
        return f" ({self.latest})" if self.latest else ""
