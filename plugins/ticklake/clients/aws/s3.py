"""The bucket: the few S3 calls that the pipeline needs, with errors in words.

boto3's own retries stand behind every call; the client is made by the caller (Airflow's ``S3Hook``, or boto3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from ticklake.core.errors import LakeError

_DELETE_AT_ONCE = 1000
_CHUNK = 256 * 1024
_BROKEN_PAUSES = (0.1, 0.5, 2.0)  # seconds
_CONFLICT_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds


PATIENCE: dict[str, Any] = {
    # A connection over which nothing comes is given up and tried again: boto3 would wait 60 s each time.
    "connect_timeout": 10,
    "read_timeout": 20,
    "tcp_keepalive": True,
    # Seconds of 503 SlowDown are waited out, with growing pauses, before the task fails and Airflow tries again.
    "retries": {"mode": "standard", "total_max_attempts": 6},
    "max_pool_connections": 16,
    # Every body goes with a checksum that S3 checks: signing it, too, would only read and hash it once more.
    "s3": {"payload_signing_enabled": False},
}


def patient(config: Config) -> Config:
    """A client's configuration with ``PATIENCE`` under it: what it sets itself stays."""
    return Config(**PATIENCE).merge(config)


@dataclass(frozen=True)
class Listed:
    """One entry of a listing: key, size in bytes, when it was last written."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Version:
    """One version of an object: S3's id of it, size in bytes, when it was written."""

    id: str
    size: int
    modified: datetime


class Lake:
    """A bucket of S3.

    Args:
        client: a boto3 S3 client.
        bucket: its name.

    Every method raises LakeError when S3 refuses or does not answer.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        for pause in (*_BROKEN_PAUSES, None):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as e:
                if _code(e) in {"NoSuchKey", "404"}:
                    return None
                raise self._error("read", key, e) from e
            except BotoCoreError as e:
                raise self._error("read", key, e) from e
            try:
                body: bytes = answer["Body"].read()
            except BotoCoreError as e:
                # It broke off amid the body, where boto3 no longer tries again.
                if pause is None:
                    raise self._error("read", key, e) from e
                time.sleep(pause)
            else:
                return body
        raise AssertionError("the last round returns or raises")

    def stream(self, key: str, version: str | None = None) -> Iterator[bytes] | None:
        """The object's bytes in chunks of 256 KiB, so that its size does not matter; None when there is none.

        They come as S3 has them now, also where they no longer are what it was given: whoever reads them hashes them.
        ``version`` is the id of one of its versions; None: the newest, unless that is a deletion.
        """
        wanted = {"VersionId": version} if version else {}
        try:
            body = self._client.get_object(Bucket=self.bucket, Key=key, **wanted)["Body"]
        except ClientError as e:
            if _code(e) in {"NoSuchKey", "NoSuchVersion", "404"}:
                return None
            raise self._error("read", key, e) from e
        except BotoCoreError as e:
            raise self._error("read", key, e) from e

        def chunks() -> Iterator[bytes]:
            try:
                yield from body.iter_chunks(_CHUNK)
            except FlexibleChecksumError:
                return  # boto3 says so once all of it was read
            except BotoCoreError as e:
                raise self._error("read", key, e) from e

        return chunks()

    def put(self, key: str, body: bytes | BinaryIO, checksum: str | None = None) -> None:
        """Store an object; with a SHA-256 in base64, S3 refuses bytes that arrived otherwise than they were sent."""
        extra = {"ChecksumSHA256": checksum} if checksum else {}
        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **extra)
        except (ClientError, BotoCoreError) as e:
            raise self._error("write", key, e) from e

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Store an object unless there is one (``If-None-Match: *``); whether it is ours that lies there now."""
        for pause in _CONFLICT_PAUSES:
            try:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
            except ClientError as e:
                if _code(e) in {"PreconditionFailed", "412"}:
                    # It may be ours: when the answer to a first try was lost on its way, boto3 has tried again.
                    return self.get(key) == body
                if _code(e) not in {"ConditionalRequestConflict", "409"}:
                    raise self._error("write", key, e) from e
                time.sleep(pause)  # another conditional write to this key is under way
            except BotoCoreError as e:
                raise self._error("write", key, e) from e
            else:
                return True
        raise LakeError(f"s3://{self.bucket}/{key} is being written by others all the time.", "Try again.")

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> bytes:
        """Replace an object by what ``change`` makes of it (None: there is none yet); returns what lies there now.

        Nobody's change is lost: when another writer comes between (``If-Match``), ``change`` is called again with his.
        """
        for pause in (0.0, *_CONFLICT_PAUSES):
            time.sleep(pause)
            try:
                found = self._client.get_object(Bucket=self.bucket, Key=key)
                before, condition = found["Body"].read(), {"IfMatch": found["ETag"]}
            except ClientError as e:
                if _code(e) not in {"NoSuchKey", "404"}:
                    raise self._error("read", key, e) from e
                before, condition = None, {"IfNoneMatch": "*"}
            except BotoCoreError as e:
                raise self._error("read", key, e) from e
            after = change(before)
            if after == before:
                return after
            try:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=after, **condition)
            except ClientError as e:
                if _code(e) not in {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}:
                    raise self._error("write", key, e) from e
            except BotoCoreError as e:
                raise self._error("write", key, e) from e
            else:
                return after
        raise LakeError(f"s3://{self.bucket}/{key} is being written by others all the time.", "Try again.")

    def head(self, key: str) -> tuple[int, str | None] | None:
        """Size in bytes and SHA-256 in base64 (None when it was stored without); None when there is no such object."""
        try:
            answer = self._client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as e:
            if _code(e) in {"NoSuchKey", "NotFound", "404"}:
                return None
            raise self._error("look at", key, e) from e
        except BotoCoreError as e:
            raise self._error("look at", key, e) from e
        return answer["ContentLength"], answer.get("ChecksumSHA256")

    def list(self, prefix: str, start_after: str = "") -> Iterator[Listed]:
        """Objects under a prefix in order of their keys, after ``start_after``."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=start_after
        )
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield Listed(entry["Key"], entry["Size"], entry["LastModified"])
        except (ClientError, BotoCoreError) as e:
            raise self._error("list", prefix, e) from e

    def folders(self, prefix: str) -> Iterator[str]:
        """What lies under a prefix up to the next slash, e.g. ``manifests/ticks/dt=2026-11-22/``, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        try:
            for page in pages:
                for found in page.get("CommonPrefixes", ()):
                    yield found["Prefix"]
        except (ClientError, BotoCoreError) as e:
            raise self._error("list", prefix, e) from e

    def versions(self, key: str) -> Iterator[Version]:
        """What the bucket keeps of an object, newest first; of a bucket without versions the object itself."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key)
        try:
            for page in pages:
                for entry in page.get("Versions", ()):
                    if entry["Key"] == key:
                        yield Version(entry["VersionId"], entry["Size"], entry["LastModified"])
        except (ClientError, BotoCoreError) as e:
            raise self._error("list the versions of", key, e) from e

    def move(self, key: str, to: str) -> bool:
        """Copy an object within the bucket, then remove it; False when there is none. At most 5 GB, S3's limit for a copy."""
        try:
            self._client.copy_object(Bucket=self.bucket, Key=to, CopySource={"Bucket": self.bucket, "Key": key})
        except ClientError as e:
            if _code(e) in {"NoSuchKey", "404"}:
                return False
            raise self._error("move", key, e) from e
        except BotoCoreError as e:
            raise self._error("move", key, e) from e
        self.delete([key])
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is fine."""
        wanted = sorted(keys)
        for i in range(0, len(wanted), _DELETE_AT_ONCE):
            some = [{"Key": key} for key in wanted[i : i + _DELETE_AT_ONCE]]
            try:
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": some, "Quiet": True})
            except (ClientError, BotoCoreError) as e:
                raise self._error("delete", some[0]["Key"], e) from e
            for failed in answer.get("Errors", ()):
                raise LakeError(f"S3 did not delete s3://{self.bucket}/{failed['Key']}: {failed.get('Message')}.")

    def _error(self, did: str, key: str, error: Exception) -> LakeError:
        place = f"s3://{self.bucket}/{key}"
        remedies = {
            "NoSuchBucket": "Create the bucket, or set TICKLAKE_BUCKET to the one you have.",
            "AccessDenied": "The role of the connection ticklake_aws lacks this permission.",
            "403": "The role of the connection ticklake_aws lacks this permission.",
            "InvalidAccessKeyId": "Check the credentials of the connection ticklake_aws.",
            "SignatureDoesNotMatch": "Check the credentials of the connection ticklake_aws.",
            "PermanentRedirect": "The bucket lies in another region: set region_name of the connection ticklake_aws.",
            "AuthorizationHeaderMalformed": "The bucket lies in another region: set region_name of ticklake_aws.",
            "ExpiredToken": "The credentials of the connection ticklake_aws have expired.",
        }
        code = _code(error) if isinstance(error, ClientError) else type(error).__name__
        return LakeError(f"S3 did not {did} {place}: {error}", remedies.get(code, ""))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
