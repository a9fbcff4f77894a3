"""`./ticklake test mutants`: small faults put into the modules that decide content, each of which some test must notice.

mutmut makes the mutants and runs the tests. It wants a project whose folders are named as they are imported, so each module
gets a small one of its own under `mutants/` of the stack's folder: the package, the module's tests, and nothing to fetch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.home import PROJECT, Home
from local.terminal import doing, say
from ticklake.core.errors import SettingsError
from ticklake.core.text_table import text_table

# What decides which bytes lie in S3 and what the proof finds, and the tests of each beside `test_<module>.py`.
_MODULES: dict[str, tuple[str, ...]] = {
    "landing/offset_ranges": (),
    "landing/object_key": (),
    "landing/manifest": (),
    "landing/gzip_writer": ("test_object_reader.py",),
    "landing/rewrite": ("test_manifest.py",),
    "formats/json_rows": (),
    "formats/json_shapes": (),
    "proof/reconcile": ("test_reconcile_findings.py",),
    "proof/timeliness": (),
}
_LEAST = 90  # percent
_CORE = Path("ticklake", "core")
# mutmut's words for how the tests of a mutant ended, by their exit code; all others mean that one failed.
_ALIVE = {0: "survived", 5: "no test", 33: "no test", 34: "skipped"}
_TIMEOUTS = (24, -24, 36, 152, 255)

_SETTINGS = """\
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = "--import-mode=importlib -p no:randomly -p no:cacheprovider -p no:timeout"
filterwarnings = ["error"]
markers = ["end_to_end", "docker"]
[tool.mutmut]
source_paths = ["ticklake"]
only_mutate = ["{module}"]
also_copy = ["local", "include", "docs"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
"""

# The same examples in each run, and no search for the smallest one that fails: which it was does not matter here.
_CONFTEST = """\
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants", deadline=None, derandomize=True, database=None, max_examples=60,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("mutants")
"""

# `mutmut show` for many at once: it starts slowly.
_SHOW = """\
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant

for name in sys.argv[1:]:
    print("@" + name.rpartition(".")[2])
    print(get_diff_for_mutant(name))
"""


@dataclass(frozen=True)
class Score:
    """How the mutants of a module ended; ``alive`` are the names of those that no test noticed."""

    module: str
    killed: int
    timeouts: int
    alive: tuple[str, ...]
    seconds: float

    @property
    def mutants(self) -> int:
        """All of them."""
        return self.killed + self.timeouts + len(self.alive)

    @property
    def percent(self) -> float:
        """Noticed, of all; a mutant that never ends is noticed as well."""
        return 100 * (self.killed + self.timeouts) / self.mutants if self.mutants else 0.0


def run_mutants(home: Home, wanted: Sequence[str]) -> int:
    """Mutate the wanted modules, or all; returns 0 when of each at least 90 % are noticed."""
    modules = [_known(name) for name in wanted] or list(_MODULES)
    scores = []
    for module in modules:
        score = _score(home.folder / "mutants" / module, module)
        scores.append(score)
        say(f"core/{module}: {score.percent:.1f} % of {score.mutants} mutants noticed ({score.seconds:.0f} s)")
        _show_alive(home.folder / "mutants" / module, score)
    print(_table(scores))
    return 0 if all(score.percent >= _LEAST for score in scores) else 1


def _known(name: str) -> str:
    """The module's path within core/, without the ending: it may be given as a file, too."""
    module = name.removesuffix(".py").rpartition("core/")[2]
    if not (PROJECT / "plugins" / _CORE / f"{module}.py").exists():
        raise SettingsError(f"There is no module core/{module}.", f"Those that decide content: {', '.join(_MODULES)}.")
    return module


def _tests(module: str) -> list[str]:
    """The files of its tests, from the project's folder on."""
    names = (f"test_{Path(module).name}.py", *_MODULES.get(module, ()))
    folder = PROJECT / "tests" / "core"
    found = [str(file.relative_to(PROJECT)) for name in names for file in sorted(folder.rglob(name))]
    if not found:
        raise SettingsError(f"core/{module} has no {names[0]} under tests/core/.", "Nothing could notice a mutant.")
    return found


def _score(folder: Path, module: str) -> Score:
    began = time.monotonic()
    _prepare(folder, module)
    log = folder / "mutmut.log"
    with log.open("wb") as output, doing(lambda: f"mutating core/{module}: {_last_line(log)}"):
        # Only the copy is imported, never the project itself.
        environment = {**os.environ, "PYTHONPATH": "", "NO_COLOR": "1"}
        command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(os.cpu_count() or 1)]
        code = subprocess.call(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    found = folder / "mutants" / _CORE / f"{module}.py.meta"
    if code or not found.exists():
        raise SettingsError(f"mutmut failed on core/{module}; the end of {log}:\n{log.read_text()[-2000:]}")
    return _read(module, json.loads(found.read_text())["exit_code_by_key"], time.monotonic() - began)


def _read(module: str, codes: dict[str, int | None], seconds: float) -> Score:
    alive = tuple(name for name, code in codes.items() if code is None or code in _ALIVE)
    kinds = Counter("timeout" if code in _TIMEOUTS else "killed" for name, code in codes.items() if name not in alive)
    return Score(module, kinds["killed"], kinds["timeout"], alive, seconds)


def _prepare(folder: Path, module: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tests").mkdir(parents=True)
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "plugins" / "ticklake", folder / "ticklake", ignore=left_out)
    for name in ("local", "include", "docs"):
        shutil.copytree(PROJECT / name, folder / name, ignore=left_out)
    (folder / "tests" / "conftest.py").write_text(_CONFTEST)
    shutil.copytree(PROJECT / "tests" / "support", folder / "tests" / "support", ignore=left_out)
    tests = _tests(module)
    for test in tests:
        (folder / test).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / test, folder / test)
    (folder / "pyproject.toml").write_text(
        _SETTINGS.format(module=_CORE / f"{module}.py", tests=json.dumps(tests)), encoding="utf-8"
    )


def _last_line(log: Path) -> str:
    """Where mutmut is: it writes over its last line again and again."""
    lines = log.read_text(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "beginning")


def _show_alive(folder: Path, score: Score) -> None:
    """What no test noticed, as differences of the source."""
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW, *score.alive], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    for line in shown.splitlines():
        if line[:1] in "@+-" and line[:3] not in ("+++", "---", "@@ "):
            print(f"  {line[1:]}" if line[0] == "@" else f"    {line}")
    sys.stdout.flush()


def _table(scores: Sequence[Score]) -> str:
    rows = [
        (f"core/{s.module}", s.mutants, s.killed, s.timeouts, len(s.alive), f"{s.percent:.1f} %", round(s.seconds))
        for s in scores
    ]
    return text_table(("module", "mutants", "failed a test", "never ended", "alive", "noticed", "seconds"), rows)
