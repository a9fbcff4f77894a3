"""Files of a test's own, read as tables."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ticklake.core.errors import InputError
from ticklake.core.sample.table import CsvTable, read_table


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes lines, each ending in ``end``, to a file in this encoding."""

    def write(*lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
        path = tmp_path / "any.csv"
        path.write_bytes("".join(line + end for line in lines).encode(encoding))
        return path

    return write


@pytest.fixture
def table(written: Callable[..., Path]) -> Callable[..., CsvTable]:
    def read(*lines: str, **how: str) -> CsvTable:
        found = read_table(written(*lines, **how))
        assert found is not None
        return found

    return read


@pytest.fixture
def refusal(written: Callable[..., Path]) -> Callable[..., str]:
    """What reading these lines is refused with, without the file's path."""

    def read(*lines: str, **how: str) -> str:
        path = written(*lines, **how)
        with pytest.raises(InputError) as error:
            read_table(path)
        return str(error.value).replace(str(path), "FILE")

    return read
