"""docs/architecture.md shows the tree as it is: a room that comes, goes or moves is drawn, or this fails."""

import re
from pathlib import Path

import pytest

from local.home import PROJECT

PAGE = (PROJECT / "docs" / "architecture.md").read_text()
DRAWING = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
PACKAGES = PROJECT / "plugins" / "ticklake"


def drawn() -> set[str]:
    """Each folder that a box of the drawing names."""
    assert DRAWING
    return set(re.findall(r'\["?((?:[\w-]+/)+)', DRAWING[1]))


def there() -> set[str]:
    """The folders of code, as the drawing names them: below plugins/ticklake without that prefix."""
    inside = {f"{file.parent.relative_to(PACKAGES)}/" for file in PACKAGES.glob("*/**/__init__.py")}
    beside = {f"{file.parent.relative_to(PROJECT)}/" for file in (PROJECT / "local").rglob("__init__.py")}
    return inside | beside | {"dags/", "plugins/ticklake/", "include/", "tests/", "benchmarks/"}


def test_the_drawing_has_each_room_and_no_other() -> None:
    assert drawn() == there()


@pytest.mark.parametrize("file", sorted(PACKAGES.rglob("__init__.py")), ids=lambda f: str(f.parent.name))
def test_each_package_says_what_belongs_in_it(file: Path) -> None:
    first = file.read_text().partition("\n")[0]
    assert first.startswith('"""'), file
    assert len(first) > 40, f"{file}: {first}"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[\w-]+/)+[\w-]+\.\w+|\w+\.py)`", PAGE))))
def test_each_file_of_the_page_is_there(path: str) -> None:
    folders = (PACKAGES, PROJECT, PACKAGES / "stages" / "kafka_to_s3")
    assert any((folder / path).exists() for folder in folders), path
