"""The compose file as Compose reads it: YAML with its merges, and the variables put in from a `.env`."""

import re
from pathlib import Path
from typing import Any

import yaml

from local.compose.env import EXAMPLE, render
from local.home import PROJECT, Home

FILE = PROJECT / "docker-compose.airflow.yml"
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


def variables() -> set[str]:
    """Names of the variables that the file takes from `.env`."""
    return {match[1] for match in _VARIABLE.finditer(FILE.read_text())}


def read_env(text: str) -> dict[str, str]:
    """Names and values of a `.env` without escapes."""
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in lines}


def generated_env() -> dict[str, str]:
    """What `./ticklake compose env` would write."""
    return read_env(render(EXAMPLE.read_text(), Home(Path("/x"), Path("/x"), 24000)))


def load(env: dict[str, str]) -> dict[str, Any]:
    """The document with the variables of ``env`` put in; a missing one that must be there is a KeyError."""

    def put_in(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put_in(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [put_in(inner) for inner in value]
        return _VARIABLE.sub(one, value).replace("$$", "$") if isinstance(value, str) else value

    def one(match: re.Match[str]) -> str:
        name, sign, word = match.groups()
        return env.get(name) or word if sign == "-" else env[name]

    document: dict[str, Any] = put_in(yaml.safe_load(FILE.read_text()))
    for service in document["services"].values():
        given = service.get("environment", {})
        # Without a value a variable is passed on where `.env` has it, and else is not set at all.
        for name in [name for name, value in given.items() if value is None]:
            given.pop(name)
            if name in env:
                given[name] = env[name]
    return document
