"""An object of a sealed minute from the bucket's versions: byte for byte what its manifest says, or none."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime
from tempfile import SpooledTemporaryFile, gettempdir
from typing import BinaryIO, cast

from ticklake.clients.aws.s3 import Lake
from ticklake.core.errors import DiskError
from ticklake.core.landing.manifest import StoredObject

_IN_MEMORY = 1 << 20  # bytes


def put_back(lake: Lake, stored: StoredObject) -> datetime | None:
    """Put the newest version with the manifest's bytes in the object's place again.

    Its bytes are read and hashed: the checksum that S3 names came with the upload. Versions of another size are not read. They
    are uploaded, not copied within S3, so that S3 checks what arrives.

    Returns:
        When that version was written; None: there is none.
    """
    for version in lake.versions(stored.key):
        chunks = lake.stream(stored.key, version.id) if version.size == stored.bytes else None
        if chunks is None:
            continue
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spooled:
            body = cast(BinaryIO, spooled)
            if _take(chunks, body) == stored.checksum:
                body.seek(0)
                lake.put(stored.key, body, stored.checksum)
                return version.modified
    return None


def _take(chunks: Iterable[bytes], body: BinaryIO) -> str:
    """Write the chunks into a file; returns their SHA-256 in base64."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        try:
            body.write(chunk)
        except OSError as e:
            raise DiskError(
                f"A version of an object does not fit into {gettempdir()}: {e.strerror}.",
                "Make room on the worker, or let TMPDIR name a larger disk; the bucket is as it was.",
            ) from e
    return base64.b64encode(digest.digest()).decode("ascii")
