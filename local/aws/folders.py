"""How a crawler divides the objects under its target into tables and partitions. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field


class LayoutError(Exception):
    """Objects lie in a way that the local crawler does not divide."""


@dataclass
class TableFolder:
    """One table to be: its folder, and the keys in each partition's folder by the partition's values."""

    bucket: str
    prefix: str
    partition_keys: tuple[str, ...]
    partitions: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """``s3://bucket/raw/ticks/``."""
        return f"s3://{self.bucket}/{self.prefix}"

    def partition_location(self, values: tuple[str, ...]) -> str:
        """Where the partition's objects lie; the hive-style names are in the keys themselves."""
        key = self.partitions[values][0]
        return f"s3://{self.bucket}/{key.rpartition('/')[0]}/"


def divide(bucket: str, target: str, keys: Iterable[str], level: int | None, one_schema: bool) -> list[TableFolder]:
    """Tables among the keys under a target prefix.

    Args:
        bucket: the bucket.
        target: prefix of the crawler's target.
        keys: keys under it, sorted.
        level: ``TableLevelConfiguration``: the folder's depth, the bucket being 1; None when not configured.
        one_schema: ``CombineCompatibleSchemas``: without a level, the target is one table.

    Raises:
        LayoutError: objects of one table lie at different depths, or under differently named partition folders.
    """
    tables: dict[str, TableFolder] = {}
    for key in keys:
        if is_hidden(key):
            continue
        prefix = _table_prefix(key, target, level, one_schema)
        if prefix is None:
            continue
        names, values = _partition(key[len(prefix) :])
        table = tables.setdefault(prefix, TableFolder(bucket, prefix, names))
        if table.partition_keys != names:
            raise LayoutError(
                f"{key} is in folders {list(names)}, other objects of {table.location} in {list(table.partition_keys)}"
            )
        table.partitions.setdefault(values, []).append(key)
    return list(tables.values())


def is_hidden(key: str) -> bool:
    """Whether Athena and the crawler pass over the key: a folder marker, or a name that starts with ``_`` or ``.``."""
    return key.endswith("/") or key.rpartition("/")[2].startswith(("_", "."))


def table_name(folder: TableFolder, prefix: str) -> str:
    """The folder's own name with the crawler's table prefix, in the letters that a table name may have."""
    own = folder.prefix.rstrip("/").rpartition("/")[2] or folder.bucket
    return re.sub(r"[^a-z0-9_]", "_", (prefix + own).lower())


def other_name(name: str, location: str) -> str:
    """The name of a table whose first choice is taken by another location: Glue appends a hash."""
    return f"{name}_{hashlib.md5(location.encode(), usedforsecurity=False).hexdigest()}"


def _table_prefix(key: str, target: str, level: int | None, one_schema: bool) -> str | None:
    folders = key.split("/")[:-1]
    if level is not None:
        depth = level - 1
        return "".join(f"{f}/" for f in folders[:depth]) if len(folders) >= depth else None
    if one_schema:
        return target if target.endswith("/") or not target else f"{'/'.join(target.split('/'))}/"
    plain = next((i for i, f in enumerate(folders) if "=" in f), len(folders))
    return "".join(f"{f}/" for f in folders[:plain])


def _partition(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, values = [], []
    for i, folder in enumerate(path.split("/")[:-1]):
        name, sign, value = folder.partition("=")
        names.append(name.lower() if sign else f"partition_{i}")
        values.append(value if sign else folder)
    return tuple(names), tuple(values)
