"""What a secured cluster is made of: certificates of a throw-away authority, a user with a password per actor, their rights.

All of it lies in one folder that only its owner reads. The authority's key is in no file: it signs the brokers' certificates
and is forgotten.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.login import write_secret
from ticklake.core.errors import SettingsError
from ticklake.core.settings.environment import KAFKA_ACTORS
from ticklake.core.settings.stream import Stream

ADMIN = "admin"
MECHANISM = "SCRAM-SHA-512"
_USERS = (ADMIN, *KAFKA_ACTORS)
_LISTENER = "CLIENT"
_DAYS = 3650
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Right:
    """Operations that a user may do on one resource; each implies ``Describe`` where Kafka says so.

    ``kind`` is ``TOPIC``, ``GROUP`` or ``TRANSACTIONAL_ID``.
    """

    user: str
    kind: str
    name: str
    operations: tuple[str, ...]


def rights(stream: Stream) -> tuple[Right, ...]:
    """Each actor's rights, and no more. ``docs/security.md`` has them as a table."""
    topic, group = stream.topic.name, stream.landing.group
    return (
        Right("produce", "TOPIC", topic, ("WRITE", "DESCRIBE")),
        Right("landing", "TOPIC", topic, ("READ", "DESCRIBE")),
        Right("landing", "GROUP", group, ("READ", "DESCRIBE")),
        Right("reconcile", "TOPIC", topic, ("READ", "DESCRIBE")),
        Right("reconcile", "GROUP", group, ("READ", "DESCRIBE")),
        Right("redrive", "TOPIC", topic, ("READ", "WRITE", "DESCRIBE")),
        Right("redrive", "GROUP", group, ("DESCRIBE",)),
        Right("redrive", "TRANSACTIONAL_ID", f"ticklake-redrive-{stream.table.name}", ("WRITE", "DESCRIBE")),
        Right("health", "TOPIC", topic, ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS")),
        Right("health", "GROUP", group, ("DESCRIBE",)),
    )


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives as long as this value."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str = "Ticklake throw-away CA") -> Authority:
        """One that nobody knows yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(subject, subject, key, timedelta(days=_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        """The certificate, for those who shall trust it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, hosts: Sequence[str], valid: timedelta = timedelta(days=_DAYS)) -> str:
        """Key, certificate and the authority's own as PEM.

        Args:
            name: the common name; Kafka's principal is ``User:CN=<name>``.
            hosts: names and addresses that it is good for.
            valid: from now; negative for one that has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        places = [x509.IPAddress(IPv4Address(h)) if h[0].isdigit() else x509.DNSName(h) for h in hosts]
        certificate = (
            _builder(_name(name), self.certificate.subject, key, valid)
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        shown = certificate.public_bytes(serialization.Encoding.PEM)
        return private.decode() + shown.decode() + self.pem


@dataclass(frozen=True)
class Security:
    """The folder of a secured cluster's certificates and passwords."""

    folder: Path

    def make(self, brokers: Sequence[str]) -> None:
        """Create all of it for brokers of these names: everything or nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)
        half = self.folder.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        authority = Authority.new()
        write_secret(half / "ca.pem", authority.pem)
        for broker in brokers:
            write_secret(half / f"{broker}.pem", authority.issue(broker, ["127.0.0.1", "localhost"]))
        passwords = {user: secrets.token_urlsafe(24) for user in _USERS}
        write_secret(half / "passwords.json", json.dumps(passwords))
        # For Kafka's format tool, one argument a line: on its command line everybody could read them.
        users = "".join(f"--add-scram\n{MECHANISM}=[name={user},password={passwords[user]}]\n" for user in _USERS)
        write_secret(half / "users.arguments", users)
        half.rename(self.folder)

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    def passwords(self) -> dict[str, str]:
        """Every user's."""
        try:
            known: dict[str, str] = json.loads((self.folder / "passwords.json").read_text())
        except (OSError, ValueError) as e:
            raise SettingsError(
                f"The passwords of this stack's Kafka cannot be read from {self.folder}: {e}.",
                "Start over: ./ticklake down --wipe",
            ) from e
        return known

    def client(self, user: str) -> dict[str, str]:
        """librdkafka's settings for one user, without the brokers' addresses."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": MECHANISM,
            "sasl.username": user,
            "sasl.password": self.passwords()[user],
            "ssl.ca.location": str(self.ca),
        }

    def tool_settings(self) -> Path:
        """The file that Kafka's own tools take as ``--command-config``: they come as admin."""
        file = self.folder / "admin.properties"
        settings = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": MECHANISM,
            "sasl.jaas.config": _login(ADMIN, self.passwords()[ADMIN]),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca,
        }
        write_secret(file, as_properties(settings))
        return file

    @property
    def users(self) -> Path:
        """The users as a file of arguments of Kafka's format tool."""
        return self.folder / "users.arguments"

    def broker(self, name: str, port: int, controller_port: int, brokers: Sequence[str]) -> dict[str, object]:
        """A broker's own settings. Clients and brokers come with a password over TLS, controllers with certificates."""
        scram = f"listener.name.{_LISTENER.lower()}.{MECHANISM.lower()}"
        return {
            "listeners": f"{_LISTENER}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "listener.security.protocol.map": f"{_LISTENER}:SASL_SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": _LISTENER,
            "sasl.enabled.mechanisms": MECHANISM,
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            f"{scram}.sasl.jaas.config": _login(ADMIN, self.passwords()[ADMIN]),
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / f"{name}.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": ";".join([f"User:{ADMIN}", *(f"User:CN={broker}" for broker in brokers)]),
        }


def grant(client: Mapping[str, Any], stream: Stream, seconds: float = 60) -> None:
    """Give each actor its rights; those that are there already are no error. Raises KafkaException."""
    from confluent_kafka.admin import (
        AclBinding,
        AclOperation,
        AclPermissionType,
        AdminClient,
        ResourcePatternType,
        ResourceType,
    )

    bindings = [
        AclBinding(
            ResourceType[right.kind],
            right.name,
            ResourcePatternType.LITERAL,
            f"User:{right.user}",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )
        for right in rights(stream)
        for operation in right.operations
    ]
    quiet: dict[str, Any] = {**client, "log_level": 0}
    admin = AdminClient(quiet)
    for done in admin.create_acls(bindings, request_timeout=seconds).values():
        done.result(seconds)


def as_properties(settings: Mapping[str, object]) -> str:
    """A file of Java's ``name=value`` lines."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _login(user: str, password: str) -> str:
    return f'{_SCRAM_LOGIN} required username="{user}" password="{password}";'


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    # A minute of grace, for clocks; one that has expired began before it ended.
    begins = min(now, now + valid) - timedelta(minutes=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(now + valid)
    )
