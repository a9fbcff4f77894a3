"""The statements that are not queries: SHOW …, MSCK REPAIR TABLE, ALTER TABLE … ADD and DROP PARTITION."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws import folders, host
from local.aws.catalog import NotEmulatedError, QueryError

_TABLE = r"`?(?:(?P<db>\w+)`?\.`?)?(?P<table>\w+)`?"
_SPEC = re.compile(r"PARTITION\s*\((?P<spec>[^)]*)\)(?:\s*LOCATION\s*'(?P<location>[^']*)')?", re.IGNORECASE)
_WORDS = """
ALTER ANALYZE CALL CREATE DEALLOCATE DELETE DESC DESCRIBE DROP EXECUTE EXPLAIN INSERT MERGE MSCK OPTIMIZE PREPARE SHOW
TRUNCATE UNLOAD UPDATE USE VACUUM
"""
_VERBS = frozenset(_WORDS.split())
_VALUE = re.compile(r"`?(\w+)`?\s*=\s*'([^']*)'")


@dataclass(frozen=True)
class Listing:
    """One column of texts."""

    column: str
    rows: list[str]


def is_known(statement: str) -> bool:
    """Whether it begins with a word that begins a statement of Athena's."""
    words = statement.split()
    return bool(words) and words[0].upper() in _VERBS


def run(statement: str, database: str) -> Listing:
    """Run it; raises QueryError."""
    words = statement.strip().rstrip(";").strip()
    for pattern, action in _STATEMENTS:
        found = re.fullmatch(pattern, words, re.IGNORECASE | re.DOTALL)
        if found:
            return action(found, database)
    raise NotEmulatedError(f"the statement {' '.join(words.split()[:3])} …")


def _table(found: re.Match[str], database: str) -> dict[str, Any]:
    database, name = (found["db"] or database).lower(), found["table"].lower()
    record = host.table(database, name)
    if record is None:
        raise QueryError(f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}")
    return record


def _specification(table: dict[str, Any], values: list[str]) -> str:
    return "/".join(f"{k['Name']}={v}" for k, v in zip(table["PartitionKeys"], values, strict=True))


def _show_partitions(found: re.Match[str], database: str) -> Listing:
    table = _table(found, database)
    if not table["PartitionKeys"]:
        raise QueryError(f"FAILED: SemanticException [Error 10241]: Table {table['Name']} is not a partitioned table")
    registered = host.partitions(table["DatabaseName"], table["Name"])
    return Listing("partition", sorted(_specification(table, p["Values"]) for p in registered))


def _show_tables(found: re.Match[str], database: str) -> Listing:
    return Listing("tab_name", [t["Name"] for t in host.tables((found["in"] or database).lower())])


def _show_databases(found: re.Match[str], database: str) -> Listing:
    return Listing("database_name", host.databases())


def _repair(found: re.Match[str], database: str) -> Listing:
    table = _table(found, database)
    location = table["StorageDescriptor"]["Location"]
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    names = tuple(k["Name"] for k in table["PartitionKeys"])
    known = {tuple(p["Values"]) for p in host.partitions(table["DatabaseName"], table["Name"])}
    new: dict[tuple[str, ...], str] = {}
    for key in host.list_keys(bucket, prefix):
        parts = [f.partition("=") for f in key[len(prefix) :].split("/")[:-1]]
        values = tuple(v for _, _, v in parts)
        if tuple(n for n, _, _ in parts) == names and not folders.is_hidden(key) and values not in known:
            new[values] = f"s3://{bucket}/{key.rpartition('/')[0]}/"
    _add(table, new)
    name = table["Name"]
    shown = sorted(_specification(table, list(v)) for v in new)
    missing = ["Partitions not in metastore:" + "".join(f"\t{name}:{s}" for s in shown)] if shown else []
    return Listing("result", missing + [f"Repair: Added partition to metastore {name}:{s}" for s in shown])


def _specified(found: re.Match[str], table: dict[str, Any]) -> dict[tuple[str, ...], str]:
    names = [k["Name"] for k in table["PartitionKeys"]]
    specified = {}
    for spec in _SPEC.finditer(found["specs"]):
        given = {k.lower(): v for k, v in _VALUE.findall(spec["spec"])}
        if sorted(given) != sorted(names):
            raise QueryError(f"FAILED: ValidationFailureSemanticException: partition spec {given} needs {names}")
        values = tuple(given[n] for n in names)
        own = f"{table['StorageDescriptor']['Location'].rstrip('/')}/{_specification(table, list(values))}/"
        specified[values] = spec["location"] or own
    return specified


def _add_partitions(found: re.Match[str], database: str) -> Listing:
    table = _table(found, database)
    specified = _specified(found, table)
    known = {tuple(p["Values"]) for p in host.partitions(table["DatabaseName"], table["Name"])}
    there = known & specified.keys()
    if there and not found["exists"]:
        shown = [_specification(table, list(v)) for v in there]
        raise QueryError(f"FAILED: Execution Error: AlreadyExistsException: Partition already exists: {shown}")
    _add(table, {v: where for v, where in specified.items() if v not in known})
    return Listing("result", [])


def _drop_partitions(found: re.Match[str], database: str) -> Listing:
    table = _table(found, database)
    for values in _specified(found, table):
        gone = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"], "PartitionValues": list(values)}
        host.call(host.glue._delete_partition, gone)
    return Listing("result", [])


def _add(table: dict[str, Any], locations: dict[tuple[str, ...], str]) -> None:
    for values, location in sorted(locations.items()):
        storage = copy.deepcopy(table["StorageDescriptor"]) | {"Location": location}
        partition = {"Values": list(values), "StorageDescriptor": storage, "Parameters": {}}
        target = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"], "PartitionInput": partition}
        host.call(host.glue._create_partition, target)


_Action = Callable[[re.Match[str], str], Listing]
_STATEMENTS: tuple[tuple[str, _Action], ...] = (
    (rf"SHOW\s+PARTITIONS\s+{_TABLE}", _show_partitions),
    (r"SHOW\s+TABLES(?:\s+IN\s+`?(?P<in>\w+)`?)?", _show_tables),
    (r"SHOW\s+(?:DATABASES|SCHEMAS)", _show_databases),
    (rf"MSCK\s+REPAIR\s+TABLE\s+{_TABLE}", _repair),
    (rf"ALTER\s+TABLE\s+{_TABLE}\s+ADD\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?(?P<specs>PARTITION.*)", _add_partitions),
    (rf"ALTER\s+TABLE\s+{_TABLE}\s+DROP\s+(?:IF\s+EXISTS\s+)?(?P<specs>PARTITION.*)", _drop_partitions),
)
