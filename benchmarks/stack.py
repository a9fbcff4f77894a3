"""What the running stack costs: memory of all its processes, CPU a minute with all DAGs running and at rest.

Start it first (`./ticklake up`); `--minutes N` sets how long each is watched (default 5 running, 2 at rest). At rest: the DAGs
paused, the producer's run ended, nothing produced; afterwards they run again.
How memory and CPU are counted stands in `benchmarks/_watch.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

import httpx

from benchmarks._airflow import api
from benchmarks._common import Report, parse, progress
from benchmarks._watch import watch
from local.home import Home
from local.stack import Stack
from ticklake.core.text_table import text_table


class Dags:
    """Airflow's DAGs, paused for a while."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def names(self) -> list[str]:
        """Those that are not paused."""
        return sorted(dag["dag_id"] for dag in self._get("/dags", paused="false", limit="100")["dags"])

    def rest(self) -> None:
        """Pause all, end the producer's run, return when no task runs any more."""
        self._pause(True)
        for run in self._get("/dags/csv_to_kafka/dagRuns", state="running")["dag_runs"]:
            path = f"/dags/csv_to_kafka/dagRuns/{run['dag_run_id']}"
            self._api.patch(path, json={"state": "failed"}).raise_for_status()
        while self._get("/dags/~/dagRuns/~/taskInstances", state="running")["total_entries"]:
            time.sleep(1)
        time.sleep(10)  # what tasks leave behind ends too

    def go_on(self) -> None:
        """Let all run again."""
        self._pause(False)

    def _pause(self, paused: bool) -> None:
        answer = self._api.patch("/dags", params={"dag_id_pattern": "~"}, json={"is_paused": paused})
        answer.raise_for_status()

    def _get(self, path: str, **params: str) -> dict:  # type: ignore[type-arg]
        return dict(self._api.get(path, params=params).raise_for_status().json())


def _with_sum(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(figure, 1) for name, figure in {**figures, "all": sum(figures.values())}.items()}


def _add_minutes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, help="how long each phase is watched")


def main() -> None:
    """Watch both phases, print and keep the figures."""
    options = parse(__doc__, _add_minutes)
    stack = Stack(Home.from_env())
    parts = [part for name in stack.addresses() if (part := stack.alive(name))]
    if len(parts) < len(stack.addresses()):
        raise SystemExit("The stack does not run, or not all of it. Start it: ./ticklake up")
    given = options.rest.minutes or (0.2 if options.quick else None)
    dags = Dags(api(stack))
    report = Report("stack", __doc__, options, brokers=len(stack.brokers()), dags=dags.names())
    progress(f"watching with all DAGs running: {', '.join(dags.names())}")
    running = watch(parts, given or 5)
    try:
        dags.rest()
        progress("watching at rest")
        rest = watch(parts, min(given or 2, 2))
    finally:
        dags.go_on()
    phases = {"running": running, "at rest": rest}
    head = ("part", "MiB at peak", "CPU-s/min", "MiB at rest", "CPU-s/min at rest")
    rows = [
        [name, *(f"{figure:.1f}" for phase in phases.values() for figure in (phase.memory[name], phase.cpu[name]))]
        for name in running.memory
    ]
    sums = [f"{sum(f.values()):.1f}" for phase in phases.values() for f in (phase.memory, phase.cpu)]
    print(text_table(head, [*rows, ["all", *sums]]))
    report.tables.append({
        "title": "what the running stack costs",
        **{
            title: {
                "minutes": round(phase.minutes, 2),
                "peak_pss_mib": _with_sum(phase.memory),
                "cpu_seconds_per_minute": _with_sum(phase.cpu),
                "processes_at_peak": phase.processes,
            }
            for title, phase in phases.items()
        },
    })  # fmt: skip
    report.finish()


if __name__ == "__main__":
    main()
