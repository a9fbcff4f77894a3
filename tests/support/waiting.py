"""Tests wait for a state, never for a time: `wait_for` looks until it is there, and a guard ends what hangs.

The guard says nothing of how long something may take. It is long enough that only a hang meets it, however busy the machine.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
GUARD_SECONDS = 180.0


def wait_for(look: Callable[[], T | None], what: object = "", guard: float = GUARD_SECONDS, pause: float = 0.02) -> T:
    """Look again and again until what is seen is true, and return it; what is looked for, or seen last, is in the failure.

    Args:
        look: returns something false as long as it is not there; what it raises fails the test at once.
        what: said when the guard strikes; a function is asked then.
        guard: seconds after which it counts as hung.
        pause: seconds between two looks.
    """
    deadline = time.monotonic() + guard
    while not (seen := look()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"It did not come within {guard:.0f} s: {said or look}. Seen last: {seen!r}")
        time.sleep(pause)
    return seen


def let_pass(seconds: float) -> None:
    """Let time pass where that is the trial itself: a fault at any moment, a retry's delay. Never in the hope of a state."""
    time.sleep(seconds)
