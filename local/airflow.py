"""Airflow's four processes on loopback, each a part of its own, with SQLite and the LocalExecutor.

Not `airflow standalone`: that holds one more process, hides which of them died, and leaves children when it is killed.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import httpx

from local.home import PROJECT
from local.kafka_security import ACTORS
from local.login import LoggedIn, Login, write_secret
from local.processes import Part, PartError, stop, telling_lines
from local.stack import AIRFLOW, Stack
from local.terminal import say
from ticklake.core.settings import AWS_CONNECTION, KAFKA_CONNECTION

_DAGS = PROJECT / "dags"


def environment(stack: Stack) -> dict[str, str]:
    """Everything that Airflow and the pipeline read from the environment."""
    # Ours are not for the pipeline: an unknown TICKLAKE_ name is an error there. Another Airflow's must not leak in.
    ours = ("TICKLAKE_", "_TICKLAKE_", "AIRFLOW_", "AWS_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours) and k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    passed_on = ("TICKLAKE_CSV", "TICKLAKE_STREAM", "TICKLAKE_SQL")
    env |= {name: str(Path(os.environ[name]).absolute()) for name in passed_on if os.environ.get(name)}
    if tasks := os.environ.get("TICKLAKE_LANDING_TASKS"):
        env["TICKLAKE_LANDING_TASKS"] = tasks
    env |= {
        "TICKLAKE_BUCKET": stack.bucket,
        "TICKLAKE_GLUE_DATABASE": stack.database,
        "TICKLAKE_CRAWLER": stack.crawler,
        "TICKLAKE_WORKGROUP": stack.workgroup,
        **_kafka_connections(stack),
        f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}": _aws_connection(stack),
        "AIRFLOW_HOME": str(_home(stack)),
        # The environment's own programs come first, wherever a task looks for one.
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    return env | {f"AIRFLOW__{name}": str(value) for name, value in _settings(stack).items()}


def prepare(stack: Stack) -> None:
    """Make or migrate the metadata database; raises PartError with what Airflow said."""
    from importlib.metadata import version

    done = _home(stack) / "migrated"
    if done.exists() and not _database(stack).exists():
        done.unlink()
    if done.exists() and done.read_text() == version("apache-airflow"):
        return
    _home(stack).mkdir(parents=True, exist_ok=True)
    if not done.exists():
        # A first migration that was interrupted: SQLite has no way back, and there is nothing in it to keep.
        _database(stack).unlink(missing_ok=True)
    log = stack.home.logs / "airflow-migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        code = subprocess.call(command, env=environment(stack), cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT)
    if code:
        raise PartError(f"`airflow db migrate` failed. From {log}:\n{telling_lines(log)}")
    done.write_text(version("apache-airflow"))


def login_of(stack: Stack) -> Login:
    """The login of this stack's Airflow."""
    return Login(_home(stack))


def require_login(stack: Stack, wanted: bool | None) -> None:
    """Turn the login on or off (None: leave it as it is), and stop the parts that run with it as it was."""
    login = login_of(stack)
    if wanted is None or wanted == login.on:
        return
    running = [part for name in AIRFLOW if (part := stack.parts.find(name)) and part.members()]
    if running:
        say("stopping Airflow, which starts again with the login " + ("on" if wanted else "off"))
        stop(running, grace=8)  # the API server would wait for browsers that look at it
    login.turn(wanted)
    if not wanted:
        say(f"the login is off: whoever reaches {stack.home.airflow_url} is admin")


def start(stack: Stack, **more: str) -> list[Part]:
    """Start those of the four that do not run, with more in their environment; does not wait."""
    env = environment(stack) | more
    return [stack.parts.start(name, command, env, PROJECT) for name, command in _commands().items()]


def _commands() -> dict[str, list[str]]:
    commands = {name: [sys.executable, "-m", "airflow", name.removeprefix("airflow-")] for name in AIRFLOW}
    # Their log servers would listen on all interfaces, whatever API__HOST says. Logs are read from the common folder.
    for name in ("airflow-scheduler", "airflow-triggerer"):
        commands[name].append("--skip-serve-logs")
    return commands


def wait(stack: Stack, parts: Iterable[Part], seconds: float = 300) -> None:
    """Return when all four report to be healthy; raises PartError naming the one that is not."""
    parts = list(parts)
    deadline = time.monotonic() + seconds
    while unhealthy := _unhealthy(stack):
        for part in parts:
            if not part.alive():
                raise part.dead()
        if time.monotonic() > deadline:
            part = next(p for p in parts if p.name in unhealthy)
            raise PartError(f"{part.name} is not healthy after {seconds:.0f} s. {part.end_of_log()}")
        time.sleep(0.5)


def run_cli(stack: Stack, arguments: Sequence[str]) -> NoReturn:
    """Go on as Airflow's command line in the stack's environment; raises PartError when there is no database yet."""
    if not (_home(stack) / "migrated").exists():
        raise PartError("This stack's Airflow has no database yet.", "Start the stack: ./ticklake up")
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], environment(stack))  # noqa: S606


class Api:
    """Airflow's REST API, as the admin."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.home.airflow_url}/api/v2"
        self._auth = LoggedIn(login_of(stack), stack.home.airflow_url)

    def start_dags(self, seconds: float = 300) -> list[str]:
        """Wait until every file of ``dags/`` is a known DAG, unpause them all; raises PartError on import errors."""
        wanted = {file.stem for file in _DAGS.glob("*.py")}
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
        """What the API server says of itself and the others."""
        return self._call("GET", "/monitor/health")

    def failed_tasks(self) -> list[str]:
        """The tasks of running DAG runs that failed or wait for another try: ``dag.task``."""
        states = {"state": ["failed", "up_for_retry"], "order_by": "-start_date", "limit": 20}
        found = self._call("GET", "/dags/~/dagRuns/~/taskInstances", params=states)["task_instances"]
        return sorted({f"{task['dag_id']}.{task['task_id']}" for task in found})

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


def _unhealthy(stack: Stack) -> set[str]:
    try:
        health = Api(stack).health()
    except PartError:
        return {"airflow-api-server"}
    kinds = ("scheduler", "triggerer", "dag_processor")
    bad = [kind for kind in kinds if (health.get(kind) or {}).get("status") != "healthy"]
    return {f"airflow-{kind.replace('_', '-')}" for kind in bad}


def _home(stack: Stack) -> Path:
    return stack.home.folder / "airflow"


def _database(stack: Stack) -> Path:
    return _home(stack) / "airflow.db"


def _settings(stack: Stack) -> dict[str, object]:
    home = _home(stack)
    api = stack.home.airflow_url
    return {
        "CORE__DAGS_FOLDER": _DAGS,
        "CORE__PLUGINS_FOLDER": PROJECT / "plugins",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "CORE__FERNET_KEY": "",  # connections come from the environment: there is nothing to encrypt
        **login_of(stack).settings,
        "CORE__PARALLELISM": 4,  # each worker costs memory; five DAGs seldom have more than four tasks at a time
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_database(stack)}",
        "API__HOST": "127.0.0.1",
        "API__PORT": stack.home.airflow_port,
        "API__BASE_URL": api,
        "API__SECRET_KEY": _secret(home / "secret_key"),
        "API_AUTH__JWT_SECRET": _secret(home / "jwt_secret"),
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        # Each look at the files costs seconds of CPU: twice a minute is Airflow's default, every five minutes ours.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 300,
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
    }


def _kafka_connections(stack: Stack) -> dict[str, str]:
    """One connection for all stages; where Kafka is secured each stage has its own, and so its own user."""
    if stack.security is None:
        return {f"AIRFLOW_CONN_{KAFKA_CONNECTION.upper()}": _kafka_connection(stack.kafka())}
    names = {actor: f"{KAFKA_CONNECTION}_{actor}" for actor in ACTORS}
    chosen = {f"TICKLAKE_KAFKA_{actor.upper()}": name for actor, name in names.items()}
    return chosen | {
        f"AIRFLOW_CONN_{name.upper()}": _kafka_connection(stack.kafka(actor)) for actor, name in names.items()
    }


def _kafka_connection(settings: Mapping[str, object]) -> str:
    return json.dumps({"conn_type": "kafka", "extra": {**settings, "group.id": "ticklake"}})


def _aws_connection(stack: Stack) -> str:
    extra = {"endpoint_url": stack.home.aws_endpoint, "region_name": "us-east-1"}
    return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})


def _secret(file: Path) -> str:
    """The secret in a file that only its owner reads; made at the first use."""
    if not file.exists():
        write_secret(file, secrets.token_urlsafe(32))
    return file.read_text()
