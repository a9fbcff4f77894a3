"""Dates as people write them, and the one form that all dates of a column have in common."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import date
from functools import lru_cache

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
ISO = "YYYY-MM-DD"
# A column has few days compared with its rows.
_REMEMBERED = 1 << 16


@lru_cache(_REMEMBERED)
def forms_of(text: str) -> frozenset[str]:
    """The forms in which a string is a date, such as ``DD/MM/YYYY``; none when it is no day of the calendar."""
    return frozenset(_readings(text))


@lru_cache(_REMEMBERED)
def iso(text: str, form: str) -> str:
    """The day as ``YYYY-MM-DD``; raises ValueError when it is none in that form."""
    try:
        return _readings(text)[form]
    except KeyError:
        raise ValueError(f"{text!r} is not a date {form}") from None


def decided(forms: AbstractSet[str]) -> str:
    """The one form of a column; empty where day and month cannot be told apart."""
    return next(iter(forms)) if len(forms) == 1 else ""


def _readings(text: str) -> dict[str, str]:
    """Form -> the day that it means, ``YYYY-MM-DD``."""
    if found := _YEAR_FIRST.fullmatch(text):
        year, mark, month, day = found.groups()
        tried = {f"YYYY{mark}MM{mark}DD": (year, month, day)}
    elif found := _YEAR_LAST.fullmatch(text):
        one, mark, two, year = found.groups()
        tried = {f"DD{mark}MM{mark}YYYY": (year, two, one), f"MM{mark}DD{mark}YYYY": (year, one, two)}
    else:
        return {}
    return {form: day for form, parts in tried.items() if (day := _day(*map(int, parts)))}


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""
