"""The stream file: a topic, the table that it becomes, and how it is landed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from ticklake.core.errors import SettingsError, did_you_mean
from ticklake.core.settings.aws_names import check_table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}", re.ASCII)  # Kafka takes no longer name of a topic


@dataclass(frozen=True)
class TopicSettings:
    """``[topic]`` of the stream file."""

    name: str
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    retention_hours: int


@dataclass(frozen=True)
class TableSettings:
    """``[table]`` of the stream file."""

    name: str
    key_column: str


@dataclass(frozen=True)
class LandingSettings:
    """``[landing]`` of the stream file."""

    group: str
    object_mebibytes: int
    catch_up_minutes: int

    @property
    def object_bytes(self) -> int:
        """Uncompressed size at which an object is closed."""
        return self.object_mebibytes * 1024 * 1024


@dataclass(frozen=True)
class Stream:
    """One Kafka topic and the table that it becomes."""

    topic: TopicSettings
    table: TableSettings
    landing: LandingSettings

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a stream file; raises SettingsError naming file, section and key."""
        try:
            with path.open("rb") as f:
                document = tomllib.load(f)
        except FileNotFoundError as e:
            raise SettingsError(f"The stream file {path} is not there.", "TICKLAKE_STREAM says where it is.") from e
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise SettingsError(f"The stream file {path} is not TOML: {e}.") from e
        sections = {"topic": TopicSettings, "table": TableSettings, "landing": LandingSettings}
        _check_names(document, set(sections), f"{path}")
        stream = cls(**{name: _section(path, name, kind, document[name]) for name, kind in sections.items()})
        check_table(f"{path}, [table]: name", stream.table.name)
        if stream.topic.min_insync_replicas > stream.topic.replication_factor:
            raise SettingsError(
                f"{path}, [topic]: min_insync_replicas = {stream.topic.min_insync_replicas} is more than"
                f" replication_factor = {stream.topic.replication_factor}: no record could ever be confirmed."
            )
        return stream


def _section(path: Path, name: str, kind: type, values: Any) -> Any:
    where = f"{path}, [{name}]"
    if not isinstance(values, dict):
        raise SettingsError(f"{where} is not a section.")
    types = {f.name: {"int": int, "str": str}[str(f.type)] for f in fields(kind)}
    _check_names(values, set(types), where)
    for key, wanted in types.items():
        _check_value(f"{where}: {key}", values[key], wanted)
    return kind(**values)


def _check_value(where: str, value: Any, wanted: type) -> None:
    if wanted is int and (type(value) is not int or value < 1):
        raise SettingsError(f"{where} = {value!r} is not a whole number, at least 1.")
    # These texts become parts of object keys, topic and table names.
    if wanted is str and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise SettingsError(f"{where} = {value!r} is not a string of letters, digits, '.', '_' and '-'.")


def _check_names(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in values:
        if name not in known:
            raise SettingsError(f"{where}: {name!r} is not a key.", did_you_mean(name, known))
    for name in sorted(known - set(values)):
        raise SettingsError(f"{where}: {name!r} is missing.")
