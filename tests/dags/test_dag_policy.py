"""Rules for every DAG file, over one parse of them in a process of its own, as Airflow's dag-processor has."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / "dags").glob("*.py"))
DAGS = [
    "broker_health", "catalog_to_counts", "csv_to_kafka", "kafka_to_s3", "reconcile", "rejected_to_kafka", "reland",
    "s3_to_catalog",
]  # fmt: skip
HEAVY = ["pandas", "boto3", "confluent_kafka"]

PARSE = """
import json, socket, sys

def refuse(*_, **__):
    raise AssertionError("a DAG file reached for the network while it was parsed")

import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.param import process_params

def said_of(dag, name, value):
    # What Airflow's worker says of a run whose configuration has this value.
    given = {n: "2026-11-22T10" for n in ("from", "to") if n in dag.params}
    try:
        process_params(dag, dag.tasks[0], {**given, name: value}, suppress_exception=False)
    except Exception as e:
        return str(e)

socket.socket.connect = refuse
before = set(sys.modules)
found = {}
for file in sys.argv[1:]:
    bag = DagBag(dag_folder=file)
    assert not bag.import_errors, bag.import_errors
    for dag in bag.dags.values():
        found.setdefault(file, []).append({
            "dag_id": dag.dag_id,
            "doc": dag.doc_md or "",
            "tags": sorted(dag.tags),
            "catchup": dag.catchup,
            "tasks": [{"id": t.task_id, "owner": t.owner, "retries": t.retries} for t in dag.tasks],
            "params": {n: {"title": p.schema.get("title"), "description": p.description or p.schema.get("description")}
                       for n, p in ((n, dag.params.get_param(n)) for n in dag.params)},
            "refused": {n: [said_of(dag, n, wrong) for wrong in (["x"], "yesterday" if n in ("from", "to") else ["x"])]
                        for n in dag.params},
            "heavy": [m for m in HEAVY if m in sys.modules and m not in before],
        })
print("\\n" + json.dumps(found))
""".replace("HEAVY", repr(HEAVY))


TASKS = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
print("\\n" + " ".join(sorted(f"{t.task_id}{'[]' if t.is_mapped else ''}" for t in bag.dags["kafka_to_s3"].tasks)))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An empty Airflow of the test's own, which knows no bucket and no connection."""
    folder = tmp_path_factory.mktemp("airflow")
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(PROJECT / "plugins"),
    }


@pytest.fixture(scope="module")
def parsed(home: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each DAG file holds, by file name."""
    command = [sys.executable, "-c", PARSE, *map(str, FILES)]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {Path(file).stem: only(dags) for file, dags in found.items()}


def only(dags: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(dags) == 1, f"one DAG a file: {[d['dag_id'] for d in dags]}"
    return dags[0]


def test_every_file_is_parsed_without_errors_and_without_network(parsed: dict[str, dict[str, Any]]) -> None:
    assert sorted(parsed) == DAGS


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_is_named_as_its_file_so_that_it_can_be_found(parsed: dict[str, dict[str, Any]], name: str) -> None:
    assert parsed[name]["dag_id"] == name


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_explains_itself_in_the_ui(parsed: dict[str, dict[str, Any]], name: str) -> None:
    dag = parsed[name]
    assert len(dag["doc"]) > 200, f"{name}: its docstring is shown as doc_md; say what it does"
    assert "ticklake" in dag["tags"], f"{name}: tag it ticklake"
    for param, words in dag["params"].items():
        assert words["title"], f"{name}: Param {param} needs a title"
        assert words["description"], f"{name}: Param {param} needs a description"


@pytest.mark.parametrize("name", DAGS)
def test_a_param_of_the_wrong_kind_is_refused_before_the_task_begins_and_named(
    parsed: dict[str, dict[str, Any]], name: str
) -> None:
    for param, said in parsed[name]["refused"].items():
        for words in said:
            assert words, f"{name}: Param {param} takes anything; give it a type, and a pattern if it is a text"
            assert param in words, f"{name}: {words}"


@pytest.mark.parametrize("name", DAGS)
def test_every_task_has_an_owner_and_is_tried_again(parsed: dict[str, dict[str, Any]], name: str) -> None:
    assert parsed[name]["catchup"] is False, f"{name}: runs heal what was missed, catchup would do it twice"
    for task in parsed[name]["tasks"]:
        assert task["owner"] == "ticklake", f"{name}.{task['id']}: owner"
        assert task["retries"] >= 1, f"{name}.{task['id']}: retries"


@pytest.mark.parametrize("name", DAGS)
def test_parsing_imports_nothing_heavy(parsed: dict[str, dict[str, Any]], name: str) -> None:
    # Its sensor and operator are the provider's, and those import boto3 where they are defined.
    unavoidable = ["boto3"] if name == "s3_to_catalog" else []
    assert [m for m in parsed[name]["heavy"] if m not in unavoidable] == [], f"{name}: import these inside the task"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_dag_file_is_a_table_of_contents(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 60, f"{file.name}: move what it does to plugins/ticklake"


@pytest.mark.parametrize(("wanted", "tasks"), [("1", "land"), ("3", "prepare seal write[]")])
def test_a_minute_is_landed_by_as_many_tasks_as_the_environment_says(
    home: dict[str, str], wanted: str, tasks: str
) -> None:
    env = {**home, "TICKLAKE_LANDING_TASKS": wanted}
    command = [sys.executable, "-c", TASKS, str(PROJECT / "dags" / "kafka_to_s3.py")]
    said = subprocess.run(command, env=env, cwd=home["AIRFLOW_HOME"], check=True, capture_output=True, text=True)
    assert said.stdout.splitlines()[-1] == tasks
