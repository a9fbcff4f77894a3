"""What librdkafka says beside its answers: kept out of its own log, told once, and at hand for an error message."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException

from ticklake.clients.kafka.refusals import bare, cause, will_not_heal
from ticklake.core.errors import KafkaError
from ticklake.core.settings.environment import KAFKA_CONNECTION

log = logging.getLogger(__name__)

# Settings of consumers in a connection shared by all clients: librdkafka warns of each at every start of another client.
_CONSUMER_ONLY = re.compile(
    r"group\..*|fetch\..*|queued\..*|enable\.auto\..*|auto\.(offset|commit)\..*|partition\.assignment\..*|isolation\.level"
    r"|(session|heartbeat|max\.poll)\..*|max\.partition\.fetch\.bytes|enable\.partition\.eof|check\.crcs"
)
# librdkafka tries forever. A broker that is just starting may refuse for a moment; one that goes on so will not take us.
_REFUSED_SECONDS = 1.5
_FORGET_SECONDS = 15.0


def shared_settings(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's settings without those that only consumers know."""
    return {name: value for name, value in connection.items() if not _CONSUMER_ONLY.fullmatch(name)}


def error_in(e: BaseException) -> Code | None:
    """Kafka's error in an exception; None when it is another one.

    One that is raised while librdkafka still calls back comes wrapped by Python, as the cause of a SystemError.
    """
    known = e.__cause__ if isinstance(e, SystemError) else e
    return known.args[0] if isinstance(known, KafkaException) else None


class ErrorLog:
    """The ``error_cb`` of a client: logs each distinct error once, remembers the latest, explains a failure by it.

    librdkafka repeats itself for each broker and attempt, with changing durations in brackets: those are cut off.

    Args:
        connection: the client's settings, as in the Airflow connection's extra.
        name: of the Airflow connection.
    """

    def __init__(self, connection: Mapping[str, Any] | None = None, name: str = KAFKA_CONNECTION) -> None:
        self.name = name
        self.latest = ""
        self._connection = connection or {}
        self._told: set[str] = set()
        self._refusal: Code | None = None
        self._first = self._last = 0.0
        self._no_token = ""

    def __call__(self, error: Code) -> None:
        """Take one error; called by librdkafka from within ``poll``."""
        if will_not_heal(error):
            self._remember(error)
        if error.code() == Code._ALL_BROKERS_DOWN and self.latest:
            return  # it follows the error that says why
        self.latest = words = bare(error)
        if words not in self._told:
            self._told.add(words)
            log.warning("Kafka: %s", words)

    @property
    def refused(self) -> bool:
        """Whether brokers keep on refusing this client, or it them: who or what it says it is will not do."""
        return self._last - self._first >= _REFUSED_SECONDS

    def token_failed(self, error: Exception) -> None:
        """Take the reason why there is no token; called by librdkafka."""
        self._no_token = str(error).rstrip(".")
        log.warning("There is no token for Kafka: %s", error)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """A client is made within: one that waits for a first token in vain is a KafkaError."""
        try:
            yield
        except (KafkaException, SystemError) as e:
            error = error_in(e)
            if error is None or error.code() != Code.SASL_AUTHENTICATION_FAILED:
                raise  # of settings that librdkafka does not take
            raise self.explain("There is no connection to Kafka", error=error) from e

    def because(self) -> str:
        """The latest error as the end of a sentence; empty when there was none."""
        return f" ({self.latest})" if self.latest else ""

    def explain(self, problem: str, remedy: str = "", error: Code | None = None) -> KafkaError:
        """The failure in words.

        Args:
            problem: what Kafka did not do, without the reason.
            remedy: for when the cause is not known.
            error: what the call itself ended with; None: it only got no answer.

        Returns:
            An error with the cause and the setting that it is about, where they are known. Finding them may take some seconds:
            the brokers' addresses are looked at.
        """
        if self._no_token:
            return KafkaError(
                f"{problem}: there is no token for it: {self._no_token}.",
                "Has the worker AWS credentials, and may they assume the role in sasl.oauthbearer.config of connection"
                f" {self.name}?",
            )
        found = cause(error, self._refusal, self._connection, self.name)
        if found:
            return KafkaError(f"{problem}: {found.words}", found.remedy)
        reason = error.str() if error else "no answer in time"
        return KafkaError(f"{problem}: {reason}{self.because()}.", remedy)

    def _remember(self, error: Code) -> None:
        now = time.monotonic()
        if self._refusal is None or now - self._last > _FORGET_SECONDS:
            self._first = now
        self._refusal, self._last = error, now
