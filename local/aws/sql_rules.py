"""Which parts of Athena's SQL are emulated, and how those are rewritten that DuckDB answers differently. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from local.aws import families
from local.aws.catalog import NotEmulatedError

UNNAMED = "__unnamed_"

# Names of sqlglot's classes. Not listed: refused.
_NAMES = """
Select From Where Group Having Order Ordered Limit Offset Fetch With CTE Subquery Join Table TableAlias Alias Paren
Union Intersect Except Distinct Star Column Identifier Dot Literal Null Boolean Tuple Var Cube Rollup GroupingSets
And Or Not EQ NEQ LT LTE GT GTE Is In Between Like Escape Exists Add Sub Mul Div Mod Neg DPipe Concat
Case If Coalesce Nullif Cast TryCast DataType DataTypeParam Interval
Count CountIf Sum Min Max Avg ApproxDistinct ArgMax ArgMin AnyValue ArrayAgg LogicalAnd LogicalOr
Stddev StddevSamp StddevPop Variance VariancePop Filter
Window WindowSpec RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
IgnoreNulls RespectNulls
Abs Ceil Floor Round Sqrt Ln Exp Sign Greatest Least
Lower Upper Trim Length Substring StrPosition Replace StartsWith RegexpLike
UnixToTime TimeToUnix TimestampTrunc DateTrunc DateAdd DateDiff StrToTime TimeToStr CurrentTimestamp CurrentDate
Extract Year Month Day Hour Minute Second Quarter
"""
ALLOWED = frozenset(_NAMES.split())

_INTEGERS = ("BIGINT", "INT", "SMALLINT", "TINYINT")
_CASTS = (*_INTEGERS, "VARCHAR", "TEXT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "DECIMAL")
_UNITS = {u: f"to_{u}s" for u in ("second", "minute", "hour", "day", "week", "month", "year", "millisecond")}
_EXTRACTED = ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_BY_FAMILY = frozenset(("Div", "Round", "Cast", "TryCast", "TimestampTrunc", "DateTrunc", "DateAdd", "Add", "Sub"))
_FORMATS = frozenset("YmdHMS")


def rewrite(tree: Any) -> Any:
    """Replace what differs, innermost first; raises NotEmulatedError."""
    for node in reversed(list(tree.walk())):
        rule = _RULES.get(type(node).__name__)
        if rule is not None:
            new = rule(node)
            if new is not node:
                if node is tree:
                    tree = new
                else:
                    node.replace(new)
    return tree


def annotate(tree: Any) -> None:
    """Note on each node the family that its rewriting depends on, while its operands are still Athena's."""
    for node in tree.walk():
        if type(node).__name__ in _BY_FAMILY:
            operands = [node.left, node.right] if isinstance(node, exp.Div) else [node.this]
            # DuckDB does not know the types of these when it chooses between overloads.
            if any(o.find(exp.AggFunc, exp.Window, exp.Query) for o in operands):
                node.meta["operands"] = families.mixed(operands) or "unknown"


def _call(name: str, *arguments: Any) -> Any:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _typed(name: str, node: Any, *arguments: Any) -> Any:
    """The macro for the family of the node's operands; DuckDB chooses where it can."""
    family = node.meta.get("operands")
    if family == "unknown":
        raise NotEmulatedError(f"{node.sql(dialect='athena')}: its type is not known here; cast its operands")
    return _call(f"{name}_{family}" if family else name, *arguments)


def _div(node: Any) -> Any:
    return _typed("trino_div", node, node.left, node.right)


def _round(node: Any) -> Any:
    digits = node.args.get("decimals")
    return _typed("trino_round", node, node.this, *([digits] if digits is not None else []))


def _cast(node: Any) -> Any:
    kind, attempt = node.to.this.name, isinstance(node, exp.TryCast)
    if kind not in _CASTS or (kind in ("VARCHAR", "TEXT") and node.to.expressions):
        raise NotEmulatedError(f"cast to {node.to.sql(dialect='athena').lower()}")
    if kind in ("VARCHAR", "TEXT"):
        return _typed("trino_to_varchar", node, node.this)
    value = node.this.copy()
    if kind in _INTEGERS:
        value = _typed("trino_try_to_bigint" if attempt else "trino_to_bigint", node, value)
    target = node.to.copy() if kind == "DECIMAL" else exp.DataType.build(kind)
    return exp.TryCast(this=value, to=target, safe=True) if attempt else exp.Cast(this=value, to=target)


def _date_trunc(node: Any) -> Any:
    unit = node.text("unit").lower()
    if unit not in ("second", "minute", "hour", "day", "week", "month", "quarter", "year"):
        raise NotEmulatedError(f"date_trunc of {unit}")
    return _typed("trino_date_trunc", node, node.this, exp.Literal.string(unit))


def _date_add(node: Any) -> Any:
    unit = node.text("unit").lower()
    if unit not in _UNITS:
        raise NotEmulatedError(f"date_add of {unit}")
    amount = node.expression.this if isinstance(node.expression, exp.Interval) else node.expression
    if isinstance(amount, exp.Literal) and amount.is_string:
        amount = exp.Literal.number(amount.name)
    return _typed("trino_date_add", node, node.this, _call(_UNITS[unit], amount))


def _date_diff(node: Any) -> Any:
    unit = node.text("unit").lower()
    if unit not in _UNITS:
        raise NotEmulatedError(f"date_diff of {unit}")
    return _call("date_sub", exp.Literal.string(unit), node.expression, node.this)  # whole units, as Trino counts


def _plus_interval(name: str) -> Callable[[Any], Any]:
    def rule(node: Any) -> Any:
        return _typed(name, node, node.left, node.right) if isinstance(node.right, exp.Interval) else node

    return rule


def _extract(node: Any) -> Any:
    if node.this.name.upper() not in _EXTRACTED:
        raise NotEmulatedError(f"extract of {node.this.name.lower()}")
    return node


def _time_format(node: Any) -> Any:
    text = node.args.get("format")
    parts = text.name.split("%")[1:] if isinstance(text, exp.Literal) else ["?"]
    if node.args.get("zone") or not all(p and p[0] in _FORMATS for p in parts):
        raise NotEmulatedError(f"the time format {text.sql()}: %Y %m %d %H %i %s are")
    return node


def _from_unixtime(node: Any) -> Any:
    if any(v for k, v in node.args.items() if k != "this"):
        raise NotEmulatedError("from_unixtime with a zone")
    return _call("trino_from_unixtime", node.this)


def _exact_distinct(node: Any) -> Any:
    return exp.Count(this=exp.Distinct(expressions=[node.this.copy()]), big_int=True)


def _arg(name: str) -> Callable[[Any], Any]:
    def rule(node: Any) -> Any:
        if node.args.get("count"):
            raise NotEmulatedError("max_by and min_by with a count")
        return _call(name, node.this, node.expression)

    return rule


def _one_argument(node: Any) -> Any:
    if node.expressions:
        raise NotEmulatedError(f"{node.key} with {1 + len(node.expressions)} arguments")
    return node


def _distinct(node: Any) -> Any:
    if isinstance(node.parent, exp.Count) and len(node.expressions) > 1:
        raise NotEmulatedError("COUNT(DISTINCT a, b): Athena has COUNT(DISTINCT (a, b))")
    return node


def _extreme(name: str) -> Callable[[Any], Any]:
    """Of several arguments, one NULL makes Trino's answer NULL; DuckDB passes it over."""

    def rule(node: Any) -> Any:
        values = [node.this, *node.expressions]
        null = exp.or_(*[exp.Is(this=v.copy(), expression=exp.Null()) for v in values])
        return exp.Case(ifs=[exp.If(this=null, true=exp.Null())], default=_call(name, *values))

    return rule


def _plain_trim(node: Any) -> Any:
    if node.expression is not None or node.args.get("position"):
        raise NotEmulatedError("trim of other characters than spaces")
    return node


_RULES: dict[str, Callable[[Any], Any]] = {
    "Div": _div,
    "Round": _round,
    "Cast": _cast,
    "TryCast": _cast,
    "TimestampTrunc": _date_trunc,
    "DateTrunc": _date_trunc,
    "DateAdd": _date_add,
    "DateDiff": _date_diff,
    "Add": _plus_interval("trino_date_add"),
    "Sub": _plus_interval("trino_date_sub"),
    "Extract": _extract,
    "StrToTime": _time_format,
    "TimeToStr": _time_format,
    "UnixToTime": _from_unixtime,
    "ApproxDistinct": _exact_distinct,
    "ArgMax": _arg("arg_max_null"),
    "ArgMin": _arg("arg_min_null"),
    "Max": _one_argument,
    "Min": _one_argument,
    "Distinct": _distinct,
    "Greatest": _extreme("greatest"),
    "Least": _extreme("least"),
    "Trim": _plain_trim,
}
