"""Column types: what the Glue JSON classifier infers from values, and how two of them merge. Pure.

A type is a string as the Glue catalog writes it: ``int``, ``bigint``, ``double``, ``string``, ``boolean``,
``struct<a:int,b:string>``, ``array<double>``; ``NOTHING`` while only nulls were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = "null"
_WIDENING = {frozenset(("int", "bigint")): "bigint", frozenset(("int", "double")): "double"}
_WIDENING[frozenset(("bigint", "double"))] = "double"


def infer(value: Any) -> str:
    """The type of one JSON value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "bigint" if -(2**63) <= value < 2**63 else "double"
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return f"array<{_merge_all(value)}>"
    if isinstance(value, dict) and value:
        return struct({name: infer(v) for name, v in value.items()})
    return NOTHING


def merge(left: str, right: str) -> str:
    """One type for both: numbers widen, structs and arrays merge inside, everything else that differs is a string."""
    if left == right or right == NOTHING:
        return left
    if left == NOTHING:
        return right
    if left.startswith("struct<") and right.startswith("struct<"):
        return struct(merge_fields(fields(left), fields(right)))
    if left.startswith("array<") and right.startswith("array<"):
        return f"array<{merge(element(left), element(right))}>"
    return _WIDENING.get(frozenset((left, right)), "string")


def merge_fields(left: Mapping[str, str], right: Mapping[str, str]) -> dict[str, str]:
    """The fields of both, those of ``left`` first."""
    merged = dict(left)
    for name, kind in right.items():
        merged[name] = merge(merged.get(name, NOTHING), kind)
    return merged


def settled(kind: str) -> str:
    """The type as it goes into the catalog: what was never seen to be anything is a string."""
    if kind.startswith("struct<"):
        return struct({name: settled(k) for name, k in fields(kind).items()})
    if kind.startswith("array<"):
        return f"array<{settled(element(kind))}>"
    return "string" if kind == NOTHING else kind


def struct(named: Mapping[str, str]) -> str:
    """``struct<a:int,b:string>``."""
    return f"struct<{','.join(f'{name}:{kind}' for name, kind in named.items())}>"


def element(array: str) -> str:
    """The ``int`` of ``array<int>``."""
    return array.removeprefix("array<")[:-1]


def fields(kind: str) -> dict[str, str]:
    """The fields of ``struct<…>``, in order."""
    parts = split(kind.removeprefix("struct<")[:-1])
    return {name: inner for name, _, inner in (p.partition(":") for p in parts)}


def split(text: str) -> list[str]:
    """Cut at the commas that are not inside ``<>`` or ``()``."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and not depth:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]] if text else []


def _merge_all(values: list[Any]) -> str:
    kind = NOTHING
    for value in values:
        kind = merge(kind, infer(value))
    return kind
