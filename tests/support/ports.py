"""Ports for what a test starts: below those that the system gives to outgoing connections, which come and go on their own."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from local.home import MAX_BROKERS, Home

_FIRST, _END = 16_000, 32_000
_ANYWHERE = random.SystemRandom()  # runs side by side, each with the same seed, must not meet


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment, all different."""
    found: list[int] = []
    with ExitStack() as held:
        for port in _from(_ANYWHERE.randrange(_FIRST, _END), step=1):
            with suppress(OSError):
                _hold(held, port)
                found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"no {count} free ports from {_FIRST} to {_END}")


def free_port_base() -> int:
    """A TICKLAKE_PORT_BASE of which no port is taken."""
    for base in _from(_ANYWHERE.randrange(_FIRST, _END, 100), step=100):
        home = Home(Path(), Path(), base)
        nodes = range(1, MAX_BROKERS + 1)
        ports = [home.airflow_port, home.aws_port, *map(home.broker_port, nodes), *map(home.controller_port, nodes)]
        with suppress(OSError), ExitStack() as held:
            for port in ports:
                _hold(held, port)
            return base
    raise RuntimeError(f"no free base of ports from {_FIRST} to {_END}")


def _from(start: int, step: int) -> Iterator[int]:
    """All numbers, beginning in the middle."""
    yield from range(start, _END, step)
    yield from range(_FIRST, start, step)


def _hold(held: ExitStack, port: int) -> None:
    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
