"""`./ticklake bundle` as Amazon MWAA takes it: unpacked into an empty Airflow, every DAG is imported and finds its files.

With ``TICKLAKE_MWAA_PYTHON`` (`./ticklake test mwaa`) under the versions that MWAA's image pins, else under ours.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.bundle import make_bundle
from local.home import PROJECT
from ticklake.core.errors import InputError

PYTHON = os.environ.get("TICKLAKE_MWAA_PYTHON", sys.executable)
LOOK = """
import json, sys
from importlib.metadata import version
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
from airflow import plugins_manager

bag = DagBag(dag_folder=sys.argv[1])
from ticklake.core.settings.environment import Settings
from ticklake.core.settings.stream import Stream
from ticklake.stages.catalog_to_counts import queries
import importlib, pkgutil, ticklake

modules = [m.name for m in pkgutil.walk_packages(ticklake.__path__, "ticklake.")]
for name in modules:
    importlib.import_module(name)
plugins_manager.ensure_plugins_loaded() if hasattr(plugins_manager, "ensure_plugins_loaded") else None
settings = Settings.from_env()
print("\\n" + json.dumps({
    "dags": sorted(bag.dags),
    "errors": bag.import_errors,
    "plugin_errors": getattr(plugins_manager, "import_errors", {}),
    "modules": modules,
    "from": str(Path(ticklake.__file__).parent),
    "table": Stream.from_toml(settings.stream).table.name,
    "queries": sorted(queries(settings.sql / "counts")),
    "csv": settings.csv.is_file(),
    "bucket": settings.bucket,
    "versions": {n: version(n) for n in
                 ("boto3", "confluent-kafka", "pandas", "apache-airflow-providers-amazon",
                  "apache-airflow-providers-apache-kafka")},
}))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    environment = folder / "mwaa.env"
    environment.write_text("# names\nTICKLAKE_BUCKET='lake'\nAIRFLOW_CONN_X='{\"conn_type\": \"aws\"}'\n")
    make_bundle(folder, environment)
    return folder


def test_the_same_bytes_come_out_each_time(bundle: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path, bundle / "mwaa.env")
    os.utime(PROJECT / "plugins" / "ticklake" / "__init__.py")
    make_bundle(tmp_path, bundle / "mwaa.env")  # over an earlier one
    names = [f.relative_to(tmp_path) for f in sorted(tmp_path.rglob("*")) if f.is_file()]
    assert Path("plugins.zip") in names
    assert [(tmp_path / n).read_bytes() for n in names] == [(bundle / n).read_bytes() for n in names]


def test_unpacked_into_an_empty_airflow_every_dag_is_imported_and_finds_its_files(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    with zipfile.ZipFile(bundle / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    (home / "dags").symlink_to(bundle / "dags")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TICKLAKE_", "PYTHON"))}
    env = {**clean, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "HOME": str(tmp_path)}
    # MWAA sources the script; the DAG processor then starts with what it exports.
    command = f'. {bundle / "startup.sh"} && exec "$0" -c "$1" {home / "dags"}'
    done = subprocess.run(
        ["sh", "-c", command, PYTHON, LOOK], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["errors"], found["plugin_errors"]) == ({}, {})
    assert found["dags"] == sorted(f.stem for f in (PROJECT / "dags").glob("*.py"))
    assert found["from"] == str(home / "plugins" / "ticklake")
    assert "ticklake.orchestration.kafka_to_s3" in found["modules"]
    assert (found["table"], found["csv"], found["bucket"]) == ("stock_ticks", True, "lake")
    assert {"rows", "distinct_offsets"} <= set(found["queries"])
    if "TICKLAKE_MWAA_PYTHON" in os.environ:
        locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (PROJECT / "locks" / "mwaa.txt").read_text(), re.MULTILINE))
        assert found["versions"] == {name: locked[name] for name in found["versions"]}


def test_the_zip_holds_sources_and_nothing_made_from_them(bundle: Path) -> None:
    with zipfile.ZipFile(bundle / "plugins.zip") as archive:
        names = archive.namelist()
    assert "ticklake/include/streams/stock_ticks.toml" in names
    assert ".airflowignore" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith("local")]


def test_the_requirements_are_what_the_images_versions_were_locked_with(bundle: Path) -> None:
    lines = (bundle / "requirements.txt").read_text().splitlines()
    assert lines[1].startswith("--constraint ")
    assert "apache-airflow-providers-amazon==9.34.0" in lines
    # A dependency of the pipeline's is in both locks, and here unless the image has it.
    wanted, pinned = (_names(PROJECT / "locks" / f) for f in ("airflow.in", "mwaa.in"))
    assert wanted == pinned
    of_image = {"apache-airflow", "boto3", "confluent-kafka", "msgspec", "pandas", "sqlalchemy"}
    assert {line.partition("==")[0] for line in lines[2:]} == wanted - of_image | {"aiobotocore"}
    assert [line for line in lines[2:] if not re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line)] == []


def _names(requirements: Path) -> set[str]:
    lines = [line for line in requirements.read_text().splitlines() if line and not line.startswith("#")]
    return {re.split(r"[\[=<>]", line)[0] for line in lines}


@pytest.mark.parametrize("line", ["TICKLAKE_BUCKET", "x y='1'", "A='1' '2'"])
def test_a_line_that_is_no_setting_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "env").write_text(f"A='1'\n{line}\n")
    with pytest.raises(InputError, match=r"env, line 2"):
        make_bundle(tmp_path / "out", tmp_path / "env")
    assert not (tmp_path / "out").exists()
