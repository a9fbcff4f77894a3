"""Folders and ports of a stack come from three variables."""

from pathlib import Path

import pytest

from local.home import DEFAULT_PORT_BASE, MAX_BROKERS, PROJECT, Home
from ticklake.core.errors import SettingsError


def test_without_variables_all_lies_in_the_project() -> None:
    home = Home.from_env({})
    assert home == Home(PROJECT / ".ticklake", PROJECT / ".ticklake" / "tools", DEFAULT_PORT_BASE)


def test_two_stacks_can_share_their_tools() -> None:
    home = Home.from_env({"TICKLAKE_HOME": "/a", "TICKLAKE_TOOLS": "/b", "TICKLAKE_PORT_BASE": "30000"})
    assert (home.folder, home.tools, home.airflow_url) == (Path("/a"), Path("/b"), "http://127.0.0.1:30080")


@pytest.mark.parametrize("base", ["80", "65001", "abc", "-1", "²"])
def test_a_port_base_that_is_no_port_is_refused(base: str) -> None:
    with pytest.raises(SettingsError, match="TICKLAKE_PORT_BASE="):
        Home.from_env({"TICKLAKE_PORT_BASE": base})


def test_no_two_parts_share_a_port() -> None:
    home = Home.from_env({})
    nodes = range(1, MAX_BROKERS + 1)
    ports = [home.aws_port, home.airflow_port, *map(home.broker_port, nodes), *map(home.controller_port, nodes)]
    assert len(set(ports)) == len(ports)
