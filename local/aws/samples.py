"""What the crawler reads of an object: its first lines, and the columns that they have."""

from __future__ import annotations

import gzip
import io
import json
from collections import OrderedDict
from pathlib import Path

from local.aws import column_types
from local.aws.host import StoredObject

# Glue classifies a file by its first megabyte.
SAMPLE_BYTES = 1024 * 1024
_REMEMBERED = 20_000
Schema = dict[str, str]
_seen: OrderedDict[tuple[str, str], Schema] = OrderedDict()


class UnknownFormatError(Exception):
    """An object is not gzip or plain text with one JSON object per line."""


def schema_of(found: StoredObject) -> Schema:
    """Columns (as written in the objects) and their types; an object that was read before is not read again."""
    known = _seen.get((found.path, found.etag))
    if known is None:
        known = _seen[(found.path, found.etag)] = _infer(found)
        if len(_seen) > _REMEMBERED:
            _seen.popitem(last=False)
    return known


def _infer(found: StoredObject) -> Schema:
    schema: Schema = {}
    for number, line in enumerate(_first_lines(found), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as e:
            raise UnknownFormatError(f"{found.key}, line {number} is not JSON: {e}") from e
        if not isinstance(row, dict):
            raise UnknownFormatError(f"{found.key}, line {number} is not a JSON object")
        schema = column_types.merge_fields(schema, {k: column_types.infer(v) for k, v in row.items()})
    return schema


def _first_lines(found: StoredObject) -> list[bytes]:
    raw = Path(found.path).open("rb")  # noqa: SIM115 (closed by the reader below)
    with gzip.GzipFile(fileobj=raw) if found.key.endswith(".gz") else raw as text, raw:
        try:
            head = text.read(SAMPLE_BYTES)
        except (OSError, EOFError) as e:
            raise UnknownFormatError(f"{found.key} is not gzip: {e}") from e
    if head.startswith(b"PAR1"):
        raise UnknownFormatError(f"{found.key} is Parquet, which the local crawler does not read")
    lines = list(io.BytesIO(head))
    if len(head) == SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # cut in two
    return lines
