"""What a person may type wrong in a connection, found before anything is connected to.

Not told here: names and values of single librdkafka or botocore settings, which those libraries know best and check when
the client is made (``ticklake.clients``). No error holds a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ticklake.core.errors import SettingsError, did_you_mean

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_SERVER = re.compile(rf"(?:{_HOST}):(\d{{1,5}})", re.ASCII)
# Airflow's provider imports what these name; before its version 2 whatever it is, for whoever may edit a connection.
_CODE = re.compile(r".+_cb|on_.+|logger")
_SASL = re.compile(r"sasl\.(username|password|oauthbearer\..+|mechanisms?)")
_TLS = re.compile(r"ssl\.(ca|certificate|key|keystore)\..+")

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}", re.ASCII)
ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+"
"""A regular expression: what IAM takes as the ARN of a role."""
_AWS_TEXTS = frozenset({"region_name", "endpoint_url", "role_arn", "profile_name", "assume_role_method"})
_AWS_OBJECTS = frozenset({"config_kwargs", "service_config", "assume_role_kwargs", "assume_role_with_saml"})
_AWS_OTHERS = frozenset(
    {
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "verify", "session_kwargs"),
        *(f"assume_role_with_web_identity_{end}" for end in ("federation", "federation_audience", "token_file")),
    }
)
AWS_EXTRA = _AWS_TEXTS | _AWS_OBJECTS | _AWS_OTHERS
"""The keys that Airflow's AWS connection knows; others it ignores in silence."""

_METHODS = frozenset({"assume_role", "assume_role_with_saml", "assume_role_with_web_identity"})


def check_kafka(name: str, extra: Mapping[str, Any]) -> None:
    """Raise SettingsError for what is wrong in the extra of a Kafka connection of this name: librdkafka's settings."""
    where = f"Connection {name}, extra"
    for key, value in extra.items():
        if _CODE.fullmatch(key):
            raise SettingsError(
                f"{where}: {key} names code to be run.",
                "Leave it out. Tokens come from sasl.oauthbearer.method = oidc, or for MSK by themselves.",
            )
        # The client would take the text of anything else for the value.
        if not isinstance(value, str | int | float):
            raise SettingsError(
                f"{where}: {key} is {_kind(value)}.", "librdkafka takes texts, numbers, true and false."
            )
    _check_servers(where, extra.get("bootstrap.servers"))
    protocol = str(extra.get("security.protocol", "plaintext")).lower()
    if not protocol.startswith("sasl_"):
        _require_unused(where, extra, _SASL, protocol, "sasl_ssl")
    elif not extra.get("sasl.mechanism") and not extra.get("sasl.mechanisms"):
        raise SettingsError(
            f"{where}: sasl.mechanism is missing, and security.protocol is {protocol!r}.",
            "Set it to SCRAM-SHA-512, PLAIN or OAUTHBEARER, whichever the brokers offer.",
        )
    if not protocol.endswith("ssl"):
        _require_unused(where, extra, _TLS, protocol, f"{protocol.removesuffix('plaintext')}ssl")


def check_aws(name: str, login: str | None, password: str | None, extra: Mapping[str, Any]) -> None:
    """Raise SettingsError for what is wrong in an AWS connection of this name; ``login`` and ``password`` are an access key."""
    where = f"Connection {name}, extra"
    for key in sorted(extra.keys() - AWS_EXTRA):
        raise SettingsError(f"{where}: {key!r} is not a key of an AWS connection.", did_you_mean(key, AWS_EXTRA))
    for key in sorted(_AWS_TEXTS & extra.keys()):
        if not isinstance(extra[key], str) or not extra[key].strip():
            raise SettingsError(f"{where}: {key} is {_kind(extra[key])}.", "Give it a string, or leave the key out.")
    for key in sorted(_AWS_OBJECTS & extra.keys()):
        if not isinstance(extra[key], dict):
            raise SettingsError(f"{where}: {key} is {_kind(extra[key])}.", 'It is an object, {"name": value}.')
    if bool(login) != bool(password):
        there, missing = ("login", "password") if login else ("password", "login")
        raise SettingsError(
            f"Connection {name} has a {there} and no {missing}.",
            "Both together are an access key; with neither, the role of the machine is used.",
        )
    _check_aws_forms(where, extra)


def _check_aws_forms(where: str, extra: Mapping[str, Any]) -> None:
    region, role, method = (extra.get(key) for key in ("region_name", "role_arn", "assume_role_method"))
    if region and not _REGION.fullmatch(region):
        raise SettingsError(f"{where}: region_name = {region!r} is not a region.", "It looks like eu-central-1.")
    if role and not re.fullmatch(ROLE, role):
        raise SettingsError(
            f"{where}: role_arn = {role!r} is not the ARN of a role.",
            "It looks like arn:aws:iam::123456789012:role/landing.",
        )
    if method and method not in _METHODS:
        raise SettingsError(f"{where}: assume_role_method = {method!r} is none.", did_you_mean(method, _METHODS))
    if "endpoint_url" in extra:
        _check_url(f"{where}: endpoint_url", extra["endpoint_url"])


def _check_servers(where: str, servers: Any) -> None:
    remedy = "It is host:port, and more of them behind commas: b-1.example.com:9092,b-2.example.com:9092."
    if not isinstance(servers, str) or not servers.strip():
        raise SettingsError(f"{where}: bootstrap.servers is {'missing' if servers is None else 'empty'}.", remedy)
    for server in servers.split(","):
        server = server.strip()
        if "@" in server:
            # What stands before it is likely a password.
            raise SettingsError(
                f"{where}: an address in bootstrap.servers has an '@'.",
                f"{remedy} Name and password are sasl.username and sasl.password.",
            )
        if "://" in server:
            raise SettingsError(
                f"{where}: bootstrap.servers has {server!r}, with a protocol.",
                f"{remedy} The protocol is security.protocol.",
            )
        match = _SERVER.fullmatch(server)
        if not match or not 0 < int(match[1]) < 65536:
            raise SettingsError(f"{where}: bootstrap.servers has {server!r}, which is not host:port.", remedy)


def _require_unused(where: str, extra: Mapping[str, Any], names: re.Pattern[str], protocol: str, better: str) -> None:
    """librdkafka ignores in silence what the protocol does not use: a password that nobody asks for, a login that fails."""
    for key in sorted(extra):
        if names.fullmatch(key):
            raise SettingsError(
                f"{where}: {key} is set, and security.protocol is {protocol!r}, which does not use it.",
                f"Set security.protocol to {better}, or leave {key} out.",
            )


def _check_url(where: str, url: str) -> None:
    remedy = "It is http:// or https://, a host, and a port if it is not the usual one."
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        whole = False
    if not whole or re.search(r"\s", url):
        raise SettingsError(f"{where} = {url.rpartition('@')[2]!r} is not a URL.", remedy)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"{where} holds more than an address.", f"{remedy} Credentials are login and password.")


def _kind(value: Any) -> str:
    """What a value is, without showing it."""
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}
    return "empty" if value == "" else kinds.get(type(value), "a string")
