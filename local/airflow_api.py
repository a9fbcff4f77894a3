"""Airflow's REST API, as the launcher asks it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from local.home import PROJECT
from local.login import LoggedIn, Login
from local.processes import PartError
from local.stack import Stack
from local.task_failures import Attempt

DAGS = PROJECT / "dags"


def home_of(stack: Stack) -> Path:
    """AIRFLOW_HOME of this stack."""
    return stack.home.folder / "airflow"


def login_of(stack: Stack) -> Login:
    """The login of this stack's Airflow."""
    return Login(home_of(stack))


class Api:
    """Airflow's REST API, as the admin."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.home.airflow_url}/api/v2"
        self._logs = home_of(stack) / "logs"
        self._auth = LoggedIn(login_of(stack), stack.home.airflow_url)

    def start_dags(self, seconds: float = 120) -> list[str]:
        """Wait until every file of ``dags/`` is a known DAG, unpause them all; raises PartError on import errors."""
        wanted = {file.stem for file in DAGS.glob("*.py")}
        deadline = time.monotonic() + seconds
        while missing := wanted - self._dags():
            if errors := self._call("GET", "/importErrors")["import_errors"]:
                raise PartError(f"{errors[0]['filename']} cannot be imported:\n{errors[0]['stack_trace'].strip()}")
            if time.monotonic() > deadline:
                raise PartError(
                    f"Airflow does not know the DAG {min(missing)} after {seconds:.0f} s.",
                    "Its dag_id must be the name of its file; see ./ticklake airflow dags list-import-errors",
                )
            time.sleep(0.5)
        self._call("PATCH", "/dags", params={"dag_id_pattern": "~"}, json={"is_paused": False})
        return sorted(wanted)

    def health(self) -> dict[str, Any]:
        """What the API server reports about itself and the others."""
        return self._call("GET", "/monitor/health")

    def run(self, dag: str, key: str) -> None:
        """Start a run of a DAG for this partition key."""
        self._call("POST", f"/dags/{dag}/dagRuns", json={"logical_date": None, "partition_key": key})

    def failed_attempts(self, since: datetime) -> list[Attempt]:
        """Tasks that began since that moment and failed, for good or to be tried again, the earliest first."""
        asked = {
            "state": ["failed", "up_for_retry"],
            "end_date_gte": since.isoformat(),
            "order_by": "end_date",
            "limit": 100,
        }
        found = self._call("GET", "/dags/~/dagRuns/~/taskInstances", params=asked)["task_instances"]
        return [
            Attempt.of(task, self._logs)
            for task in found
            if task["start_date"] is None or datetime.fromisoformat(task["start_date"]) >= since
        ]

    def _dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self._call("GET", "/dags", params={"limit": 100})["dags"]}

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            with httpx.Client(auth=self._auth, timeout=30, trust_env=False) as client:
                answer = client.request(method, f"{self._url}{path}", **arguments).raise_for_status()
        except httpx.HTTPStatusError as e:
            raise PartError(f"Airflow answers {method} {path} with {e.response.status_code}: {e.response.text}") from e
        except httpx.HTTPError as e:
            raise PartError(f"Airflow's API at {self._url} does not answer ({e}).") from e
        return dict(answer.json())
