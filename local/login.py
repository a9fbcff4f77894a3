"""A login for Airflow's UI and API, by choice: `./ticklake up --login`. Without it whoever reaches 127.0.0.1 is admin.

There is one user, with a password of its own for each stack, in a file that only its owner reads. The file is the whole
state: as long as it is there, the login is on.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

USER = "admin"


@dataclass(frozen=True)
class Login:
    """The login of the Airflow whose home is ``folder``."""

    folder: Path

    @property
    def file(self) -> Path:
        """Names and passwords, in the form of Airflow's SimpleAuthManager: ``{"admin": "…"}``."""
        return self.folder / "login.json"

    @property
    def on(self) -> bool:
        """Whether one must log in."""
        return self.file.exists()

    def turn(self, on: bool) -> None:
        """Demand a login from the next start of Airflow on, with a new password; or no longer."""
        if on == self.on:
            return
        # Tokens of the time before are signed with it: they must not let anybody in.
        (self.folder / "jwt_secret").unlink(missing_ok=True)
        if on:
            write_secret(self.file, json.dumps({USER: secrets.token_urlsafe(18)}) + "\n")
        else:
            self.file.unlink()

    @property
    def settings(self) -> dict[str, object]:
        """Airflow's settings for it."""
        return {
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": not self.on,
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            # It would make passwords for users that are not in there, and print them.
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self.file,
        }

    def password(self) -> str:
        """The user's password."""
        return str(json.loads(self.file.read_text())[USER])


class LoggedIn(httpx.Auth):
    """Logs in when a request is refused, and sends the token from then on."""

    requires_response_body = True

    def __init__(self, login: Login, url: str) -> None:
        self._login = login
        self._url = url
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The requests that one request takes."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._login.on:
            credentials = {"username": USER, "password": self._login.password()}
            given = yield httpx.Request("POST", f"{self._url}/auth/token", json=credentials)
            if given.is_success:
                self._token = str(given.json()["access_token"])
                request.headers["Authorization"] = f"Bearer {self._token}"
                yield request


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
        f.write(text)
    half.replace(file)
