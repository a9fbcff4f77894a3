"""Athena's counts of the offsets that were compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ticklake.core.errors import LakeError
from ticklake.core.minute import Minute
from ticklake.verify.verdict import AthenaCount

Ask = Callable[[str], Sequence[Sequence[str | None]]]
"""Runs a statement of Athena's SQL and returns its rows; raises LakeError with Athena's reason."""

_DISTINCT = "COUNT(DISTINCT (kafka_partition, kafka_offset))"


def count(
    ask: Ask, table: str, first: str | None, last: str | None, compared: Mapping[int, tuple[int, int]]
) -> AthenaCount:
    """Count the offsets that were compared, as Athena sees them.

    Args:
        ask: runs a statement.
        table: name of the table.
        first: key of the oldest minute compared, None when there was none; last: of the newest.
        compared: Kafka partition -> (start, end) offsets.
    """
    offsets = [
        f"(kafka_partition = {p} AND kafka_offset >= {start} AND kafka_offset < {end})"
        for p, (start, end) in sorted(compared.items())
        if end > start
    ]
    if not offsets or first is None or last is None:
        return AthenaCount(0, 0)
    hours = f"dt BETWEEN '{Minute.parse(first).hour.dt}' AND '{Minute.parse(last).hour.dt}'"
    # Whatever is landed meanwhile lies outside of these offsets.
    sql = f'SELECT COUNT(*), {_DISTINCT} FROM "{table}" WHERE {hours} AND ({" OR ".join(offsets)})'  # noqa: S608
    try:
        (rows, distinct), *_ = ask(sql)
    except LakeError as e:
        return AthenaCount(None, None, str(e))
    return AthenaCount(int(rows or 0), int(distinct or 0))
