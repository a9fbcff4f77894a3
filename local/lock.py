"""Two launchers at once: the second waits for the first. Only the standard library."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.terminal import say
from ticklake.core.errors import SettingsError


@contextmanager
def one_at_a_time(folder: Path, doing: str) -> Iterator[None]:
    """Hold the folder's lock; it is free again when this process ends, however it does. Raises SettingsError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as e:
        raise SettingsError(f"{folder} cannot be written: {e.strerror}.", "Set TICKLAKE_HOME to another folder.") from e
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another ./ticklake is {doing}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
