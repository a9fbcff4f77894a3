"""Every guard that `docs/security.md` claims names a test, and the test is there."""

import ast
import re

from local.home import PROJECT

ROWS = [
    line.strip("|").split(" | ")
    for line in (PROJECT / "docs" / "security.md").read_text().split("## IAM")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| who | what |")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_row_names_a_guard_and_a_test_that_is_there() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        _, what, guard, named = row
        tests = NAMED.findall(named)
        assert what, row
        assert guard, row
        assert tests, f"{what}: {named} names no test"
        for file, test in tests:
            tree = ast.parse((PROJECT / file).read_text())
            assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"
