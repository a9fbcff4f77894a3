"""A record that a person types in the Trigger form, as a row of the file: checked by the columns' kinds."""

from __future__ import annotations

import math
from typing import Any

from ticklake.core.errors import SettingsError, did_you_mean
from ticklake.core.sample.columns import Column
from ticklake.core.sample.dates import ISO, forms_of
from ticklake.core.sample.kinds import ColumnKind, Value
from ticklake.core.sample.table import CsvTable


def typed_row(record: Any, table: CsvTable) -> tuple[Value, ...]:
    """The record's values in the order of the file's columns, null where it has none; raises SettingsError naming the field."""
    if not isinstance(record, dict):
        raise SettingsError(
            f"record: {record!r} is not a JSON object.", 'Such as {"Index": "HSI", "Date": "2021-05-31"}.'
        )
    for name in record:
        if name not in table.names:
            raise SettingsError(f"record: {name!r} is not a column of {table.path}.", did_you_mean(name, table.names))
    return tuple(_checked(column, record.get(column.name)) for column in table.columns)


def _checked(column: Column, value: Any) -> Value:
    if value is None:
        return None
    fits = {
        ColumnKind.STRING: _is_text(value),
        ColumnKind.DATE: _is_text(value) and ISO in forms_of(value),
        ColumnKind.BOOLEAN: isinstance(value, bool),
        ColumnKind.WHOLE: _is_number(value),  # a fraction may come, the table has it as a number
        ColumnKind.NUMBER: _is_number(value),
    }
    if not fits[column.kind]:
        what = f"date {ISO}" if column.kind is ColumnKind.DATE else str(column.kind)
        raise SettingsError(
            f"record: {column.name} = {value!r} is not a {what}.", "Leave it out, or null, when it is missing."
        )
    return float(value) if column.kind is ColumnKind.NUMBER else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)
