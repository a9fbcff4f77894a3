"""What the launcher says to a person: lines with the seconds since it was called, and never a long silence."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Handed on when the launcher continues in its environment, so that the seconds count from the command's start.
_BEGAN = "_TICKLAKE_BEGAN"
# The monotonic clock is the system's, the same in every process, and is not moved when somebody sets the time.
os.environ.setdefault(_BEGAN, str(time.monotonic()))
SILENCE = 10.0  # seconds without a line after which what goes on is said

_lock = threading.Lock()
_doing: list[Callable[[], str]] = []
_said = time.monotonic()


def say(text: str) -> None:
    """One progress line."""
    global _said
    _said = time.monotonic()
    print(f"{elapsed():6.1f} s  {text}", flush=True)


def complain(text: str) -> None:
    """An error, on stderr."""
    print(f"ticklake: {text}", file=sys.stderr, flush=True)


def elapsed() -> float:
    """Seconds since the command was given."""
    return max(0.0, time.monotonic() - float(os.environ[_BEGAN]))


@contextmanager
def doing(what: str | Callable[[], str]) -> Iterator[None]:
    """While inside, each silence is broken by a line with all that goes on; ``what`` may be called again each time."""
    ask = (lambda: what) if isinstance(what, str) else what
    with _lock:
        _doing.append(ask)
        first = len(_doing) == 1
    if first:
        threading.Thread(target=_break_silence, daemon=True).start()
    try:
        yield
    finally:
        with _lock:
            _doing.remove(ask)


def _break_silence() -> None:
    while True:
        time.sleep(0.2)
        with _lock:
            if not _doing:
                return
            now = list(_doing)
        if time.monotonic() - _said >= SILENCE:
            say("still " + ", ".join(ask() for ask in now))
