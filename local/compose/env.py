"""`./ticklake compose env`: `.env` of `.env.example`, with secrets of its own. Only the standard library."""

from __future__ import annotations

import os
import re
import secrets
from base64 import urlsafe_b64encode

from local.home import PROJECT, Home
from ticklake.core.errors import SettingsError

EXAMPLE = PROJECT / ".env.example"
_ENV = PROJECT / ".env"
_EMPTY = re.compile(r"(\w+_(?:PASSWORD|SECRET|KEY|ID))=", re.ASCII)


def write(home: Home) -> int:
    """Write `.env`, readable by its owner only; raises SettingsError when there is one. Returns 0."""
    text = render(EXAMPLE.read_text(), home)
    try:
        file = os.open(_ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise SettingsError(
            f"{_ENV} is there: other secrets would not fit the volumes made with these.",
            "To start over: docker compose -f docker-compose.airflow.yml down --volumes, remove .env, repeat.",
        ) from e
    with os.fdopen(file, "w") as f:
        f.write(text)
    print("Wrote .env with new secrets. Next: docker compose -f docker-compose.airflow.yml up --wait")
    print("The login of the UI is admin with AIRFLOW_ADMIN_PASSWORD of .env.")
    return 0


def render(example: str, home: Home) -> str:
    """The example with every empty secret filled, and the ports that the stack without Docker would take."""
    ports = {
        "AIRFLOW_PORT": home.airflow_port,
        "AWS_PORT": home.aws_port,
        **{f"KAFKA_{node}_PORT": home.broker_port(node) for node in (1, 2, 3)},
    }
    return "\n".join(_line(line, ports) for line in example.split("\n"))


def _line(line: str, ports: dict[str, int]) -> str:
    name = line.partition("=")[0]
    if name in ports:
        return f"{name}={ports[name]}"
    return f"{line}{_random(name)}" if _EMPTY.fullmatch(line) else line


def _random(name: str) -> str:
    """A secret of 64 characters, safe in URLs. Kafka and Fernet prescribe the form of theirs: base64 of 16 and of 32 bytes."""
    if name == "KAFKA_CLUSTER_ID":
        # Kafka's tools would take a leading hyphen for an option.
        return "T" + urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]
    if name == "AIRFLOW_FERNET_KEY":
        return urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(48)
