"""What a crawl writes to the Glue catalog: a table per folder, its columns and its partitions."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any, Self

from local.aws import column_types, folders, host, permissions, samples
from local.aws.folders import TableFolder
from local.aws.permissions import Identity

_JSON = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
}
_SERDE = "org.openx.data.jsonserde.JsonSerDe"
_BATCH = 100  # of BatchCreatePartition


@dataclass(frozen=True)
class Policy:
    """What the crawler's configuration says about changes, and the role that it works under."""

    crawler: str
    role: Identity
    table_prefix: str
    merge_new_columns: bool
    inherit_from_table: bool
    update: bool
    delete: bool
    new_folders_only: bool

    @classmethod
    def of(cls, crawler: dict[str, Any], configuration: dict[str, Any]) -> Self:
        """Read a crawler's record and its parsed ``Configuration``."""
        output = configuration.get("CrawlerOutput", {})
        changes = crawler.get("SchemaChangePolicy", {})
        return cls(
            crawler["Name"],
            permissions.identity(crawler["Role"]),
            crawler.get("TablePrefix", ""),
            output.get("Tables", {}).get("AddOrUpdateBehavior") == "MergeNewColumns",
            output.get("Partitions", {}).get("AddOrUpdateBehavior") == "InheritFromTable",
            changes.get("UpdateBehavior", "UPDATE_IN_DATABASE") == "UPDATE_IN_DATABASE",
            changes.get("DeleteBehavior") == "DELETE_FROM_DATABASE",
            crawler.get("RecrawlPolicy", {}).get("RecrawlBehavior") == "CRAWL_NEW_FOLDERS_ONLY",
        )


def name_of(database: str, folder: TableFolder, policy: Policy) -> str:
    """The table's name for a folder: the folder's, or another one when a table of that name lies elsewhere."""
    name = folders.table_name(folder, policy.table_prefix)
    table = host.table(database, name)
    if table is not None and table["StorageDescriptor"].get("Location") != folder.location:
        return folders.other_name(name, folder.location)
    return name


def write_table(database: str, name: str, folder: TableFolder, policy: Policy, sample: int | None) -> str:
    """Create or update one table and its partitions; returns ``created``, ``updated`` or nothing."""
    table = host.table(database, name)
    registered = {tuple(p["Values"]): p for p in host.partitions(database, name)}
    changed = _changed(folder, registered, policy)
    policy.role.require_objects("s3:GetObject", folder.bucket, (k for v in changed for k in folder.partitions[v]))
    schemas = {values: _schema(folder, values, sample) for values in changed}
    outcome = _create_or_update(database, name, folder, table, list(schemas.values()), policy)
    table = host.table(database, name)
    if table is None:  # nothing but empty folders
        return outcome
    _write_partitions(database, name, folder, table, registered, schemas, policy)
    return outcome


def _changed(folder: TableFolder, registered: dict[tuple[str, ...], Any], policy: Policy) -> list[tuple[str, ...]]:
    """Partitions to read: new ones, and those whose objects are no longer those of the last crawl."""
    changed = []
    for values, keys in folder.partitions.items():
        known = registered.get(values)
        if known is not None and (policy.new_folders_only or _size(folder, keys) == _recorded_size(known)):
            continue
        changed.append(values)
    return changed


def _size(folder: TableFolder, keys: list[str]) -> dict[str, str]:
    count, size = host.count_and_bytes(folder.bucket, keys)
    return {"objectCount": str(count), "sizeKey": str(size)}


def _recorded_size(partition: dict[str, Any]) -> dict[str, str]:
    parameters = partition.get("Parameters", {})
    return {name: parameters.get(name, "") for name in ("objectCount", "sizeKey")}


def _schema(folder: TableFolder, values: tuple[str, ...], sample: int | None) -> samples.Schema:
    found = [o for o in host.stored(folder.bucket, folder.partitions[values]) if o.size]
    if sample and len(found) > sample:
        found = random.Random(str(values)).sample(found, sample)  # noqa: S311
    schema: samples.Schema = {}
    for one in found:
        schema = column_types.merge_fields(schema, samples.schema_of(one))
    return schema


def _create_or_update(
    database: str,
    name: str,
    folder: TableFolder,
    table: dict[str, Any] | None,
    schemas: list[samples.Schema],
    policy: Policy,
) -> str:
    merged: samples.Schema = {}
    for schema in schemas:
        merged = column_types.merge_fields(merged, schema)
    if not merged:
        return ""
    if table is None:
        policy.role.require("glue:CreateTable", permissions.of_tables(database, tables=[name]))
        _create(database, name, folder, merged, policy)
        return "created"
    columns = _updated_columns(table, merged, policy)
    if not policy.update or columns == table["StorageDescriptor"]["Columns"]:
        return ""
    policy.role.require("glue:UpdateTable", permissions.of_tables(database, tables=[name]))
    storage = copy.deepcopy(table["StorageDescriptor"])
    known = [p for p in storage["SerdeInfo"]["Parameters"].get("paths", "").split(",") if p]
    storage |= {"Columns": columns}
    storage["SerdeInfo"]["Parameters"]["paths"] = ",".join(sorted({*known, *merged}))
    host.call(
        host.glue._update_table, {"DatabaseName": database, "TableInput": {"Name": name, "StorageDescriptor": storage}}
    )
    return "updated"


def _columns(schema: samples.Schema) -> list[dict[str, str]]:
    """Glue keeps column names in lower case; keys that differ in nothing else are one column."""
    named: samples.Schema = {}
    for key, kind in schema.items():
        named = column_types.merge_fields(named, {key.lower(): kind})
    return [{"Name": column, "Type": column_types.settled(kind)} for column, kind in named.items()]


def _updated_columns(table: dict[str, Any], merged: samples.Schema, policy: Policy) -> list[dict[str, str]]:
    present = table["StorageDescriptor"]["Columns"]
    if policy.merge_new_columns:
        names = {c["Name"] for c in present}
        return [*present, *(c for c in _columns(merged) if c["Name"] not in names)]
    kinds = {c["Name"]: c["Type"] for c in present}
    kinds = column_types.merge_fields(kinds, {k.lower(): v for k, v in merged.items()})
    return [{"Name": column, "Type": column_types.settled(kind)} for column, kind in kinds.items()]


def _create(database: str, name: str, folder: TableFolder, schema: samples.Schema, policy: Policy) -> None:
    zipped = all(k.endswith(".gz") for keys in folder.partitions.values() for k in keys)
    described = {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": policy.crawler,
        "classification": "json",
        "compressionType": "gzip" if zipped else "none",
        "typeOfData": "file",
    }
    storage = {
        "Columns": _columns(schema),
        "Location": folder.location,
        **_JSON,
        "Compressed": zipped,
        "NumberOfBuckets": -1,
        "SerdeInfo": {"SerializationLibrary": _SERDE, "Parameters": {"paths": ",".join(sorted(schema))}},
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": described,
        "StoredAsSubDirectories": False,
    }
    table = {
        "Name": name,
        "Owner": "owner",
        "Retention": 0,
        "StorageDescriptor": storage,
        "PartitionKeys": [{"Name": k, "Type": "string"} for k in folder.partition_keys],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": described,
    }
    host.call(host.glue._create_table, {"DatabaseName": database, "TableInput": table})


def _write_partitions(
    database: str,
    name: str,
    folder: TableFolder,
    table: dict[str, Any],
    registered: dict[tuple[str, ...], dict[str, Any]],
    schemas: dict[tuple[str, ...], samples.Schema],
    policy: Policy,
) -> None:
    if not folder.partition_keys:
        return
    new = []
    for values, schema in schemas.items():
        size = _size(folder, folder.partitions[values])
        if values in registered:
            registered[values].setdefault("Parameters", {}).update(size)
        else:
            columns = table["StorageDescriptor"]["Columns"] if policy.inherit_from_table else _columns(schema)
            new.append(_partition(table, folder, values, columns, size))
    if new:
        policy.role.require("glue:BatchCreatePartition", permissions.of_tables(database, tables=[name]))
    for start in range(0, len(new), _BATCH):
        batch = {"DatabaseName": database, "TableName": name, "PartitionInputList": new[start : start + _BATCH]}
        host.call(host.glue._batch_create_partition, batch)
    if policy.inherit_from_table:
        for partition in registered.values():
            partition["StorageDescriptor"]["Columns"] = copy.deepcopy(table["StorageDescriptor"]["Columns"])
    if policy.delete:
        for values in registered.keys() - folder.partitions.keys():
            gone = {"DatabaseName": database, "TableName": name, "PartitionValues": list(values)}
            host.call(host.glue._delete_partition, gone)


def _partition(
    table: dict[str, Any],
    folder: TableFolder,
    values: tuple[str, ...],
    columns: list[dict[str, str]],
    size: dict[str, str],
) -> dict[str, Any]:
    storage = copy.deepcopy(table["StorageDescriptor"])
    storage |= {"Location": folder.partition_location(values), "Columns": copy.deepcopy(columns)}
    return {"Values": list(values), "StorageDescriptor": storage, "Parameters": {**table["Parameters"], **size}}
