"""S3 with faults: an HTTP proxy on loopback that passes requests on to the real thing, or does not.

Each fault is one that a client of S3 can meet on a network. The proxy knows operations by method, path and query, so a fault
can be aimed at the manifest alone. An object here is one PUT (`docs/decisions`), so there is no part upload to fail.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = ("500", "503 SlowDown", "reset", "stall", "truncated answer", "answer lost")
# Refusals that last: the client does not try them again, the task does.
REFUSALS = ("403 ExpiredToken", "403 AccessDenied", "400 AuthorizationHeaderMalformed")
ANY = "any"
_STALL_SECONDS = 300.0  # of silence, if the client bears it that long
OPERATIONS = ("object put", "manifest put", "origin put", "head", "list", "get", "delete")
_ZONES = {"raw": "object put", "rejected": "object put", "manifests": "manifest put", "origins": "origin put"}


@dataclass
class Fault:
    """What goes wrong: ``kind`` at ``operation``, ``times`` times, after the first ``skip`` of that operation passed."""

    kind: str
    operation: str
    times: int = 1
    skip: int = 0


class FaultyS3(ThreadingHTTPServer):
    """The proxy; ``arm`` sets a fault, ``hits`` counts how often it struck; ``watch`` is told of each request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        """Args: upstream: URL of the real S3."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self._lock = threading.Lock()
        self.arm(None)

    def arm(self, fault: Fault | None) -> None:
        """Let this go wrong from now on; None: nothing."""
        with self._lock:
            self._fault = fault
            self.hits = self.passed = 0
            self.first_hit = 0.0
            self.requests = 0
            self.watch: Callable[[int, str], None] | None = None

    def strikes(self, operation: str) -> str | None:
        """The kind of fault that this request meets."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.operation not in (ANY, operation) or self.hits >= fault.times:
                return None
            if self.passed < fault.skip:
                self.passed += 1
                return None
            self.hits += 1
            self.first_hit = self.first_hit or time.monotonic()
            return fault.kind

    def tell(self, when: str, number: int = 0) -> int:
        """Tell the watch of a request, ``before`` or ``after`` S3 has it: requests count from 1."""
        if not number:
            with self._lock:
                self.requests += 1
                number = self.requests
        if self.watch is not None:
            self.watch(number, when)
        return number

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyS3

    def setup(self) -> None:
        self._upstream: http.client.HTTPConnection | None = None
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finish(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
        with suppress(OSError):
            super().finish()

    def _pass(self) -> None:
        body = self._body()
        number = self.server.tell("before")
        kind = self.server.strikes(_operation(self.command, self.path))
        if kind == "stall":
            self._until_the_client_hangs_up()
        if kind in ("stall", "reset"):
            self._reset()
        elif kind is not None and kind[:3].isdigit():
            self._refuse(int(kind[:3]), kind[4:] or "InternalError")
        else:
            status, headers, answer = self._ask(body)
            self.server.tell("after", number)
            if kind == "answer lost":
                self._reset()
            else:
                self._answer(status, headers, answer, cut=kind == "truncated answer")

    def _until_the_client_hangs_up(self) -> None:
        self.connection.settimeout(_STALL_SECONDS)
        with suppress(OSError):
            self.connection.recv(1)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815 - the names that http.server calls

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        for _ in range(2):  # the kept connection may have been closed meanwhile
            if self._upstream is None:
                place = self.server.upstream
                self._upstream = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
            headers = {n: v for n, v in self.headers.items() if n.lower() not in ("transfer-encoding", "expect")}
            headers["Content-Length"] = str(len(body))
            try:
                self._upstream.request(self.command, self.path, body, headers)
                answer = self._upstream.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (http.client.HTTPException, OSError):
                self._upstream.close()
                self._upstream = None
        raise ConnectionError("S3 behind the proxy does not answer")

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, cut: bool) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = next((v for n, v in headers if n.lower() == "content-length"), str(len(body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        if cut and not body:
            # Nothing to cut but the head of the answer.
            half = b"".join(self._headers_buffer)[:-10]  # type: ignore[has-type]
            self._headers_buffer = [half]
            self.flush_headers()
            self._reset()
            return
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._reset(gently=True)

    def _refuse(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Fault.</Message></Error>".encode()
        self._answer(status, [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else body, cut=False)

    def _reset(self, gently: bool = False) -> None:
        self.close_connection = True
        with suppress(OSError):
            if gently:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: faults are the normal case."""


def _operation(method: str, path: str) -> str:
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    if method == "PUT":
        return _ZONES.get(([*parts.path.split("/"), "", ""])[2], "other put")
    if method == "POST":
        return "delete" if "delete" in query else "other post"
    if method == "GET":
        return "list" if "list-type" in query else "get"
    return {"HEAD": "head", "DELETE": "delete"}.get(method, method)


@contextmanager
def faulty_s3(upstream: str) -> Iterator[FaultyS3]:
    """A running proxy."""
    proxy = FaultyS3(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
