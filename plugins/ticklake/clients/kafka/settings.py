"""What librdkafka itself says of a connection's settings, as an error that names the connection and the setting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError as Code
from confluent_kafka import KafkaException

from ticklake.core.errors import SettingsError, did_you_mean

# Those that people set, to name the one that was meant: librdkafka has no list of them to ask for.
_USUAL = (
    *("bootstrap.servers", "client.id", "group.id", "security.protocol", "client.rack", "broker.address.family"),
    *("sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password", "sasl.oauthbearer.config"),
    *("sasl.oauthbearer.method", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret"),
    *("sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.scope", "sasl.oauthbearer.extensions"),
    *("ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location"),
    *("ssl.key.pem", "ssl.key.password", "ssl.keystore.location", "ssl.keystore.password", "ssl.cipher.suites"),
    *("enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm", "compression.type"),
    *("socket.timeout.ms", "request.timeout.ms", "session.timeout.ms", "metadata.max.age.ms", "statistics.interval.ms"),
    *("socket.keepalive.enable", "socket.connection.setup.timeout.ms", "connections.max.idle.ms", "linger.ms"),
    *("reconnect.backoff.ms", "reconnect.backoff.max.ms", "retry.backoff.ms", "message.max.bytes", "debug"),
)
_UNKNOWN = re.compile(r'No such configuration property: "([^"]+)"')
_NAMES = "librdkafka's names and values: github.com/confluentinc/librdkafka, CONFIGURATION.md."


@contextmanager
def settings_of(connection: str) -> Iterator[None]:
    """Making a client within: what librdkafka does not take of this connection's extra is a SettingsError.

    Its words name the setting; of values it repeats those alone that are one of a few words, never a password or a key.
    """
    try:
        yield
    except KafkaException as e:
        if e.args[0].code() != Code._INVALID_ARG:
            raise
        words = re.sub(r"^Failed to create [a-z ]+: ", "", e.args[0].str().strip())
        unknown = _UNKNOWN.search(words)
        if unknown is None:
            raise SettingsError(f"Connection {connection}, extra: {words.rstrip('.')}.", _NAMES) from e
        meant = did_you_mean(unknown[1], _USUAL)
        raise SettingsError(
            f"Connection {connection}, extra: {unknown[1]!r} is not a setting of librdkafka.",
            meant if meant.startswith("Did") else _NAMES,
        ) from e
    except TypeError as e:
        # Such as a callback that is a string.
        raise SettingsError(f"Connection {connection}, extra: {e}.", _NAMES) from e
