"""What botocore itself knows of a connection's settings: the options of a client, and where the region comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from ticklake.core.errors import SettingsError, did_you_mean


def check_client_settings(connection: str, extra: Mapping[str, Any]) -> None:
    """Raise SettingsError for client options that botocore does not know, a profile that is not there, no region at all."""
    where = f"Connection {connection}, extra"
    options: Mapping[str, Any] = extra.get("config_kwargs", {})
    for name in options:
        if name not in Config.OPTION_DEFAULTS:
            raise SettingsError(
                f"{where}: config_kwargs: {name!r} is not an option of a client.",
                did_you_mean(name, Config.OPTION_DEFAULTS),
            )
    try:
        Config(**options)
        region = extra.get("region_name") or Session(profile=extra.get("profile_name")).get_config_variable("region")
    except (BotoCoreError, TypeError, ValueError) as e:
        raise SettingsError(f"{where}: {str(e).rstrip('.')}.") from e
    if not region:
        raise SettingsError(
            f"{where}: region_name is missing, and the machine has no region either.", "Set region_name."
        )
