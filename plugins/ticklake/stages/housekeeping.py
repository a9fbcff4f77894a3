"""What is old goes: files of task logs. Nothing here knows S3: what was landed cannot be reached from it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Removed:
    """How many files went, and their bytes."""

    files: int = 0
    bytes: int = 0


def remove_old_logs(folder: Path, before: datetime) -> Removed:
    """Remove the log files under a folder that nobody has written to since then, and the folders that this empties.

    The log of a task that still runs is younger than its last line, however long ago the task began. A folder that was
    empty before stays: a task may be about to write there. Files that are no ``.log`` stay, and links are not followed.
    """
    files = size = 0
    for path, _, names in os.walk(folder):
        old = [found for name in names if (found := _old(Path(path) / name, before)) is not None]
        for file, length in old:
            with suppress(FileNotFoundError):  # somebody else cleans too
                file.unlink()
                files, size = files + 1, size + length
        if old:
            _remove_empty(Path(path), folder)
    return Removed(files, size)


def _old(file: Path, before: datetime) -> tuple[Path, int] | None:
    try:
        stat = file.lstat()
    except FileNotFoundError:
        return None
    is_old = file.suffix == ".log" and not file.is_symlink() and stat.st_mtime < before.timestamp()
    return (file, stat.st_size) if is_old else None


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, as far as nothing is in them; ``top`` stays."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:  # not empty
            return
        folder = folder.parent
