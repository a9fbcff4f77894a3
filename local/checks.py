"""`./ticklake test`: every check of the project, each named with its time. `./ticklake bench`: the benchmarks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import environments
from local.home import PROJECT, Home
from local.terminal import say
from ticklake.core.errors import SettingsError

# The Compose Specification's, as the checker ships it.
_COMPOSE_SCHEMA = ("--quiet", "--builtin-schema", "vendor.compose-spec", "docker-compose.airflow.yml")
# What looks like a secret and is none: the stand-in's only key, keys that tests see refused, an IAM action, and text.
_HARMLESS = r"^(test|wrong|AKIAUNKNOWNUNKNOWN00|GetSecretValue|.*\s.*)$"
# Nobody is asked whether a key is good (-n); checksums are everywhere.
_SECRETS = ("-n", "--disable-plugin", "HexHighEntropyString", "--exclude-secrets", _HARMLESS)
_BENCHMARKS = PROJECT / "benchmarks"
# In CI the order is that of the files, as Hypothesis' examples are the same there: a red run is the change's own.
_ORDER = ("-p", "no:randomly") if "CI" in os.environ else ()
_PYTEST = (sys.executable, "-m", "pytest", "--durations=10", *_ORDER)
_WITHOUT_STACK = ("-m", "not docker and not end_to_end")
# These folders take about as long as all others, and share little with them.
_BESIDE = ("tests/local", "tests/verify", "tests/aws_roles", "tests/dags", "tests/orchestration")


@dataclass(frozen=True)
class _Aside:
    """Tests that run beside others, with their output in a file, so that the lines of two runs do not mix."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    @classmethod
    def start(cls, name: str, arguments: Sequence[str], environment: dict[str, str]) -> _Aside:
        """Start pytest with these arguments."""
        descriptor, file = tempfile.mkstemp(prefix="ticklake-tests-", suffix=".log")
        say(f"{name} run beside the others; their output meanwhile: {file}")
        with os.fdopen(descriptor, "wb") as output:
            process = subprocess.Popen(
                [*_PYTEST, *arguments], cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        return cls(name, process, Path(file))

    def end(self) -> int:
        """Wait for them and print what they said; returns their exit code."""
        say(f"waiting for {self.name}")
        code = self.process.wait()
        print(self.output.read_text(errors="replace"), flush=True)
        self.output.unlink()
        return code


def run_checks(home: Home, fast: bool, pytest_arguments: Sequence[str]) -> int:
    """Run all checks, pytest last; returns 0 when all pass. One that fails does not keep the others from being run."""
    environment = _environment(home)
    if pytest_arguments:
        failed = _run_steps(environment)
        marks = _WITHOUT_STACK if fast else ()
        tests = subprocess.call([*_PYTEST, *marks, *pytest_arguments], cwd=PROJECT, env=environment)
    else:
        # A folder of each one's own: pytest would tidy the others' away.
        with tempfile.TemporaryDirectory(prefix="ticklake-tests-", ignore_cleanup_errors=True) as folder:
            failed, tests = _run_side_by_side(environment, Path(folder), fast)
    if failed:
        say(f"failed before pytest: {', '.join(failed)}")
    return 1 if failed else tests


def _run_side_by_side(environment: dict[str, str], folder: Path, fast: bool) -> tuple[list[str], int]:
    """Most of their time tests wait, for minutes, brokers, answers: each part fills the gaps of the others."""
    asides = []
    if not fast:
        arguments = [f"--basetemp={folder / 'stack'}", "-m", "end_to_end"]
        asides.append(_Aside.start("the end-to-end tests", arguments, environment))
    arguments = [f"--basetemp={folder / 'beside'}", *_WITHOUT_STACK, *_BESIDE]
    asides.append(_Aside.start(f"the tests of {', '.join(_BESIDE)}", arguments, environment))
    failed = _run_steps(environment)
    rest = [f"--basetemp={folder / 'rest'}", *_WITHOUT_STACK, "tests", *(f"--ignore={name}" for name in _BESIDE)]
    tests = subprocess.call([*_PYTEST, *rest], cwd=PROJECT, env=environment)
    for aside in reversed(asides):
        tests = aside.end() or tests
    return failed, tests


def _run_steps(environment: dict[str, str]) -> list[str]:
    """Run the checks before pytest; returns the names of those that failed."""
    failed = []
    for name, command in _steps():
        began = time.monotonic()
        code = subprocess.call(command, cwd=PROJECT, env=environment)
        say(f"{'ok    ' if code == 0 else 'FAILED'} {name} ({time.monotonic() - began:.1f} s)")
        if code:
            failed.append(name)
    sys.stdout.flush()
    return failed


def run_compose_checks(home: Home, pytest_arguments: Sequence[str]) -> int:
    """Build and run `docker-compose.airflow.yml`; raises SettingsError where that cannot or shall not be done."""
    if os.environ.get("TICKLAKE_DOCKER") != "1":
        raise SettingsError(
            "This builds images and runs the compose file twice, about fifteen minutes and 6 GB of memory.",
            "To have that: TICKLAKE_DOCKER=1 ./ticklake test compose. Its other tests are in ./ticklake test fast.",
        )
    for command, remedy in (
        (["docker", "info"], "Start Docker."),
        (["docker", "compose", "version"], "Install Compose v2."),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            raise SettingsError(f"`{' '.join(command)}` fails.", remedy) from e
    command = [sys.executable, "-m", "pytest", "-m", "docker", "tests/compose", *pytest_arguments]
    return subprocess.call(command, cwd=PROJECT, env=_environment(home))


def run_mwaa_checks(home: Home, pytest_arguments: Sequence[str]) -> int:
    """The bundle's tests with the versions of Amazon MWAA's image, which are installed for it."""
    environments.prepare(home, ["mwaa"])
    environment = {**_environment(home), "TICKLAKE_MWAA_PYTHON": str(environments.python(home, "mwaa"))}
    command = [sys.executable, "-m", "pytest", "tests/local/test_bundle.py", *pytest_arguments]
    return subprocess.call(command, cwd=PROJECT, env=environment)


def run_benchmark(home: Home, name: str | None, options: Sequence[str]) -> int:
    """Run ``benchmarks/NAME.py``, or `all`, with options; without a name list them. Returns the first exit code not 0."""
    # `docs` last: it makes the page from what the others have written.
    files = sorted(_BENCHMARKS.glob("[!_]*.py"), key=lambda file: (file.stem == "docs", file.stem))
    known = {file.stem: file for file in files}
    if name is None:
        for stem, file in known.items():
            print(f"{stem:<24} {_first_line(file)}")
        return 0
    if name != "all" and name not in known:
        raise SettingsError(f"There is no benchmark {name!r}.", "./ticklake bench lists them.")
    # Those that look at the running stack must find this one.
    env = {**_environment(home), "TICKLAKE_HOME": str(home.folder), "TICKLAKE_PORT_BASE": str(home.port_base)}
    for stem, file in known.items():
        if name in (stem, "all"):
            say(stem)
            if code := subprocess.call([sys.executable, file, *options], cwd=PROJECT, env=env):
                return code
    return 0


def _steps() -> list[tuple[str, list[str]]]:
    tools = Path(sys.executable).parent
    return [
        ("ruff check", [str(tools / "ruff"), "check", "--quiet"]),
        ("ruff format", [str(tools / "ruff"), "format", "--check", "--quiet"]),
        ("mypy", [sys.executable, "-m", "mypy", "--no-error-summary"]),
        ("import-linter", [str(tools / "lint-imports"), "--no-cache"]),
        ("secret scan", [str(tools / "detect-secrets-hook"), *_SECRETS, *_own_files()]),
        ("compose schema", [str(tools / "check-jsonschema"), *_COMPOSE_SCHEMA]),
        ("cfn-lint", [str(tools / "cfn-lint"), "include/aws/stack.yaml"]),
    ]


def _own_files() -> list[str]:
    """Every file that a commit would hold, less the hashes of the locks and the ticks."""
    ours = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    try:
        out = subprocess.check_output([*ours, "--", ":!locks/*.txt", ":!include/data/*.csv"], cwd=PROJECT, text=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise SettingsError("`git ls-files` fails: the checks look at what git knows.", "Run them in a clone.") from e
    return [name for name in out.split("\0") if name and (PROJECT / name).is_file()]


def _environment(home: Home) -> dict[str, str]:
    """What the checks see: where the tools are, and nothing of another Airflow or another AWS."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "AWS_", "_TICKLAKE_", "TICKLAKE_"))}
    # Where it is set, each of the hundreds of programs that the tests start compiles all that it imports, again and again.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **env,
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}",
        "TICKLAKE_TOOLS": str(home.tools),
        "TICKLAKE_AWS_PYTHON": str(environments.python(home, "aws")),
    }


def _first_line(file: Path) -> str:
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]
