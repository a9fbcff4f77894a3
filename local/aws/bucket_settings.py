"""Two properties of ``AWS::S3::Bucket`` that ministack's CloudFormation leaves out: encryption and lifecycle."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import ParseError, SubElement, tostring
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from local.aws import host

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
Configuration = tuple[str, Any, Any, Any]


def install() -> None:
    """Make CloudFormation apply both through the S3 API, as it applies its other bucket properties."""
    put = host.s3._put_bucket_lifecycle
    host.replace(host.s3, "_put_bucket_lifecycle", lambda bucket, body: put(bucket, with_filters(body)))
    ours: tuple[Configuration, ...] = (
        ("BucketEncryption", encryption, host.s3._put_bucket_encryption, host.s3._delete_bucket_encryption),
        ("LifecycleConfiguration", lifecycle, host.s3._put_bucket_lifecycle, host.s3._delete_bucket_lifecycle),
    )
    known: tuple[Configuration, ...] = host.provisioners._S3_BUCKET_CONFIGURATIONS
    host.provisioners._S3_BUCKET_CONFIGURATIONS = (*known, *ours)


def encryption(properties: dict[str, Any]) -> bytes:
    """The request body of PutBucketEncryption for a template's ``BucketEncryption``."""
    rules = [
        {"ApplyServerSideEncryptionByDefault": r["ServerSideEncryptionByDefault"], **_rest(r)}
        for r in properties["ServerSideEncryptionConfiguration"]
    ]
    return _document("ServerSideEncryptionConfiguration", {"Rule": rules})


def _rest(rule: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in rule.items() if k != "ServerSideEncryptionByDefault"}


def lifecycle(properties: dict[str, Any]) -> bytes:
    """The request body of PutBucketLifecycleConfiguration for a template's ``LifecycleConfiguration``."""
    return _document("LifecycleConfiguration", {"Rule": [_lifecycle_rule(r) for r in properties["Rules"]]})


def with_filters(body: bytes) -> bytes:
    """The request body of PutBucketLifecycleConfiguration, with a rule's own ``Prefix`` as its filter.

    S3 still takes that older form. Ministack passes over it: the rule would be for all objects, and remove them.
    """
    try:
        root = fromstring(body)
    except ParseError:
        return body  # ministack's to refuse
    for rule in root:
        for prefix in [child for child in rule if child.tag.rpartition("}")[2] == "Prefix"]:
            rule.remove(prefix)
            SubElement(rule, prefix.tag.replace("Prefix", "Filter")).append(prefix)
    return bytes(tostring(root))


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    body = {"ID": rule.get("Id", ""), "Filter": {"Prefix": rule.get("Prefix", "")}, "Status": rule["Status"]}
    for name, value in rule.items():
        if name == "ExpirationInDays":
            body["Expiration"] = {"Days": value}
        elif name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
            body[name] = value
        elif name not in ("Id", "Status", "Prefix"):
            raise ValueError(f"Not emulated by the local stand-in: {name} of a lifecycle rule.")
    return body


def _document(name: str, content: dict[str, Any]) -> bytes:
    return f"<{name} {_NAMESPACE}>{_xml(content)}</{name}>".encode()


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(
            f"<{k}>{_xml(v)}</{k}>" for k, vs in value.items() for v in (vs if isinstance(vs, list) else [vs])
        )
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
