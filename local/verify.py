"""`./ticklake verify`: the running stack's topic, bucket and table compared, as text or JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout

from local.aws_stand_in import client
from local.housekeeper import OURS
from local.processes import PartError
from local.sql import answer
from local.stack import AWS, Stack
from local.terminal import elapsed
from ticklake.core.errors import SettingsError
from ticklake.core.minute import Minute
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream
from ticklake.verify.athena import Ask, count
from ticklake.verify.compare import verify
from ticklake.verify.source import Compared

_EVERY_SECONDS = 2.0


def run(stack: Stack, first: str | None, last: str | None, as_json: bool, connections: bool = False) -> int:
    """Compare, print the verdict; returns 0 when all agree, else 1.

    Args:
        stack: the running one.
        first: key of the oldest minute; None: no bound.
        last: of the newest.
        as_json: for programs.
        connections: compare what the Airflow connections and the environment name, instead of the stack.
    """
    oldest, newest = (Minute.parse(key) if key else None for key in (first, last))
    if oldest and newest and oldest > newest:
        raise SettingsError(f"--from {oldest} is after --to {newest}.", "Give the older minute first.")
    # Airflow's own lines are not part of the answer.
    with redirect_stdout(sys.stderr):
        source, ask = _of_connections(stack) if connections else _of_stack(stack)
        verdict, compared = verify(source, oldest, newest, _teller())
        verdict.athena = count(ask, source.table, verdict.first, verdict.last, compared)
    print(json.dumps(verdict.to_dict(), indent=1) if as_json else "\n".join(verdict.lines()))
    return 0 if verdict.agrees else 1


def _of_stack(stack: Stack) -> tuple[Compared, Ask]:
    for part in (AWS, *(broker.name for broker in stack.brokers()[:1])):
        if not stack.alive(part):
            raise PartError(f"{part} does not run.", "Start the stack: ./ticklake up")
    stream = Stream.from_toml(stack.stream)
    kafka = {**stack.kafka(), "log_level": 0}
    athena = client(stack, "athena")
    source = Compared(kafka, stream.topic.name, client(stack, "s3"), stack.bucket, stream.table.name)
    return source, lambda sql: list(answer(athena, stack, sql)[1])


def _of_connections(stack: Stack) -> tuple[Compared, Ask]:
    # Airflow makes its home when it is imported: without one of the user's, in the stack's folder.
    os.environ.setdefault("AIRFLOW_HOME", str(stack.home.folder / "connections"))
    from ticklake.orchestration.proof import asker, compared

    settings = Settings.from_env({name: value for name, value in os.environ.items() if name not in OURS})
    return compared(settings, Stream.from_toml(settings.stream)), asker(settings)


def _teller() -> Callable[[str], None]:
    """Reports progress on stderr, every two seconds."""
    told = time.monotonic()

    def tell(text: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _EVERY_SECONDS:
            told = time.monotonic()
            print(f"{elapsed():6.1f} s  {text}", file=sys.stderr, flush=True)

    return tell
