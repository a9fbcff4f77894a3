"""Proves for many records at once what ``records`` checks one by one, when they look like one that was checked before.

A *shape* is a record's keys, nested ones too, and the kind of each value (text, number, boolean). It is learned from a
record that passed every check, so its keys are fit: none twice, none reserved, not too deep. Another record of the same
shape is then fit as well, and that it has the shape is proven by

1. a parser (`msgspec`) that takes exactly these keys, each at least once, no other key, and values of these kinds;
2. the number of quotes: n records with k keys and s strings each has 2n(k + s) of them at least. A key that stands
   twice would add two, a quote within a string one: when there are no more, there is neither.

Where records of several shapes come mixed, each is proven by itself: its own quotes tell which shapes it may have.

What is not proven so is not wrong: it is looked at record by record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

# msgspec makes numbers of every length and exponent or refuses them, as orjson does: both by the range of a double.
_NUMBER = float | None
_MOST_BYTES = 8 << 20  # of a batch: far below what is too large for one record
_MOST = 1000  # shapes that are remembered, keys that one may have
_ALIKE = 4  # shapes with as many quotes that are tried in turn
# Without gc, thousands of them a second do not wake the collector.
_STRUCT: dict[str, Any] = {"forbid_unknown_fields": True, "gc": False}
_exhaust = deque[Any](maxlen=0).extend
_KINDS: dict[type, Any] = {str: str, int: _NUMBER, float: _NUMBER, bool: bool | None, type(None): float | bool | None}


class Shapes:
    """The shapes known so far, and the one that came last: the first to be tried."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], _Shape | None] = {}
        self._by_quotes: dict[int, list[_Shape]] = {}
        self._now: _Shape | None = None

    def learn(self, fit: dict[str, Any]) -> None:
        """Take a parsed record that passed every check as an example of those that will come."""
        name = _describe(fit)
        if name not in self._known:
            if len(self._known) >= _MOST:
                return
            self._known[name] = shape = _shape(fit)
            if shape and len(alike := self._by_quotes.setdefault(shape.quotes, [])) < _ALIKE:
                alike.append(shape)
        self._now = self._known[name]

    def proven(self, values: Sequence[bytes | None]) -> Sequence[bytes] | None:
        """The values, when each is proven to be of a known shape and to stand on one line; else None."""
        shape = self._now
        if shape is None:
            return None
        texts: Sequence[bytes] = values  # type: ignore[assignment] # else they cannot be joined
        try:
            joined = b"".join(texts)
        except TypeError:  # a tombstone is among them
            return None
        if len(joined) > _MOST_BYTES:
            return None
        if b"\n" in joined or b"\r" in joined:
            return None
        if joined.count(b'"') == shape.quotes * len(texts) and _parse(shape, texts):
            return texts
        return texts if len(self._known) > 1 and all(map(self._is_proven, texts)) else None

    def _is_proven(self, text: bytes) -> bool:
        return any(_parse(shape, (text,)) for shape in self._by_quotes.get(text.count(b'"'), ()))


def _parse(shape: _Shape, texts: Sequence[bytes]) -> bool:
    try:
        _exhaust(map(shape.parse, texts))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


@dataclass(frozen=True)
class _Shape:
    """``parse`` takes one record of the shape or raises; ``quotes`` is the number of quotes in such a record at least."""

    parse: Callable[[bytes], Any]
    quotes: int


def _describe(fit: dict[str, Any]) -> tuple[Any, ...]:
    """The same for records of the same shape, and for no others."""
    return tuple((name, _describe(v) if type(v) is dict else type(v)) for name, v in fit.items())


def _shape(fit: dict[str, Any]) -> _Shape | None:
    """The shape of a record; None when it has arrays, objects without keys, or keys that JSON must escape."""
    try:
        kind, quotes = _struct(fit)
    except (KeyError, ValueError):
        return None
    return _Shape(msgspec.json.Decoder(kind).decode, quotes)


def _struct(fields: dict[str, Any]) -> tuple[Any, int]:
    """A msgspec type that takes just these keys, and the quotes of an object of it; raises for what it cannot describe."""
    if not 0 < len(fields) <= _MOST:
        raise ValueError  # no keys, or so many that a parser of its own would not pay
    described, names, quotes = [], {}, 0
    for n, (name, value) in enumerate(fields.items()):
        kind, inside = _struct(value) if type(value) is dict else (_KINDS[type(value)], 2 * (type(value) is str))
        described.append((f"f{n}", kind))
        names[f"f{n}"] = name
        quotes += 2 + inside
    return msgspec.defstruct(_Shape.__name__, described, rename=names, **_STRUCT), quotes
