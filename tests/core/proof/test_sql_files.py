"""Whatever a person or a record says reaches Athena as an execution parameter, never as a part of the statement."""

import ast
import re
from pathlib import Path

import pytest

from ticklake.core.settings.environment import Settings

SQL = Settings.from_env({"TICKLAKE_BUCKET": "lake"}).sql
FILES = sorted(SQL.rglob("*.sql"))
PLUGINS = SQL.parents[1] / "plugins" / "ticklake"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_file_has_no_place_for_a_value_but_question_marks(file: Path) -> None:
    text = file.read_text()
    assert set(re.findall(r"\{[^}]*\}|%\([^)]*\)|%s|:\w+", text)) <= {"{table}", "{sealed}"}
    for column in re.findall(r"\b(dt|hr)\b\s*=\s*(\S+)", text):
        assert column[1] == "?", f"{file.name}: {column}"


def test_there_are_files() -> None:
    assert len(FILES) >= 6


def test_every_question_is_a_file_with_the_checked_table_put_in() -> None:
    """`row_counts.statement` takes a name of a table that needs no quoting, and nothing else is put into a statement."""
    asked = [
        ast.unparse(call.args[0])
        for file in PLUGINS.rglob("*.py")
        if file.name
        != "proof.py"  # the proof writes its own: the table's name is checked, all else is numbers and dates
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "Question"
    ]
    assert len(asked) >= 2
    assert [statement for statement in asked if not statement.startswith("row_counts.statement(")] == []


def test_nobody_else_starts_a_query() -> None:
    starters = [file.name for file in PLUGINS.rglob("*.py") if "start_query_execution" in file.read_text()]
    assert starters == ["athena.py"]
