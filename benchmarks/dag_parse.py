"""CPU time to parse each DAG file, above the bare import of airflow.sdk.

Each file in a process of its own, as Airflow's DAG processor does after its own start. The reference is the import alone; the
column `ms above` is what the file adds, imports of its own included.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks._common import ROOT, Contender, Report, Run, measured, parse

_CHILD = """
import json, runpy, sys, time
began = time.process_time()
import airflow.sdk
imported = time.process_time()
if len(sys.argv) > 1:
    runpy.run_path(sys.argv[1])
print(json.dumps([imported - began, time.process_time() - imported]))
"""


def parsed(home: str, file: Path | None) -> Callable[[], Run]:
    """A contender that parses the file; without one, only the import."""

    def run() -> Run:
        env = os.environ | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "TICKLAKE_BUCKET": "bench"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as on any machine on which Airflow runs
        _, text = measured([sys.executable, "-c", _CHILD, *([file] if file else [])], 1, env)
        imported, above = json.loads(text.splitlines()[-1])
        return Run(1, imported + above, imported + above, more={"ms_above": 1000 * above})

    return run


def main() -> None:
    """A row for each file."""
    options = parse(__doc__)
    report = Report("dag_parse", __doc__, options)
    with tempfile.TemporaryDirectory() as home:
        contenders: dict[str, Contender] = {"import airflow.sdk": parsed(home, None)}
        contenders |= {file.name: parsed(home, file) for file in sorted((ROOT / "dags").glob("*.py"))}
        report.compare("a DAG file", contenders, unit="files")
    report.finish()


if __name__ == "__main__":
    main()
