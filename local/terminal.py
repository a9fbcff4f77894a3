"""What the launcher says to a person: lines with the seconds since it was called."""

from __future__ import annotations

import os
import sys
import time

# Handed on when the launcher continues in its environment, so that the seconds count from the command's start.
_BEGAN = "_TICKLAKE_BEGAN"
os.environ.setdefault(_BEGAN, str(time.time()))


def say(text: str) -> None:
    """One progress line."""
    print(f"{elapsed():6.1f} s  {text}", flush=True)


def complain(text: str) -> None:
    """An error, on stderr."""
    print(f"ticklake: {text}", file=sys.stderr, flush=True)


def elapsed() -> float:
    """Seconds since the command was given."""
    return max(0.0, time.time() - float(os.environ[_BEGAN]))
