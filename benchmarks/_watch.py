"""Memory and CPU of a stack's parts while they run.

Memory is PSS, so that pages shared by processes count once, every two seconds; CPU is user and system time of every process of
the parts' sessions, those of tasks that ended meanwhile too (they are in their parents' sums). Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.processes import Part

_TICK = os.sysconf("SC_CLK_TCK")
_EVERY = 2.0  # seconds between looks at the memory


@dataclass(frozen=True)
class Watched:
    """One phase: minutes it took; by part, CPU-seconds a minute and MiB at the moment of the largest sum; processes then."""

    minutes: float
    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    processes: int


def watch(parts: Sequence[Part], minutes: float) -> Watched:
    """Look at the parts for so long."""
    began, before = time.monotonic(), {part.name: cpu_seconds(part) for part in parts}
    peak: dict[str, float] = {}
    processes = 0
    while time.monotonic() < began + 60 * minutes:
        members = {part.name: part.members() for part in parts}
        now = {name: sum(map(_pss_mib, found)) for name, found in members.items()}
        if sum(now.values()) > sum(peak.values()):
            peak, processes = now, sum(map(len, members.values()))
        time.sleep(_EVERY)
    took = (time.monotonic() - began) / 60
    cpu = {part.name: (cpu_seconds(part) - before[part.name]) / took for part in parts}
    return Watched(took, cpu, peak, processes)


def _pss_mib(process: psutil.Process) -> float:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has just ended
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def cpu_seconds(part: Part) -> float:
    """User and system time of the part's processes and of those children of theirs that have ended."""
    total = 0
    for process in part.members():
        try:
            stat = Path(f"/proc/{process.pid}/stat").read_text()
        except OSError:
            continue
        total += sum(map(int, stat[stat.rindex(")") + 2 :].split()[11:15]))
    return total / _TICK
