"""What family a value of the query belongs to (integer, double, text, …), where rewriting depends on it. Pure.

DuckDB chooses between the overloads of `trino.sql` by type, but knows no types of aggregates and windows at that point:
for those the family is worked out here, from the columns' types in the catalog. Empty when it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sqlglot import exp

INTEGER, DOUBLE, DECIMAL, TEXT, BOOLEAN = "integer", "double", "decimal", "text", "boolean"
DATE, TIMESTAMP, ZONED = "date", "timestamp", "timestamptz"
_NUMBERS = (INTEGER, DECIMAL, DOUBLE)  # what is mixed becomes the later of two
_OF_KIND = (
    (r"(tiny|small|big)?int|integer", INTEGER),
    (r"double|float|real", DOUBLE),
    (r"decimal", DECIMAL),
    (r"string|varchar|char|text", TEXT),
    (r"boolean", BOOLEAN),
    (r"date", DATE),
    (r"timestamptz|timestamp with time zone", ZONED),
    (r"timestamp", TIMESTAMP),
)
_NAMES = {
    INTEGER: """
        Count CountIf ApproxDistinct RowNumber Rank DenseRank Ntile Length StrPosition DateDiff Extract Year Month Day Hour
        Minute Second Quarter
    """,
    DOUBLE: "Stddev StddevSamp StddevPop Variance VariancePop PercentRank CumeDist Sqrt Ln Exp TimeToUnix",
    TEXT: "Lower Upper Trim Substring Replace Concat DPipe TimeToStr",
    BOOLEAN: """
        And Or Not EQ NEQ LT LTE GT GTE Is In Between Like Exists LogicalAnd LogicalOr Boolean StartsWith RegexpLike
    """,
    DATE: "CurrentDate",
    TIMESTAMP: "StrToTime",
    ZONED: "CurrentTimestamp UnixToTime",
}
_FIXED = {name: family for family, names in _NAMES.items() for name in names.split()}
_FOLLOWING = """
Sum Min Max AnyValue ArgMax ArgMin Lag Lead FirstValue LastValue NthValue Filter Window IgnoreNulls RespectNulls
Paren Neg Abs Ceil Floor Round Sign Nullif TimestampTrunc DateTrunc DateAdd Subquery
"""
_OF_ARGUMENT = frozenset(_FOLLOWING.split())  # as the first argument is
_MIXED = frozenset(["Add", "Sub", "Mul", "Div", "Mod", "Coalesce", "Case", "If", "Greatest", "Least"])


def of_kind(kind: str) -> str:
    """The family of a type's name, Hive's or Trino's."""
    return next((family for pattern, family in _OF_KIND if re.match(rf"(?:{pattern})\b", kind.lower())), "")


def family(node: Any) -> str:
    """The family of an expression; columns carry theirs in ``meta["family"]``."""
    name = type(node).__name__
    if name in _FIXED:
        return _FIXED[name]
    if isinstance(node, exp.Literal):
        return TEXT if node.is_string else _of_number(node.name)
    if isinstance(node, exp.Column):
        known: str = node.meta.get("family", "")
        return known
    if isinstance(node, exp.Cast):
        return of_kind(node.to.sql())
    if isinstance(node, exp.Avg):
        inner = family(node.this)
        return DOUBLE if inner == INTEGER else inner
    if isinstance(node, exp.Select):
        return family(node.selects[0].unalias()) if len(node.selects) == 1 else ""
    if name in _OF_ARGUMENT:
        return family(node.this)
    return mixed(_operands(node)) if name in _MIXED else ""


def mixed(nodes: Iterable[Any]) -> str:
    """The family of numbers that meet in an expression; of anything else only when all agree."""
    found = {family(n) for n in nodes}
    if len(found) == 1:
        return found.pop()
    return max(found, key=_NUMBERS.index) if found <= set(_NUMBERS) and found else ""


def _operands(node: Any) -> list[Any]:
    if isinstance(node, exp.Case):
        values = [i.args["true"] for i in node.args["ifs"]] + [node.args.get("default")]
    elif isinstance(node, exp.If):
        values = [node.args["true"], node.args.get("false")]
    else:
        values = [node.this, node.args.get("expression"), *node.expressions]
    return [v for v in values if v is not None and not isinstance(v, exp.Interval | exp.Null)]


def _of_number(text: str) -> str:
    if "e" in text.lower():
        return DOUBLE
    return DECIMAL if "." in text else INTEGER
