"""Tasks that failed while `./ticklake up` waits: which, for good or to be tried again, and what their logs say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_WIDTH = 400  # of a line of a log in an error message
_LINES = 12
# Where an error's own words say all, the name of its class is one more thing to read over.
_NAMELESS = ("AirflowFailException", "AirflowException")


@dataclass(frozen=True)
class Attempt:
    """One try of a task that has failed.

    Attributes:
        dag: its DAG.
        run: id of the run.
        task: its id.
        map_index: of a mapped task, else -1.
        number: of the try, from 1.
        most: tries that the task has.
        for_good: whether it is not tried again.
        log: the try's log file.
    """

    dag: str
    run: str
    task: str
    map_index: int
    number: int
    most: int
    for_good: bool
    log: Path

    @classmethod
    def of(cls, told: dict[str, Any], logs: Path) -> Self:
        """From a task instance of Airflow's REST API, and the folder of task logs."""
        mapped = f"map_index={told['map_index']}/" if told["map_index"] >= 0 else ""
        return cls(
            dag=told["dag_id"],
            run=told["dag_run_id"],
            task=told["task_id"],
            map_index=told["map_index"],
            number=told["try_number"],
            most=told["max_tries"] + 1,
            for_good=told["state"] == "failed",
            log=logs / f"dag_id={told['dag_id']}/run_id={told['dag_run_id']}/task_id={told['task_id']}"
            f"/{mapped}attempt={told['try_number']}.log",
        )

    @property
    def name(self) -> str:
        """``dag.task``."""
        return f"{self.dag}.{self.task}" + (f"[{self.map_index}]" if self.map_index >= 0 else "")

    @property
    def progress(self) -> str:
        """For the progress line."""
        return f"{self.name} failed, is tried again ({self.number} of {self.most})"

    def words(self) -> str:
        """The error lines of its log, indented; empty when there is no log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        entries = [entry for line in lines if (entry := _entry(line))]
        bad = [entry for entry in entries if entry.get("level") in ("error", "critical")]
        told = list(_told(bad or entries[-_LINES:]))
        return "\n".join(f"  {line[:_WIDTH]}" for line in told[-_LINES:])


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = {"event": line}
    return entry if isinstance(entry, dict) else {"event": line}


def _told(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What each says, the words of an exception in place of its stack; none twice."""
    said = set()
    for entry in entries:
        for line in _lines(entry):
            if line not in said:
                said.add(line)
                yield line


def _lines(entry: dict[str, Any]) -> list[str]:
    details = entry.get("error_detail") or []
    if not details:
        return str(entry.get("event", "")).splitlines()
    raised = details[0]
    name, words = raised.get("exc_type", ""), str(raised.get("exc_value", ""))
    return (words if name in _NAMELESS and words else f"{name}: {words}").splitlines()
