"""The rules of ``docs/records.md`` once more, slowly and with the standard library alone: what the code is compared with."""

import json
import math
import unicodedata
from typing import Any

from tests.support.corpus import DEEP, LARGE, NAME, NOT_JSON, NOT_OBJECT, RESERVED, TOMBSTONE, TWICE

_COLUMNS = {"kafka_partition", "kafka_offset", "kafka_timestamp", "dt", "hr"}
Pairs = list[tuple[str, Any]]


class Object(Pairs):
    """A JSON object with all its keys, also those that stand twice."""


def verdicts(value: bytes | None) -> set[str]:
    """Every reason for which the payload cannot be a row; none: it is one."""
    if value is None:
        return {TOMBSTONE}
    try:
        parsed = json.loads(
            value.decode(), object_pairs_hook=Object, parse_constant=_refuse, parse_int=_number, parse_float=_number
        )
        json.dumps(parsed, ensure_ascii=False).encode()  # a lone surrogate is no UTF-8
    except ValueError:
        return {NOT_JSON}
    except RecursionError:
        return {DEEP, NOT_JSON}  # parsers give up at several hundred
    if not isinstance(parsed, Object):
        return {NOT_OBJECT}
    found = {LARGE} if len(value) > 32_000_000 else set()
    return found | _of_columns(parsed) | _of_nested(parsed, 1)


def _of_columns(row: Object) -> set[str]:
    found = set()
    for key, _ in row:
        column = key.lower()
        if column in _COLUMNS:
            found.add(RESERVED)
        if not 1 <= len(column.encode()) <= 255 or any(
            (ord(c) < 32 and c != "\t") or c in ",\ufffe\uffff" for c in key
        ):
            found.add(NAME)
    return found


def _of_nested(value: Any, depth: int) -> set[str]:
    found = {DEEP} if depth > 100 else set()
    if isinstance(value, Object):
        keys = [key.lower() for key, _ in value]
        found |= {TWICE} if len(set(keys)) < len(keys) else set()
        found |= {NAME} if depth > 1 and not all(map(_is_field, dict(value))) else set()
    for inner in [v for _, v in value] if isinstance(value, Object) else value:
        if isinstance(inner, list):
            found |= _of_nested(inner, depth + 1)
    return found


def _is_field(key: str) -> bool:
    kinds = {unicodedata.category(c) if c < "\U00010000" else "" for c in key if c not in "_.$ "}
    return key != "" and kinds <= {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"}


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is beyond a double")
    return number


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
