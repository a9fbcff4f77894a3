"""The compose file for real, with each executor: built, up, healthy, counts rising, down. `./ticklake test compose`."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka.admin import AdminClient

from local import aws_stand_in
from local.compose.env import EXAMPLE, render
from local.home import PROJECT, Home
from local.lake import CountedTotal, SealedTotal, counted, sealed
from local.sql import answer
from local.stack import Stack
from local.status import offsets
from local.watch import counts_line, is_proven
from tests.compose.compose_file import FILE, load, read_env
from tests.support.ports import free_port_base
from tests.support.waiting import wait_for
from ticklake.clients.aws.s3 import Lake

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]
TABLE = "stock_ticks"
DAGS = {file.stem for file in (PROJECT / "dags").glob("*.py")}


@dataclass
class Run:
    """One project of Compose, with ports and secrets of its own."""

    executor: str
    env_file: Path
    stack: Stack
    project: str
    peak_mebibytes: float = field(default=0, init=False)

    @property
    def env(self) -> dict[str, str]:
        return read_env(self.env_file.read_text())

    def compose(self, *words: str, check: bool = True) -> str:
        command = ["docker", "compose", "-p", self.project, "-f", str(FILE), "--env-file", str(self.env_file), *words]
        # What the shell says would win over the file.
        env = {n: v for n, v in os.environ.items() if n not in self.env}
        done = subprocess.run(command, cwd=PROJECT, env=env, text=True, capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr + self._why()
        return done.stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        lines = self.compose("ps", "--all", "--format", "json", check=False).splitlines()
        return {container["Service"]: container for container in map(json.loads, lines)}

    def counts(self) -> tuple[SealedTotal, CountedTotal]:
        lake = Lake(aws_stand_in.client(self.stack, "s3"), self.stack.bucket)
        return sealed(lake, self.stack, TABLE), counted(lake, TABLE)

    def measure(self) -> None:
        """Remember the most memory that all containers together were seen to take, without caches of files."""
        ids = self.compose("ps", "--quiet").split()
        stats = ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *ids]
        used = [line.split("/")[0].strip() for line in subprocess.check_output(stats, text=True).splitlines()]
        factor = {"GiB": 1024, "MiB": 1, "KiB": 1 / 1024}
        total = sum(float(u[:-3]) * factor[u[-3:]] for u in used if u[-3:] in factor)
        self.peak_mebibytes = max(self.peak_mebibytes, total)

    def _why(self) -> str:
        bad = [name for name, c in self.containers().items() if c["ExitCode"] or c["Health"] not in ("", "healthy")]
        return "".join(f"\n{name}:\n{self.compose('logs', '--tail', '30', name, check=False)}" for name in bad)


@pytest.fixture(scope="module", params=["LocalExecutor", "CeleryExecutor"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The stack, up and healthy; afterwards nothing of it is left."""
    home = Home(folder := tmp_path_factory.mktemp("compose"), folder, free_port_base())
    text = render(EXAMPLE.read_text(), home)
    if request.param == "CeleryExecutor":
        text = text.replace("=stand-in\n", "=stand-in,celery\n").replace("=LocalExecutor\n", "=CeleryExecutor\n")
    env_file = folder / ".env"
    env_file.write_text(text)
    run = Run(request.param, env_file, Stack(home), f"ticklake-test-{os.getpid()}")
    try:
        run.compose("build")
        run.compose("up", "--wait")
        yield run
    finally:
        run.compose("down", "--volumes", "--timeout", "40")
    left = ["--all", "--filter", f"label=com.docker.compose.project={run.project}", "--quiet"]
    assert subprocess.check_output(["docker", "ps", *left], text=True) == ""
    assert subprocess.check_output(["docker", "volume", "ls", *left[1:]], text=True) == ""


def api(run: Run, path: str, token: str = "", **query: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{run.stack.home.airflow_url}{path}", headers=headers, params=query, timeout=60)


def log_in(run: Run, password: str) -> requests.Response:
    login = {"username": "admin", "password": password}
    return requests.post(f"{run.stack.home.airflow_url}/auth/token", json=login, timeout=60)


@pytest.fixture
def token(run: Run) -> str:
    answered = log_in(run, run.env["AIRFLOW_ADMIN_PASSWORD"])
    assert answered.status_code == 201
    return str(answered.json()["access_token"])


def test_the_three_lines_for_aws_leave_the_stand_in_out_and_nobody_misses_it(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path, 24000)
    names = ("COMPOSE_PROFILES=", "TICKLAKE_BUCKET=", "AIRFLOW_CONN_TICKLAKE_AWS=")
    lines = [line for line in render(EXAMPLE.read_text(), home).splitlines() if not line.startswith(names)]
    env_file = tmp_path / ".env"
    env_file.write_text("\n".join(line[1:] if line[1:].startswith(names) else line for line in lines))
    composed = json.loads(Run("", env_file, Stack(home), "x").compose("config", "--format", "json"))
    services = composed["services"]
    assert {"aws-stand-in", "aws-provision"}.isdisjoint(services)
    assert {"airflow-scheduler", "kafka-1"} <= services.keys()
    environment = services["airflow-scheduler"]["environment"]
    assert "endpoint_url" not in json.loads(environment["AIRFLOW_CONN_TICKLAKE_AWS"])["extra"]
    assert environment["TICKLAKE_BUCKET"] == "my-bucket"


def test_what_shall_run_is_healthy_and_what_shall_end_has_ended_well(run: Run) -> None:
    profiles = set(run.env["COMPOSE_PROFILES"].split(","))
    services = load(run.env)["services"]
    wanted = {name: s for name, s in services.items() if set(s.get("profiles", profiles)) & profiles}
    found = run.containers()
    assert found.keys() == wanted.keys()
    for name, service in wanted.items():
        state = (found[name]["State"], found[name]["Health"], found[name]["ExitCode"])
        assert state == (("exited", "", 0) if service["restart"] == "no" else ("running", "healthy", 0)), name


def test_counts_rise_by_themselves_and_athena_counts_what_was_sealed(run: Run) -> None:
    def proven() -> bool:
        run.measure()
        return is_proven(*run.counts())

    wait_for(proven, "two minutes proven", guard=420, pause=3)
    first = run.counts()
    print(counts_line(offsets(run.stack.kafka(), TABLE).records, *first))
    wait_for(lambda: run.counts()[1].records > first[1].records, "a larger count", pause=3)
    run.measure()
    landed, athena = run.counts()
    print(counts_line(offsets(run.stack.kafka(), TABLE).records, landed, athena))
    print(f"{run.executor}: at most {run.peak_mebibytes:.0f} MiB seen in all containers together")
    query = f"SELECT COUNT(*), COUNT(DISTINCT (kafka_partition, kafka_offset)) FROM {TABLE}"
    _, rows = answer(aws_stand_in.client(run.stack, "athena"), run.stack, query)
    every, distinct = (int(cell or 0) for cell in next(rows))
    assert every == distinct >= athena.records > 0


def test_every_record_has_three_copies(run: Run) -> None:
    topic = AdminClient({"bootstrap.servers": run.stack.bootstrap}).list_topics(TABLE, timeout=60).topics[TABLE]
    assert {len(partition.replicas) for partition in topic.partitions.values()} == {3}


def test_nobody_gets_in_without_the_password_of_the_env_file(run: Run, token: str) -> None:
    assert api(run, "/api/v2/dags").status_code == 401
    assert log_in(run, "admin").status_code == 401
    dags = api(run, "/api/v2/dags", token, limit=100).json()["dags"]
    assert {dag["dag_id"] for dag in dags if not dag["is_paused"]} == DAGS
    assert api(run, "/api/v2/importErrors", token).json()["import_errors"] == []


def test_tasks_run_where_the_executor_says_and_their_logs_are_read_from_the_common_volume(run: Run, token: str) -> None:
    where = run.containers()["airflow-worker" if run.executor == "CeleryExecutor" else "airflow-scheduler"]["ID"]
    done = api(
        run, "/api/v2/dags/kafka_to_s3/dagRuns/~/taskInstances", token, state="success", limit=5, order_by="-end_date"
    ).json()["task_instances"]
    assert done
    assert {task["hostname"] for task in done} == {where[:12]}
    task = done[0]
    path = f"/api/v2/dags/kafka_to_s3/dagRuns/{task['dag_run_id']}/taskInstances/land/logs/{task['try_number']}"
    lines = [str(line) for line in api(run, path, token).json()["content"]]
    assert any("Sealed" in line for line in lines), lines


def test_no_secret_stands_in_any_log(run: Run) -> None:
    tasks = run.compose(
        "exec", "-T", "airflow-scheduler", "bash", "-c", "find /opt/airflow/logs -type f -exec cat {} +"
    )
    assert "Sealed" in tasks
    logs = run.compose("logs", "--no-color") + tasks
    found = [n for n, value in run.env.items() if n.endswith(("PASSWORD", "KEY", "SECRET")) and value in logs]
    assert found == []


def test_nothing_listens_beyond_loopback(run: Run) -> None:
    ports = {str(port) for n, port in run.env.items() if n.endswith("_PORT")}
    lines = [line.split() for line in subprocess.check_output(["ss", "-Hltn"], text=True).splitlines()]
    listening = [local for _, _, _, local, *_ in lines if local.rpartition(":")[2] in ports]
    assert {address.rpartition(":")[2] for address in listening} == ports
    assert {address.rpartition(":")[0] for address in listening} == {"127.0.0.1"}
