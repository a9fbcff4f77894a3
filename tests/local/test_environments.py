"""Environments are remade when their lock changes or when they are half made, and only then."""

import subprocess
import sys
from pathlib import Path

import pytest

from local import environments
from local.environments import InstallError
from local.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A project with locks that need nothing, and `uv` replaced by what it does: making a folder with a Python."""
    locks = tmp_path / "project" / "locks"
    locks.mkdir(parents=True)
    for name in ("bootstrap.txt", "local.txt", "dev.txt", "aws.txt"):
        (locks / name).write_text("\n")
    monkeypatch.setattr(environments, "PROJECT", tmp_path / "project")
    home = Home(tmp_path / "home", tmp_path / "home" / "tools", 20000)
    uv = home.tools / "bootstrap" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(
        '#!/bin/sh\necho "$@" >> "$0.calls"\n'
        'if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; : > "$last/bin/python"; fi\n'
    )
    uv.chmod(0o755)
    (uv.parent / "python").touch()
    environments._mark(home, "bootstrap")
    return home


def calls(home: Home) -> list[str]:
    """The first words of what `uv` was asked since the last look."""
    file = home.tools / "bootstrap" / "bin" / "uv.calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [" ".join(line.split()[:2]).removesuffix(" --quiet") for line in lines]


def test_an_environment_is_made_once(home: Home) -> None:
    environments.prepare(home, ["venv"])
    assert calls(home) == ["venv", "pip sync"]
    environments.prepare(home, ["venv"])
    assert calls(home) == []


def test_a_changed_lock_updates_the_environment_in_place(home: Home) -> None:
    environments.prepare(home, ["venv"])
    calls(home)
    (environments.PROJECT / "locks" / "local.txt").write_text("new\n")
    environments.prepare(home, ["venv"])
    assert calls(home) == ["pip sync"]


def test_a_half_made_environment_is_rebuilt(home: Home) -> None:
    environments.prepare(home, ["venv"])
    calls(home)
    (home.tools / "venv" / "ticklake-lock").unlink()
    environments.prepare(home, ["venv"])
    assert calls(home) == ["venv", "pip sync"]


def test_an_environment_that_was_moved_is_remade(home: Home) -> None:
    environments.prepare(home, ["venv"])
    moved = Home(home.folder, home.folder / "moved", 20000)
    home.tools.rename(moved.tools)
    assert not environments._is_current(moved, "venv")


def test_a_failed_installation_is_one_line_and_leaves_no_marker(home: Home) -> None:
    uv = home.tools / "bootstrap" / "bin" / "uv"
    uv.write_text("#!/bin/sh\necho 'error: Failed to fetch'\necho '  Caused by: dns error'\nexit 2\n")
    with pytest.raises(InstallError, match=r"environment venv cannot be installed: dns error. Check the net"):
        environments.prepare(home, ["venv"])
    assert not environments.usable(home, "venv")


def test_help_needs_nothing_installed(tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TICKLAKE_HOME": str(tmp_path / "none")}
    done = subprocess.run([project / "ticklake", "--help"], env=environment, capture_output=True, text=True, check=True)
    assert "COMMAND" in done.stdout
    assert not (tmp_path / "none").exists()


def test_an_old_python_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        fake = tmp_path / name
        fake.write_text('#!/bin/sh\ncase "$2" in *print*) echo "python3 is 3.9";; *) exit 1;; esac\n')
        fake.chmod(0o755)
    project = Path(__file__).parents[2]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([project / "ticklake", "up"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.11 to 3.14 with its venv module (python3 is 3.9). Install one" in done.stderr
