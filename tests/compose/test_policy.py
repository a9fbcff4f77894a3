"""Rules of `docker-compose.airflow.yml` that need no Docker. Its form is checked against the specification's schema before."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.home import PROJECT
from local.kafka import Broker, Cluster
from tests.compose.compose_file import FILE, generated_env, load, read_env, variables
from tests.support.airflow_settings import airflow_settings
from ticklake.core.settings.environment import Settings

ENV = generated_env()
COMPOSE = load(ENV)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_TIME = {name for name, service in SERVICES.items() if service["restart"] == "no"}
EACH = pytest.mark.parametrize("name", SERVICES)


@EACH
def test_a_service_has_a_health_check_or_ends_and_is_waited_for(name: str) -> None:
    waits = [wanted.get(name, {}).get("condition") for wanted in (s.get("depends_on", {}) for s in SERVICES.values())]
    if name in ONE_TIME:
        # `up --wait` fails on a container that has ended, unless somebody waits for just that.
        assert "service_completed_successfully" in waits
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert set(filter(None, waits)) <= {"service_healthy"}


@EACH
def test_nothing_starts_before_what_it_needs_is_healthy(name: str) -> None:
    conditions = {wanted["condition"] for wanted in SERVICES[name].get("depends_on", {}).values()}
    assert "service_started" not in conditions
    if name.startswith("airflow"):
        assert conditions, f"{name} waits for nothing, not even the database"


@EACH
def test_what_is_left_out_with_a_profile_is_missed_by_nobody(name: str) -> None:
    mine = set(SERVICES[name].get("profiles", ()))
    for needed, wanted in SERVICES[name].get("depends_on", {}).items():
        profiles = set(SERVICES[needed].get("profiles", ()))
        assert profiles <= mine or wanted.get("required") is False, f"{name} needs {needed}, which may not be there"


@EACH
def test_an_image_is_one_version_and_never_latest(name: str) -> None:
    image = SERVICES[name]["image"]
    _, _, tag = image.partition(":")
    assert re.match(r"\d+(\.\d+)*(-[a-z]+)?$", tag), f"{image} says no version"


@EACH
def test_a_port_is_open_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), f"{name} publishes {port}"
    assert "network_mode" not in SERVICES[name]


def test_ports_of_the_stack_without_docker_are_the_same_so_that_its_tools_fit() -> None:
    published = {p.split(":")[1] for s in SERVICES.values() for p in s.get("ports", ())}
    assert published == {"24080", "24066", "24092", "24094", "24096"}


@EACH
def test_a_service_runs_as_nobody_special(name: str) -> None:
    service = SERVICES[name]
    user = service["user"]
    assert user.split(":")[0] not in ("0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "pid", "ipc", "devices"}


@EACH
def test_memory_processors_and_processes_are_limited(name: str) -> None:
    assert SERVICES[name]["deploy"]["resources"]["limits"].keys() == {"memory", "cpus", "pids"}


@EACH
def test_data_lies_in_named_volumes_and_nothing_of_the_host_is_mounted(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, target = volume.partition(":")
        assert source in COMPOSE["volumes"], f"{name} mounts {source}"
        assert target.startswith("/")


def test_every_named_volume_is_used() -> None:
    used = {volume.partition(":")[0] for s in SERVICES.values() for volume in s.get("volumes", ())}
    assert used == COMPOSE["volumes"].keys()


def test_there_are_no_passwords_in_the_file_and_none_has_a_default() -> None:
    """Each is a variable without which Compose refuses to start: ``${NAME:?…}``."""
    required = re.compile(r"\$\{\w+:\?[^}]+\}")
    for name, service in yaml.safe_load(FILE.read_text())["services"].items():
        for key, value in service.get("environment", {}).items():
            if value is None:  # passed on from `.env`
                continue
            bare = required.sub("REQUIRED", value)
            if re.search("PASSWORD|SECRET|_KEY$|REDISCLI_AUTH", key):
                assert bare == "REQUIRED", f"{name}: {key} is written down"
            for word in re.findall(r"://[^/@]*:([^@]*)@", bare):
                assert word == "REQUIRED", f"{name}: {key} holds a password"


def test_env_example_names_every_variable_and_no_other() -> None:
    assert ENV.keys() == variables() | {"COMPOSE_FILE", "COMPOSE_PROFILES"}


def test_env_example_holds_no_secret_and_two_generated_envs_share_none() -> None:
    example = read_env((PROJECT / ".env.example").read_text())
    empty = {name for name, value in example.items() if not value}
    assert {n for n in example if re.search("PASSWORD|SECRET|_KEY", n)} <= empty
    first, second = generated_env(), generated_env()
    assert all(len(first[name]) >= 22 and first[name] != second[name] for name in empty)


def test_generated_secrets_have_the_form_that_their_readers_want() -> None:
    from base64 import urlsafe_b64decode

    from cryptography.fernet import Fernet

    for _ in range(50):
        env = generated_env()
        Fernet(env["AIRFLOW_FERNET_KEY"])
        assert len(urlsafe_b64decode(env["KAFKA_CLUSTER_ID"] + "==")) == 16
        assert not env["KAFKA_CLUSTER_ID"].startswith("-")
        assert re.fullmatch(r"[\w-]+", env["POSTGRES_PASSWORD"]), "it stands in a URL"


def test_airflow_knows_every_setting_that_it_is_given() -> None:
    given = {name for s in SERVICES.values() for name in s.get("environment", {}) if name.startswith("AIRFLOW__")}
    assert len(given) > 10
    assert given <= airflow_settings()


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "TICKLAKE_BUCKET" in s.get("environment", {})])
def test_the_pipeline_knows_every_setting_and_connection_that_it_is_given(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert Settings.from_env(environment).bucket == "ticklake"
    connections = {n: json.loads(v) for n, v in environment.items() if n.startswith("AIRFLOW_CONN_")}
    assert connections.keys() <= {"AIRFLOW_CONN_TICKLAKE_KAFKA", "AIRFLOW_CONN_TICKLAKE_AWS"}
    assert "AIRFLOW_CONN_TICKLAKE_AWS" in connections
    assert all(connection["conn_type"] in n.lower() for n, connection in connections.items())


def test_the_brokers_are_set_as_those_of_the_stack_without_docker() -> None:
    cluster = Cluster(Path(), tuple(Broker(n, 0, 0) for n in (1, 2, 3)), "")
    wanted = dict(line.split("=", 1) for line in cluster._properties(cluster.brokers[0]).splitlines())
    addresses = ("listener", "node.id", "log.dirs", "quorum.voters", "quorum.bootstrap")
    for broker in ("kafka-1", "kafka-2", "kafka-3"):
        environment = SERVICES[broker]["environment"]
        given = {n.removeprefix("KAFKA_").lower().replace("_", "."): v for n, v in environment.items()}
        for name, value in wanted.items():
            if not any(word in name for word in addresses):
                assert given.get(name) == value, f"{broker}: {name}"


def test_copies_survive_one_broker() -> None:
    for broker in ("kafka-1", "kafka-2", "kafka-3"):
        environment = SERVICES[broker]["environment"]
        assert (environment["KAFKA_DEFAULT_REPLICATION_FACTOR"], environment["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")


def test_each_image_is_built_by_one_service_from_base_images_of_one_version() -> None:
    builds = [s["build"] for s in SERVICES.values() if "build" in s]
    files = sorted(build.get("dockerfile", "Dockerfile") for build in builds)
    assert files == ["Dockerfile", "local/aws/Dockerfile"]
    for file in files:
        text = (PROJECT / file).read_text()
        assert re.findall(r"^FROM \S+:(\d+\.\d+\S*)$", text, re.M), f"{file}: FROM says no version"
        assert "--require-hashes" in text
        for install in re.findall(r"pip (?:install|sync)[^&]*", text):
            assert "--require-hashes" in install, f"{file}: {install}"


def test_the_image_has_the_versions_that_the_tests_run_on() -> None:
    def versions(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._-]+==\S+", (PROJECT / "locks" / lock).read_text(), re.M))

    assert versions("airflow.txt") <= versions("docker.txt")


def test_no_env_gets_into_an_image_or_the_repository() -> None:
    assert (PROJECT / ".dockerignore").read_text().split("\n")[1] == "*"
    assert "!.env" not in (PROJECT / ".dockerignore").read_text()
    assert ".env" in (PROJECT / ".gitignore").read_text().splitlines()


def test_the_documentation_names_every_service_and_its_memory() -> None:
    lines = (PROJECT / "docs" / "docker.md").read_text().splitlines()
    rows = [row for row in (line.split("|")[1:-1] for line in lines) if len(row) == 5]
    named = {name: row for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row[0]) if name != "celery"}
    assert named.keys() == SERVICES.keys()
    for name, row in named.items():
        limit = SERVICES[name]["deploy"]["resources"]["limits"]["memory"]
        said, unit = re.findall(r"([\d.]+) (GB|MB)", row[4])[0]
        megabytes = float(said) * (1024 if unit == "GB" else 1)
        assert limit in (f"{megabytes:.0f}m", f"{megabytes / 1024:.0f}g"), name
