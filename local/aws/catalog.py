"""Tables of the Glue catalog as a query needs them: typed columns, registered partitions, the objects in those."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.aws import folders, host
from local.aws.host import StoredObject

_READABLE = ("org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe")


class QueryError(Exception):
    """The query fails; the text is the StateChangeReason, in Athena's words."""


class NotEmulatedError(QueryError):
    """Athena could do it, the stand-in cannot."""

    def __init__(self, what: str) -> None:
        super().__init__(f"NOT_SUPPORTED: not emulated by the local stand-in: {what}")


@dataclass(frozen=True)
class Partition:
    """A registered partition: its values (none for a table without partition columns) and its folder."""

    values: tuple[str, ...]
    bucket: str
    prefix: str


@dataclass(frozen=True)
class Table:
    """A table: data columns and partition columns with their Hive types."""

    database: str
    name: str
    columns: dict[str, str]
    keys: dict[str, str]

    @property
    def kinds(self) -> dict[str, str]:
        """Type of each column, partition columns last, as ``SELECT *`` gives them."""
        return self.columns | self.keys

    def partitions(self) -> list[Partition]:
        """All registered partitions; the table's own folder when it has no partition columns."""
        if not self.keys:
            return [_partition((), _record(self)["StorageDescriptor"])]
        found = host.partitions(self.database, self.name)
        for record in found:
            self._check_schema(record)
        return [_partition(tuple(p["Values"]), p["StorageDescriptor"]) for p in found]

    def _check_schema(self, partition: dict[str, Any]) -> None:
        for column in partition["StorageDescriptor"].get("Columns", []):
            name, kind = column["Name"].lower(), column["Type"]
            if self.columns.get(name, kind) != kind:
                values = "/".join(f"{k}={v}" for k, v in zip(self.keys, partition["Values"], strict=False))
                raise QueryError(
                    "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition schemas. The "
                    f"types are incompatible and cannot be coerced. The column '{name}' in table "
                    f"'{self.database}.{self.name}' is declared as type '{self.columns[name]}', but partition "
                    f"'{values}' declared column '{name}' as type '{kind}'."
                )


def find(database: str, name: str) -> Table | None:
    """The table of that name, None when there is none; raises NotEmulatedError for one that cannot be read."""
    record = host.table(database.lower(), name.lower())
    if record is None:
        return None
    if record.get("TableType") == "VIRTUAL_VIEW":
        raise NotEmulatedError(f"views ({name})")
    storage = record["StorageDescriptor"]
    serde = storage.get("SerdeInfo", {}).get("SerializationLibrary", "")
    if serde not in _READABLE:
        raise NotEmulatedError(f"table {name}: reading with {serde or 'no SerDe'}")
    return Table(
        record["DatabaseName"],
        record["Name"],
        {c["Name"].lower(): c["Type"] for c in storage["Columns"]},
        {c["Name"].lower(): c["Type"] for c in record["PartitionKeys"]},
    )


def objects(partitions: Iterable[Partition]) -> list[tuple[int, StoredObject]]:
    """The current objects of partitions, each with the index of its partition."""
    found: list[tuple[int, StoredObject]] = []
    listings: dict[str, list[str]] = {}
    for index, part in enumerate(partitions):
        if part.bucket not in listings:
            listings[part.bucket] = host.list_keys(part.bucket, "")
        keys = listings[part.bucket]
        first = bisect.bisect_left(keys, part.prefix)
        last = bisect.bisect_left(keys, part.prefix + "\U0010ffff")
        visible = [k for k in keys[first:last] if not folders.is_hidden(k)]
        found += [(index, o) for o in host.stored(part.bucket, visible)]
    return found


def _partition(values: tuple[str, ...], storage: dict[str, Any]) -> Partition:
    bucket, _, prefix = storage["Location"].removeprefix("s3://").partition("/")
    return Partition(values, bucket, prefix if prefix.endswith("/") or not prefix else f"{prefix}/")


def _record(table: Table) -> dict[str, Any]:
    record = host.table(table.database, table.name)
    if record is None:
        raise QueryError(f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{table.database}.{table.name}' does not exist")
    return record
