"""Where the embedded stack keeps its things, and which ports it takes.

Only the standard library: this is read before anything is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ticklake.core.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[1]
DEFAULT_PORT_BASE = 24000
MAX_BROKERS = 5
# Offsets that remind of the port each part is known by: 8080, 9092, 9093, 4566.
_AIRFLOW, _KAFKA, _CONTROLLER, _AWS = 80, 92, 93, 66


@dataclass(frozen=True)
class Home:
    """The stack's folder (``.ticklake/``), the folder of what was installed (``.ticklake/tools/``), and the first port.

    ``tools`` holds environments and jars: it can be shared by several stacks and outlives ``down --wipe``.
    """

    folder: Path
    tools: Path
    port_base: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Home:
        """Read TICKLAKE_HOME, TICKLAKE_TOOLS and TICKLAKE_PORT_BASE; raises SettingsError."""
        env = os.environ if env is None else env
        folder = Path(env.get("TICKLAKE_HOME") or PROJECT / ".ticklake").absolute()
        tools = Path(env.get("TICKLAKE_TOOLS") or folder / "tools").absolute()
        base = env.get("TICKLAKE_PORT_BASE") or str(DEFAULT_PORT_BASE)
        if not base.isascii() or not base.isdigit() or not 1024 <= int(base) <= 65000:
            raise SettingsError(f"TICKLAKE_PORT_BASE={base} is not a port from 1024 to 65000.", "Set it to e.g. 25000.")
        return cls(folder, tools, int(base))

    @property
    def logs(self) -> Path:
        """One log file per part."""
        return self.folder / "logs"

    @property
    def airflow_port(self) -> int:
        """UI and REST API."""
        return self.port_base + _AIRFLOW

    @property
    def aws_port(self) -> int:
        """S3, Glue, Athena and the rest of the AWS stand-in."""
        return self.port_base + _AWS

    @property
    def aws_endpoint(self) -> str:
        """URL of the AWS stand-in."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def airflow_url(self) -> str:
        """URL of Airflow's UI and REST API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    def broker_port(self, node: int) -> int:
        """Port that clients use for broker ``node`` (from 1)."""
        return self.port_base + _KAFKA + 2 * (node - 1)

    def controller_port(self, node: int) -> int:
        """Port of the KRaft controller in broker ``node`` (from 1)."""
        return self.port_base + _CONTROLLER + 2 * (node - 1)
