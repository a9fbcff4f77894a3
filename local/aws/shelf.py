"""Files made once, lent to those who read them, and kept while there is room."""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)
Make = Callable[[Path], None]  # writes the file, or raises

_AT_ONCE = 2
_REMEMBERED = 100_000
_LOOK = 0.1  # seconds between checks


@dataclass
class _Item:
    path: Path
    users: int = 0
    size: int = 0
    made: Future[bool] = field(default_factory=Future)  # False: it could not be made


class Shelf:
    """A folder of files. One that cannot be made is not tried again; the least recently used one goes first."""

    def __init__(self, folder: Path, room: int) -> None:
        """Args: folder: nobody else's; ``clear`` empties it. room: bytes of all files together."""
        self._folder, self._room = folder, room
        self._items: OrderedDict[Hashable, _Item] = OrderedDict()  # the least recently used one first
        self._bytes = 0
        self._lock = threading.Lock()
        self._names = itertools.count()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "shelf")

    def clear(self) -> None:
        """Remove the folder, whoever left it; only while nobody reads."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with self._lock:
            self._items.clear()
            self._bytes = 0

    @contextmanager
    def lend(self, wanted: Mapping[Hashable, Make], check: Callable[[], None]) -> Iterator[dict[Hashable, Path]]:
        """Have files made, unless they are there; those that could be made stay there until the block ends.

        ``check`` is called while it waits, and raises when nobody wants the files any longer.
        """
        items = {key: self._take(key, make) for key, make in wanted.items()}
        try:
            waiting = {i.made for i in items.values()}
            while waiting := wait(waiting, _LOOK)[1]:
                check()
            yield {key: i.path for key, i in items.items() if i.made.result()}
        finally:
            with self._lock:
                for item in items.values():
                    item.users -= 1

    def _take(self, key: Hashable, make: Make) -> _Item:
        with self._lock:
            item = self._items.get(key)
            if item is None:
                item = self._items[key] = _Item(self._folder / f"{next(self._names)}")
                self._pool.submit(self._make, key, item, make)
            item.users += 1
            self._items.move_to_end(key)
            return item

    def _make(self, key: Hashable, item: _Item, make: Make) -> None:
        try:
            if self._is_wanted(key, item):
                self._fill(item, make)
                self._store(key, item)
        finally:
            item.made.set_result(item.size > 0)

    def _is_wanted(self, key: Hashable, item: _Item) -> bool:
        """Not when those who asked have gone, nor when all room is taken by what is being read: then forget it."""
        with self._lock:
            wanted = item.users > 0 and sum(i.size for i in self._items.values() if i.users) < self._room
            if not wanted:
                self._forget(key, item)
            return wanted

    def _fill(self, item: _Item, make: Make) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make(item.path)
            item.size = item.path.stat().st_size
        except Exception as e:
            log.info("%s could not be made: %s", item.path, e)
            item.path.unlink(missing_ok=True)

    def _store(self, key: Hashable, item: _Item) -> None:
        with self._lock:
            self._bytes += item.size
            for old, other in list(self._items.items()):
                if self._bytes <= self._room and len(self._items) <= _REMEMBERED:
                    return
                if not other.users and other.made.done():
                    self._forget(old, other)
            if self._bytes > self._room:  # everything else is being read
                self._forget(key, item)

    def _forget(self, key: Hashable, item: _Item) -> None:
        self._items.pop(key, None)
        self._bytes -= item.size
        item.size = 0
        item.path.unlink(missing_ok=True)
