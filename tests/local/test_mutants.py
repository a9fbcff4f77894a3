"""`./ticklake test mutants`: which modules, and what counts as noticed. What mutmut does is its own affair."""

import tomllib
from pathlib import Path

import pytest

from local import mutants
from local.home import PROJECT
from ticklake.core.errors import SettingsError


@pytest.mark.parametrize("module", mutants._MODULES)
def test_each_module_that_decides_content_is_there_with_its_tests(module: str) -> None:
    assert mutants._known(module) == module
    wanted = (f"test_{Path(module).name}.py", *mutants._MODULES[module])
    assert {Path(file).name for file in mutants._tests(module)} == set(wanted)


@pytest.mark.parametrize(
    "name", ["landing/origin", "landing/origin.py", "core/landing/origin.py", "plugins/ticklake/core/landing/origin.py"]
)
def test_a_module_may_be_given_by_its_name_or_as_a_file(name: str) -> None:
    assert mutants._known(name) == "landing/origin"


def test_a_module_that_is_not_there_is_told_with_those_that_decide_content() -> None:
    with pytest.raises(
        SettingsError,
        match=r"There is no module core/kyes\. Those that decide content: landing/offset_ranges, landing/object_key, ",
    ):
        mutants._known("kyes")


def test_a_module_without_tests_is_told() -> None:
    with pytest.raises(SettingsError, match=r"core/visible has no test_visible\.py under tests/core/"):
        mutants._tests("visible")


def test_what_no_test_noticed_or_ran_is_alive_and_a_mutant_that_never_ends_is_noticed() -> None:
    codes = {"a": 1, "b": 3, "c": 0, "d": 33, "e": None, "f": 36, "g": -24, "h": 1}
    score = mutants._read("keys", codes, 5.0)
    assert score.alive == ("c", "d", "e")
    assert (score.killed, score.timeouts, score.mutants) == (3, 2, 8)
    assert score.percent == 62.5
    assert mutants._table([score]).splitlines()[-1].split() == ["core/keys", "8", "3", "2", "3", "62.5", "%", "5"]


def test_the_copy_holds_the_module_its_tests_and_nothing_that_fetches(tmp_path: Path) -> None:
    mutants._prepare(tmp_path, "landing/object_key")
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert settings["only_mutate"] == ["ticklake/core/landing/object_key.py"]
    assert settings["pytest_add_cli_args_test_selection"] == ["tests/core/landing/test_object_key.py"]
    kept = (tmp_path / "ticklake" / "core" / "landing" / "object_key.py").read_text()
    assert kept == (PROJECT / "plugins" / "ticklake" / "core" / "landing" / "object_key.py").read_text()
    assert [file.name for file in (tmp_path / "tests" / "core" / "landing").iterdir()] == ["test_object_key.py"]
    assert "kafka" not in (tmp_path / "tests" / "conftest.py").read_text()
