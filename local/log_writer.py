"""Appends what it reads to a log that stays small: ``NAME.log`` and a few older files, ``NAME.log.1`` the newest of them.

A program of its own at the end of a pipe, one for each part, so that no line is lost when a file is full (a copy that is
then cut would lose what is written in between), and so that whatever a part writes is bounded, a crash of Java's included.
It ends when the last process that writes has ended. Only ``os`` and ``sys``: there are as many of these as parts.
"""

from __future__ import annotations

import os
import sys

MAX_BYTES = 10 * 2**20  # of each file
OLDER = 4  # files beside the one that is written
_CHUNK = 2**16


class Log:
    """One log. A file that is full ends with the last whole line that was read; a line longer than a file is cut."""

    def __init__(self, path: str, max_bytes: int = MAX_BYTES, older: int = OLDER) -> None:
        self._path, self._max, self._older = path, max_bytes, older
        self._file = -1
        self._size = 0
        self._lost = 0

    def write(self, chunk: bytes) -> None:
        """Append; never raises, since a reader that ends would end the part that writes."""
        try:
            self._open()
            self._say_what_was_lost()
            if self._size + len(chunk) > self._max:
                chunk = self._fill(chunk)
            self._append(chunk)
        except OSError:
            self._lost += len(chunk)

    def _fill(self, chunk: bytes) -> bytes:
        """Write up to the last line end, then begin a new file; returns what belongs there."""
        end = chunk.rfind(b"\n") + 1
        if not end and self._size < 2 * self._max:
            return chunk
        self._append(chunk[: end or len(chunk)])
        os.close(self._file)
        self._file = -1
        for n in range(self._older - 1, 0, -1):
            if os.path.exists(f"{self._path}.{n}"):  # noqa: PTH110 - pathlib would double this program's memory
                os.replace(f"{self._path}.{n}", f"{self._path}.{n + 1}")  # noqa: PTH105
        os.replace(self._path, f"{self._path}.1")  # noqa: PTH105
        self._open()
        return chunk[end or len(chunk) :]

    def _open(self) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self._size = os.fstat(self._file).st_size

    def _append(self, chunk: bytes) -> None:
        while chunk:
            written = os.write(self._file, chunk)
            self._size += written
            chunk = chunk[written:]

    def _say_what_was_lost(self) -> None:
        if self._lost:
            self._append(b"ERROR: %d bytes of this log could not be written: the disk was full?\n" % self._lost)
            self._lost = 0


def main() -> None:
    """``log_writer.py LOG [MAX_BYTES OLDER]``: from standard input."""
    log = Log(sys.argv[1], *map(int, sys.argv[2:]))
    while chunk := os.read(0, _CHUNK):
        log.write(chunk)


if __name__ == "__main__":
    main()
