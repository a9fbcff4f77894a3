"""The table of docs/reliability.md is what the harness measured, not what somebody wrote."""

import json
from pathlib import Path

from benchmarks.faults import markdown

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_in_the_docs_is_made_from_the_kept_run() -> None:
    document = json.loads((ROOT / "benchmarks" / "results" / "faults.json").read_text())
    assert markdown(document) in (ROOT / "docs" / "reliability.md").read_text()
