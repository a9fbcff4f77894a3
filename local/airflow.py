"""Airflow's four processes on loopback, each a part of its own, with SQLite and the LocalExecutor.

Not `airflow standalone`: that holds one more process, hides which of them died, and leaves children when it is killed.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

from local.airflow_api import DAGS, Api, home_of, login_of
from local.home import PROJECT
from local.housekeeper import OURS
from local.login import write_secret
from local.processes import Part, PartError, stop, telling_lines
from local.stack import AIRFLOW, HOUSEKEEPER, Stack
from local.terminal import say
from ticklake.core.errors import SettingsError
from ticklake.core.settings.environment import AWS_CONNECTION, KAFKA_ACTORS, KAFKA_CONNECTION

_SCHEDULER, _API_SERVER = "airflow-scheduler", "airflow-api-server"
_FILES = ("TICKLAKE_CSV", "TICKLAKE_STREAM", "TICKLAKE_SQL")
_SETTINGS = ("TICKLAKE_CSV_KEY", "TICKLAKE_LANDING_TASKS", "TICKLAKE_KEEP_DAYS")
_PRODUCED = ("TICKLAKE_CSV", "TICKLAKE_CSV_KEY")
_INCREMENTAL = 2  # of SQLite's auto_vacuum
_LOCK_SECONDS = 120
_NO_GRAPHVIZ = "ignore:Could not import graphviz:UserWarning"


def environment(stack: Stack) -> dict[str, str]:
    """Everything that Airflow and the pipeline read from the environment."""
    # Ours are not for the pipeline: an unknown TICKLAKE_ name is an error there. Another Airflow's must not leak in.
    ours = ("TICKLAKE_", "_TICKLAKE_", "AIRFLOW_", "AWS_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours) and k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= _passed_on()
    env |= {
        "TICKLAKE_BUCKET": stack.bucket,
        "TICKLAKE_GLUE_DATABASE": stack.database,
        "TICKLAKE_CRAWLER": stack.crawler,
        "TICKLAKE_WORKGROUP": stack.workgroup,
        **_kafka_connections(stack),
        f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}": _aws_connection(stack),
        "AIRFLOW_HOME": str(home_of(stack)),
        # Said by each call of Airflow's command line; only `airflow dags show` needs it, and says so itself.
        "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), _NO_GRAPHVIZ])),
        # The environment's own programs come first, wherever a task looks for one.
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    return env | {f"AIRFLOW__{name}": str(value) for name, value in _settings(stack).items()}


def _passed_on() -> dict[str, str]:
    """What a person may set for the pipeline; files by their whole path, since Airflow runs elsewhere."""
    given = {name: os.environ[name] for name in (*_FILES, *_SETTINGS) if os.environ.get(name)}
    return {name: str(Path(value).absolute()) if name in _FILES else value for name, value in given.items()}


def require_settings(stack: Stack) -> bool:
    """Stop an Airflow that runs with another file to produce than the one asked for, so that it starts with that one.

    Nothing asked for: it is left as it is. Returns whether it reads another file from now on.

    Raises: SettingsError, when a file that was asked for is not there.
    """
    for name in _FILES:
        if (value := _passed_on().get(name)) and not Path(value).exists():
            raise SettingsError(f"{name}: there is no {value}.")
    running = [part for name in AIRFLOW if (part := stack.parts.find(name)) and part.members()]
    wanted = _passed_on()
    if not running or not set(wanted) & set(_PRODUCED):
        return False
    now = json.loads(_record(stack).read_text()) if _record(stack).exists() else {}
    changed = [name for name in _PRODUCED if now.get(name) != wanted.get(name)]
    if not changed:
        return False
    told = ", ".join(f"{name}={wanted[name]}" if name in wanted else f"no {name}" for name in changed)
    say(f"stopping Airflow, which starts again with {told}")
    stop(running, grace=8)
    return True


def prepare(stack: Stack) -> None:
    """Make or migrate the metadata database; raises PartError with what Airflow said."""
    from importlib.metadata import version

    done = home_of(stack) / "migrated"
    if done.exists() and not _database(stack).exists():
        done.unlink()
    if done.exists() and done.read_text() == version("apache-airflow"):
        _let_it_shrink(stack)
        return
    home_of(stack).mkdir(parents=True, exist_ok=True)
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
    _let_it_shrink(stack)


def _let_it_shrink(stack: Stack) -> None:
    """Have the database give the space of removed rows back in steps (auto_vacuum=INCREMENTAL).

    SQLite writes the whole file again for it: once, while the database is new or no Airflow uses it.
    """
    if any(stack.alive(name) for name in AIRFLOW):
        return
    # A database that cannot be used is for Airflow to complain of: it says what is wrong with it.
    with suppress(sqlite3.Error), closing(sqlite3.connect(_database(stack))) as connection:
        if connection.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")


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
    """Start those of the four that do not run, with more in their environment; does not wait until they are healthy."""
    env = environment(stack) | more
    if not stack.alive(_SCHEDULER):
        if _record(stack).exists() and not stack.alive(_API_SERVER):
            # Tasks that were cut off begin again with the scheduler, and each would lose a try without an API to talk to.
            _wait_for_api(stack, stack.parts.start(_API_SERVER, _commands()[_API_SERVER], env, PROJECT))
        _record(stack).write_text(json.dumps({name: env[name] for name in _PRODUCED if name in env}))
    return [stack.parts.start(name, command, env, PROJECT) for name, command in _commands().items()]


def _wait_for_api(stack: Stack, part: Part, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while _API_SERVER in _unhealthy(stack):
        if not part.alive():
            raise part.dead()
        if time.monotonic() > deadline:
            raise PartError(f"{part.name} does not answer after {seconds:.0f} s. {part.end_of_log()}")
        time.sleep(0.5)


def start_housekeeper(stack: Stack) -> Part:
    """Start what keeps the stack small, unless it runs; it needs Airflow's environment, but not Airflow running."""
    home = (str(stack.home.folder), str(stack.home.tools), str(stack.home.port_base))
    env = environment(stack) | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"} | dict(zip(OURS, home, strict=True))
    return stack.parts.start(HOUSEKEEPER, [sys.executable, "-P", "-m", "local.housekeeper"], env, PROJECT)


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
    if not (home_of(stack) / "migrated").exists():
        raise PartError("This stack's Airflow has no database yet.", "Start the stack: ./ticklake up")
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], environment(stack))  # noqa: S606


def _unhealthy(stack: Stack) -> set[str]:
    try:
        health = Api(stack).health()
    except PartError:
        return {_API_SERVER}
    kinds = ("scheduler", "triggerer", "dag_processor")
    bad = [kind for kind in kinds if (health.get(kind) or {}).get("status") != "healthy"]
    return {f"airflow-{kind.replace('_', '-')}" for kind in bad}


def _record(stack: Stack) -> Path:
    """Which file the scheduler was started with."""
    return home_of(stack) / "produced.json"


def _database(stack: Stack) -> Path:
    return home_of(stack) / "airflow.db"


def _settings(stack: Stack) -> dict[str, object]:
    home = home_of(stack)
    api = stack.home.airflow_url
    return {
        "CORE__DAGS_FOLDER": DAGS,
        "CORE__PLUGINS_FOLDER": PROJECT / "plugins",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "CORE__FERNET_KEY": "",  # connections come from the environment: there is nothing to encrypt
        **login_of(stack).settings,
        "CORE__PARALLELISM": 4,  # each worker costs memory; five DAGs seldom have more than four tasks at a time
        # A scheduler that waited in vain for SQLite's only writer ends: on a busy machine the driver's 5 s are too few.
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_database(stack)}?timeout={_LOCK_SECONDS}",
        # A task whose worker was killed with everything else keeps its run, and so its DAG, waiting: five minutes by default.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 90,
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
    names = {actor: f"{KAFKA_CONNECTION}_{actor}" for actor in KAFKA_ACTORS}
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
