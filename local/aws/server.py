"""The ASGI app: ministack's, with our parts put in, and its state written after each change instead of at the end.

Ministack writes objects to disk at once, everything else (buckets, catalog, crawlers, roles, stacks, queries) only when
it is stopped in order. Here the answer to a change is held back until the change is on disk, so that kill -9 loses
nothing that was answered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from local.aws import (
    athena_api,
    bucket_settings,
    catalog_api,
    change_sets,
    crawler,
    host,
    key_index,
    lifecycle,
    parsed,
    permissions,
    version_bytes,
)

log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_READS = ("Get", "BatchGet", "List", "Search", "Check", "Query")
_EVERYTHING = frozenset({"*"})
_ACTIVE = ("glue", "athena", "*")  # the states that crawls, queries and stacks change by themselves
_LOOKED_AT = 64  # bytes of a request's body
_EXPIRY = 3600.0  # seconds between looks at what the lifecycle rules say
_INTERVAL = 2.0  # seconds between looks at what changes without a request: crawls, stacks, queries


def application() -> App:
    """The app to serve."""
    crawler.install()
    catalog_api.install()
    athena_api.install()
    bucket_settings.install()
    version_bytes.install()
    key_index.install()
    change_sets.install()
    permissions.install()
    parsed.clear()
    saver = Saver()
    beat: list[asyncio.Task[None]] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await host.app(scope, receive, _around_lifespan(send, saver, beat))
            return
        beginning = bytearray()

        async def receive_and_look() -> Message:
            message = await receive()
            if len(beginning) < _LOOKED_AT:
                beginning.extend(message.get("body", b"")[:_LOOKED_AT])
            return message

        async def send_when_saved(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await saver.save(changed_by(scope, bytes(beginning)) if scope["type"] == "http" else ())
                await saver.catch_up()
            await send(message)

        await host.app(scope, receive_and_look, send_when_saved)

    return app


def _around_lifespan(send: Send, saver: Saver, beat: list[asyncio.Task[None]]) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            crawler.recover()
            athena_api.recover()
            recover_stacks()
            beat.append(asyncio.create_task(_save_regularly(saver)))
            beat.append(asyncio.create_task(_expire_regularly()))
        elif message["type"] == "lifespan.shutdown.complete":
            for task in beat:
                task.cancel()
        await send(message)

    return wrapped


def recover_stacks() -> None:
    """After a restart no stack is being worked on: one that was cut off has failed, so that it can be repaired."""
    for stack in host.everyones(host.cloudformation._stacks):
        status = stack.get("StackStatus", "")
        if status.endswith("_IN_PROGRESS"):
            stack["StackStatus"] = f"{status.partition('_')[0]}_FAILED"
            stack["StackStatusReason"] = "The stand-in was stopped meanwhile."


def changed_by(scope: Message, body: bytes) -> frozenset[str]:
    """Names of the states that a request may change; an object's own request changes none, it is on disk at once.

    ``body``: its beginning, where IAM, STS and CloudFormation name the action.
    """
    headers = dict(scope["headers"])
    target = headers.get(b"x-amz-target", b"").decode()
    if target:
        service, _, action = target.partition(".")
        if action.startswith(_READS):
            return frozenset()
        return {"AWSGlue": frozenset({"glue"}), "AmazonAthena": frozenset({"athena"})}.get(service, _EVERYTHING)
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return frozenset()
    if scope["path"] == "/":
        # Sessions of roles are not kept: who had one asks for another.
        return frozenset() if re.match(rb"Action=(Get|List|Describe|Assume)", body) else _EVERYTHING
    return frozenset() if "/" in scope["path"].strip("/") else frozenset({"s3"})


class Saver:
    """Writes states to disk, each change once however many requests wait for it."""

    def __init__(self) -> None:
        self._todo: set[str] = set()
        self._writing = asyncio.Lock()
        self._saved_activity: tuple[Any, ...] = ((), (), ())

    async def save(self, names: Iterable[str]) -> None:
        """Return when every change to these states that was made before the call is on disk."""
        self._todo.update(names)
        if not self._todo:
            return
        async with self._writing:
            todo, self._todo = self._todo, set()
            if todo:
                await asyncio.to_thread(_write, frozenset(todo))

    async def catch_up(self) -> None:
        """Save what crawls, queries and stacks have come to since: no client learns of an end that is not on disk."""
        now = _activity()
        changed = [name for name, is_, was in zip(_ACTIVE, now, self._saved_activity, strict=True) if is_ != was]
        if changed:
            await self.save(changed)
            self._saved_activity = now


async def _save_regularly(saver: Saver) -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        await saver.catch_up()


async def _expire_regularly() -> None:
    while True:
        try:
            await lifecycle.apply(datetime.now(UTC))
        except Exception:  # whatever it is, the next hour is another try
            log.exception("The lifecycle rules could not be applied.")
        await asyncio.sleep(_EXPIRY)


def _activity() -> tuple[Any, ...]:
    """How far everything is that goes on without a request; only ends are of interest."""
    crawls = [(c["LastCrawl"] or {}).get("MessagePrefix") for c in host.everyones(host.glue._crawlers)]
    queries = sum("CompletionDateTime" in e["Status"] for e in host.everyones(host.athena._executions))
    stacks = [s.get("StackStatus") for s in host.everyones(host.cloudformation._stacks)]
    return tuple(crawls), queries, tuple(stacks)


def _write(names: frozenset[str]) -> None:
    for name, state in host.states().items():
        if name in names or "*" in names:
            host.save(name, _copy(state))


def _copy(state: Callable[[], Any]) -> Any:
    """Ministack's own copy of a state; a dictionary that grows while it is copied is copied again."""
    for _ in range(20):
        try:
            return state()
        except RuntimeError:
            continue
    return state()
