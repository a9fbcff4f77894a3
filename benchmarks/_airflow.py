"""The REST API of a stack's Airflow, with its login where it has one (`./ticklake up --login`)."""

from __future__ import annotations

import httpx

from local.airflow_api import login_of
from local.login import LoggedIn
from local.stack import Stack


def api(stack: Stack) -> httpx.Client:
    """A client of ``/api/v2``; paths are relative to it."""
    url = stack.home.airflow_url
    auth = LoggedIn(login_of(stack), url)
    return httpx.Client(base_url=f"{url}/api/v2", auth=auth, timeout=120, trust_env=False)
