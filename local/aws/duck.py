"""DuckDB with Athena's functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

_FUNCTIONS = (Path(__file__).parent / "trino.sql").read_text()


def connect() -> Any:
    """A DuckDB that knows Athena's functions and reaches for nothing on the network."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 2; SET GLOBAL TimeZone = 'UTC'; SET autoinstall_known_extensions = false;")
    connection.execute("SET ieee_floating_point_ops = true; SET autoload_known_extensions = false;")
    connection.execute(_FUNCTIONS)
    return connection
