"""Query results: values as Athena writes them, the CSV in the output location, and pages of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isinf, isnan
from typing import Any

from local.aws.catalog import NotEmulatedError
from local.aws.sql_rules import UNNAMED

Row = list[str | None]
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    "DOUBLE": "double",
    "VARCHAR": "varchar",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    '"NULL"': "unknown",
    "NULL": "unknown",
}
_PRECISION = {"integer": 10, "bigint": 19, "smallint": 5, "tinyint": 3, "double": 17, "varchar": 2147483647}
_PRECISION |= {"timestamp": 3, "timestamp with time zone": 3}
_FIELD = re.compile(r'"((?:[^"]|"")*)"|')


@dataclass(frozen=True)
class Column:
    """A column of a result: its name and Athena's type."""

    name: str
    kind: str

    def info(self) -> dict[str, Any]:
        """The ColumnInfo of ResultSetMetadata."""
        decimal = re.fullmatch(r"decimal\((\d+),(\d+)\)", self.kind)
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": "decimal" if decimal else self.kind,
            "Precision": int(decimal[1]) if decimal else _PRECISION.get(self.kind, 0),
            "Scale": int(decimal[2]) if decimal else 0,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.kind == "varchar",
        }


def columns_of(described: list[tuple[str, str]]) -> list[Column]:
    """The result's columns from DuckDB's names and types; raises NotEmulatedError for a type without a string form here."""
    return [
        Column(f"_col{i}" if name.startswith(UNNAMED) else name, _athena_type(kind))
        for i, (name, kind) in enumerate(described)
    ]


def _athena_type(kind: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if kind.startswith("DECIMAL("):
        return kind.lower().replace(" ", "")
    if kind.endswith("[]"):
        return "array"
    if kind.startswith("STRUCT("):
        return "row"
    raise NotEmulatedError(f"a result of type {kind.lower()}")


def selected(place: int, column: Column) -> str:
    """How DuckDB is asked for a column: times as texts, everything else as it is."""
    if column.kind == "timestamp":
        return f"strftime(c{place}, '%Y-%m-%d %H:%M:%S.%g')"
    if column.kind == "timestamp with time zone":
        return f"strftime(timezone('UTC', c{place}), '%Y-%m-%d %H:%M:%S.%g') || ' UTC'"
    return f"c{place}"


def text(value: Any) -> str | None:
    """A value as Athena writes it; NULL is None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}={_inner(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inner(v) for v in value) + "]"
    return str(value)


def _inner(value: Any) -> str:
    shown = text(value)
    return "null" if shown is None else shown


def java_double(value: float) -> str:
    """A double as Java prints it: with an exponent from 1.0E7 on and below 1.0E-3."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{len(digits) - 1 + int(exponent)}"


def csv_line(row: Row) -> str:
    """A line of the result file: every field in quotes, NULL as nothing."""
    return ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row) + "\n"


def read_csv(body: str, width: int) -> Iterator[Row]:
    """The rows of a result file, its header among them."""
    at = 0
    while at < len(body):
        row: Row = []
        for _ in range(width):
            field = _FIELD.match(body, at)
            if field is None:  # the pattern also matches nothing
                raise ValueError(f"not a result file, at character {at}")
            row.append(None if field[1] is None else field[1].replace('""', '"'))
            at = field.end() + 1
        yield row
