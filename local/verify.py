"""`./ticklake verify`: the running stack's topic, bucket and table compared, as text or JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from local.aws_stand_in import client
from local.processes import PartError
from local.sql import answer
from local.stack import AWS, Stack
from local.terminal import elapsed
from ticklake.core.errors import SettingsError
from ticklake.core.minute import Minute
from ticklake.core.settings.stream import Stream
from ticklake.verify.athena import count
from ticklake.verify.compare import verify
from ticklake.verify.source import Compared

_EVERY_SECONDS = 2.0


def run(stack: Stack, first: str | None, last: str | None, as_json: bool) -> int:
    """Compare, print the verdict; returns 0 when all agree, else 1."""
    oldest, newest = (Minute.parse(key) if key else None for key in (first, last))
    if oldest and newest and oldest > newest:
        raise SettingsError(f"--from {oldest} is after --to {newest}.", "Give the older minute first.")
    for part in (AWS, *(broker.name for broker in stack.brokers()[:1])):
        if not stack.alive(part):
            raise PartError(f"{part} does not run.", "Start the stack: ./ticklake up")
    stream = Stream.from_toml(stack.stream)
    kafka = {**stack.kafka(), "log_level": 0}
    source = Compared(kafka, stream.topic.name, client(stack, "s3"), stack.bucket, stream.table.name)
    verdict, compared = verify(source, oldest, newest, _teller())
    athena = client(stack, "athena")
    verdict.athena = count(
        lambda sql: list(answer(athena, stack, sql)[1]), source.table, verdict.first, verdict.last, compared
    )
    print(json.dumps(verdict.to_dict(), indent=1) if as_json else "\n".join(verdict.lines()))
    return 0 if verdict.agrees else 1


def _teller() -> Callable[[str], None]:
    """Reports progress on stderr, every two seconds."""
    told = time.monotonic()

    def tell(text: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _EVERY_SECONDS:
            told = time.monotonic()
            print(f"{elapsed():6.1f} s  {text}", file=sys.stderr, flush=True)

    return tell
