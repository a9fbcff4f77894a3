"""Why Kafka and a client do not come together, in words that name the cause and the setting of the connection.

librdkafka tells what failed, not always why: of a certificate it says only that it could not be verified, of a wrong protocol
only that the connection was closed. Then the broker's address is looked at once more, see ``address``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError as Code

from ticklake.clients.kafka.address import diagnose

_REFUSED = {Code._AUTHENTICATION, Code.SASL_AUTHENTICATION_FAILED}
_UNREACHED = {
    *(Code._TRANSPORT, Code._SSL, Code._ALL_BROKERS_DOWN, Code._TIMED_OUT, Code._MSG_TIMED_OUT),
    *(Code._TIMED_OUT_QUEUE, Code.REQUEST_TIMED_OUT),
}
_RIGHTS = {
    Code.TOPIC_AUTHORIZATION_FAILED: "the topic",
    Code.GROUP_AUTHORIZATION_FAILED: "the consumer group",
    Code.CLUSTER_AUTHORIZATION_FAILED: "the cluster",
    Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the transactional id",
}
_TABLE = "The table of rights is in docs/security.md, under Kafka."


def will_not_heal(error: Code) -> bool:
    """Whether it is an error of a client that connecting again does not heal."""
    return error.code() in _REFUSED or error.code() == Code._SSL or "SSL alert" in error.str()


class Cause(NamedTuple):
    """What is wrong, a sentence, and what to do about it."""

    words: str
    remedy: str


def cause(error: Code | None, refusal: Code | None, connection: Mapping[str, Any], name: str) -> Cause | None:
    """The cause of a failure; None where nothing better than the error itself is known.

    Args:
        error: what the call ended with; None: no answer came.
        refusal: the latest error that the client told and that ``will_not_heal``, if one.
        connection: the client's settings.
        name: of the Airflow connection.
    """
    for one in (error, refusal):
        if one is not None and one.code() in _RIGHTS:
            return _missing_right(one, connection, name)
        if one is not None and one.code() in _REFUSED:
            return _refused(one, connection, name)
    if error is not None and error.code() not in _UNREACHED:
        return None
    at = re.search(r"://([^/]+)/", refusal.str()) if refusal else None
    found = diagnose(connection, at[1] if at else None)
    return Cause(found.words, f"{found.remedy} Connection {name}.") if found else None


def bare(error: Code) -> str:
    """The error's words without what changes from one attempt to the next."""
    return re.sub(r" \((after|\d+ identical).*", "", error.str())


def who(connection: Mapping[str, Any]) -> str:
    """As whom the connection comes, for a sentence; no secret."""
    if user := connection.get("sasl.username"):
        return f"user {user!r}"
    if "OAUTHBEARER" in _mechanism(connection):
        return "the token's user"
    if certificate := connection.get("ssl.certificate.location"):
        return f"the user of certificate {certificate}"
    return "an anonymous user"


def _missing_right(error: Code, connection: Mapping[str, Any], name: str) -> Cause:
    words = f"{who(connection)} may not do this to {_RIGHTS[error.code()]}"
    if "idempotence" in error.str():
        words = f"{who(connection)} may not write to any topic"
    return Cause(
        f"{words} ({error.str()}).",
        f"Give that user the right, an ACL, or come as another: sasl.username of connection {name}. {_TABLE}",
    )


def _refused(error: Code, connection: Mapping[str, Any], name: str) -> Cause:
    words = re.sub(r"^\w+://([^/]+)/\w+: ", "", bare(error))
    if "Unsupported SASL mechanism" in words:
        offered = words.rpartition("mechanisms: ")[2]
        return Cause(
            f"the broker does not take sasl.mechanism {_mechanism(connection)}, but {offered}.",
            f"Set sasl.mechanism of connection {name}.",
        )
    if "current SASL state" in words:
        return Cause(
            f"the broker does not ask {who(connection)} for a password.",
            f"Set security.protocol of connection {name} to SSL.",
        )
    if "OAUTHBEARER" in _mechanism(connection):
        return Cause(
            f"Kafka refused the token, or there was none: {words}.",
            f"Has the role that connection {name} comes as kafka-cluster:Connect on the cluster? With another role: role_arn in"
            " sasl.oauthbearer.config. Is the region of bootstrap.servers the cluster's, and the machine's clock right?",
        )
    return Cause(
        f"Kafka refused {who(connection)}: {words}.", f"Check sasl.username and sasl.password of connection {name}."
    )


def _mechanism(connection: Mapping[str, Any]) -> str:
    return str(connection.get("sasl.mechanism") or connection.get("sasl.mechanisms") or "")
