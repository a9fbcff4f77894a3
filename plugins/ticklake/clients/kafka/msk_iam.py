"""Tokens of Amazon MSK's IAM, for connections that come with sasl.mechanism OAUTHBEARER.

Airflow's Kafka provider knows MSK by its bootstrap servers and signs tokens as whoever the worker is. A connection that names a
role, ``"sasl.oauthbearer.config": "role_arn=arn:aws:iam::…:role/…"``, comes as that role: each stage with no more than its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ticklake.core.errors import SettingsError
from ticklake.core.settings.connections import ROLE

_REGION = re.compile(r"\.([a-z]{2,}(?:-[a-z]+)+-\d+)\.amazonaws\.com", re.IGNORECASE)
_ROLE = re.compile(f"role_arn=({ROLE})")
_SESSION = "ticklake"
Token = tuple[str, float]


def with_tokens(connection: Mapping[str, Any], failed: Callable[[Exception], None]) -> dict[str, Any]:
    """The connection's settings, with an ``oauth_cb`` for the role that it names, and none that raises.

    Args:
        connection: settings of librdkafka.
        failed: called with the reason when there is no token.

    Raises:
        SettingsError: a role is named, but not as it should be, or no region can be read from ``bootstrap.servers``.
    """
    settings = dict(connection)
    named = settings.get("sasl.oauthbearer.config")
    made = settings.get("oauth_cb")
    if named and "role_arn" in named:
        made = partial(token_as, *_region_and_role(str(settings.get("bootstrap.servers")), named))
    if callable(made):
        settings["oauth_cb"] = partial(_token_or_none, made, failed)
    return settings


def token_as(region: str, role: str, _config: str = "") -> Token:
    """A token for MSK as this role, and until when it is good, in seconds since the epoch. Raises botocore's errors."""
    # Imported here: only connections to MSK need them, and they cost every task tenths of a second.
    import boto3
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.credentials import CredentialProvider, Credentials

    class Assumed(CredentialProvider):  # type: ignore[misc]
        """The role's, from its region's own STS: the signer's would need a region in the environment."""

        def load(self) -> Credentials:
            sts = boto3.client("sts", region_name=region)
            found = sts.assume_role(RoleArn=role, RoleSessionName=_SESSION)["Credentials"]
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    token, expires_ms = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(region, Assumed())
    return token, expires_ms / 1000


def _region_and_role(servers: str, named: str) -> tuple[str, str]:
    region, role = _REGION.search(servers), _ROLE.fullmatch(named.strip())
    if not role:
        raise SettingsError(
            f"sasl.oauthbearer.config = {named!r} names no role.",
            "It is role_arn=arn:aws:iam::123456789012:role/landing.",
        )
    if not region:
        raise SettingsError(f"bootstrap.servers = {servers!r} names no AWS region.", "Take them as MSK gives them.")
    return region[1].lower(), role[1]


def _token_or_none(made: Callable[[str], Token], failed: Callable[[Exception], None], config: str) -> Token:
    """A token; an empty one, which librdkafka refuses, where there is none: an error may not cross into it."""
    try:
        return made(config)
    except Exception as e:
        failed(e)
        return "", 0.0
