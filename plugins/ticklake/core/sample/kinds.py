"""What a field may be: null, a whole number, a number, true or false, a date, a string; and its value in JSON.

The rules are tight where a wider one would lose something: ``007`` is an id, not 7; a whole number beyond 64 bits is no
``bigint``; one beyond 2**53 that a double would round is no number; ``1,234`` may be a thousand or a little more than one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum

from ticklake.core.sample.dates import forms_of, iso

Value = str | int | float | bool | None

NULLS = frozenset({"", "null", "NULL", "NA", "NaN", "nan", "-"})
# Python's float() would also take `inf`, `1_000` and digits of other scripts.
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?(?:0|[1-9]\d*))(?:\.0*)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_DIGITS_OF_A_DOUBLE = 15
_DIGITS_OF_64_BITS = 20  # a sign among them; longer ones Python would take its time for


class ColumnKind(StrEnum):
    """The type of a column, from the narrowest to the one that takes everything."""

    WHOLE = "whole number"
    NUMBER = "number"
    BOOLEAN = "true or false"
    DATE = "date"
    STRING = "string"


ALL = tuple(ColumnKind)
# Texts of a whole batch that prove kinds at once, each followed by a line end: no Python step a value.
_PROOFS = (
    (
        re.compile(r"(?:(?:-?(?:0|[1-9]\d{0,14})(?:\.0)?)?\n)*", re.ASCII),
        {ColumnKind.WHOLE, ColumnKind.NUMBER, ColumnKind.STRING},
    ),
    (re.compile(r"(?:(?:-?(?:0|[1-9]\d{0,14})(?:\.\d{1,20})?)?\n)*", re.ASCII), {ColumnKind.NUMBER, ColumnKind.STRING}),
)


def is_null(text: str) -> bool:
    """Whether a field stands for a missing value."""
    return text.strip() in NULLS


def proven(texts: Sequence[str]) -> set[ColumnKind] | None:
    """Kinds that all of these fit, found without looking at each; empty fields pass. None: look at each."""
    joined = "\n".join((*texts, ""))
    if joined.count("\n") != len(texts):  # one of them has a line end of its own
        return None
    return next((kinds for pattern, kinds in _PROOFS if pattern.fullmatch(joined)), None)


def kinds_of(text: str) -> set[ColumnKind]:
    """The kinds that a field fits; it is not null."""
    text = text.strip()
    found = {ColumnKind.STRING}
    if _NUMBER.fullmatch(text):
        if _fits_64_bits(text):
            found.add(ColumnKind.WHOLE)
        if _fits_a_double(text):
            found.add(ColumnKind.NUMBER)
    elif text.lower() in _BOOLEANS:
        found.add(ColumnKind.BOOLEAN)
    elif forms_of(text):
        found.add(ColumnKind.DATE)
    return found


def values(kind: ColumnKind, texts: Sequence[str], form: str = "") -> Sequence[Value]:
    """The fields of a column as values; ``form`` is that of its dates. Raises ValueError when one does not fit."""
    if kind is ColumnKind.STRING:
        return [None if text.strip() in NULLS else text for text in texts]
    if kind is ColumnKind.DATE:
        return [None if (text := t.strip()) in NULLS else iso(text, form) for t in texts]
    if kind is ColumnKind.BOOLEAN:
        return [None if (text := t.strip()) in NULLS else _boolean(text) for t in texts]
    try:
        if kind is ColumnKind.WHOLE:
            return list(map(int, texts))
        numbers = list(map(float, texts))
        if math.isfinite(math.fsum(numbers)):
            return numbers
    except (ValueError, OverflowError):
        pass  # one of them at least is null, or written as 5.0
    one = _whole if kind is ColumnKind.WHOLE else _number
    return [None if (text := t.strip()) in NULLS else one(text) for t in texts]


def _fits_64_bits(text: str) -> bool:
    found = _WHOLE.fullmatch(text)
    return found is not None and len(found[1]) <= _DIGITS_OF_64_BITS and -(2**63) <= int(found[1]) < 2**63


def _fits_a_double(text: str) -> bool:
    if not math.isfinite(float(text)):
        return False
    whole = _WHOLE.fullmatch(text)
    if whole is None or len(whole[1]) <= _DIGITS_OF_A_DOUBLE:
        return True
    return len(whole[1]) <= _DIGITS_OF_64_BITS and int(float(text)) == int(whole[1])


def _boolean(text: str) -> bool:
    if (value := _BOOLEANS.get(text.lower())) is None:
        raise ValueError(f"{text!r} is not true or false")
    return value


def _whole(text: str) -> int:
    if not (found := _WHOLE.fullmatch(text)):
        raise ValueError(f"{text!r} is not a whole number")
    return int(found[1])


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return float(text)
