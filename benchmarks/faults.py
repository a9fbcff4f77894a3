"""Faults: hundreds of seeded trials of S3, Kafka, tasks and time going wrong; each ends by comparing S3 with Kafka.

Two clusters of three real brokers, the AWS stand-in behind a proxy that makes S3 fail, and landing in processes of its own that
are killed, stopped and woken. Trials run side by side, each in a topic and a bucket of its own; brokers are killed in the
second cluster only. It takes 20 minutes on two busy cores. `--write-docs` puts the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks._common import RESULTS, ROOT, Options, machine, parse, progress, versions
from tests.faults import date_trials, kafka_trials, s3_trials, task_trials, time_trials
from tests.faults.brokers import brokers, stopped_brokers
from tests.faults.lab import NOTE, Lab, Outcome, Trial
from tests.support.aws_stand_in import running_aws

_WORKERS, _SLOW_WORKERS = 6, 12
_TOLD_EVERY = 20
_DOCS = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- made by ./ticklake bench faults --write-docs -->\n", "<!-- end -->\n"
Seeded = Sequence[tuple[Trial, int]]


def main() -> int:
    """Run the trials, or read an earlier run; print the table; returns 1 when one trial is not healed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing may be left running
    options = parse(__doc__, _arguments)
    if options.rest.read:
        document = json.loads(options.rest.read.read_text())
    else:
        document = summary(list(_all_outcomes(options)), options)
        if options.rest.update:
            document = updated(json.loads(options.rest.update.read_text()), document)
        out = options.out or (None if options.quick or options.rest.only else RESULTS / "faults.json")
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
            print(f"written: {out}")
    print(markdown(document))
    for failed in document["not_healed"]:
        print(f"NOT HEALED {failed['kind']}, {failed['name']}, seed {failed['seed']}: {'; '.join(failed['words'])}")
    if options.rest.write_docs:
        write_docs(_DOCS, document)
    return 1 if document["not_healed"] else 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="added to every trial's seed")
    parser.add_argument("--only", default="", metavar="TEXT", help="only trials with this in their name")
    parser.add_argument("--read", type=Path, metavar="FILE", help="print the table of an earlier run's JSON")
    parser.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help="an earlier run's JSON, to which the rows run now are added, or whose rows they replace",
    )
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/reliability.md")


def _all_outcomes(options: Options) -> Iterator[Outcome]:
    share = 0.05 if options.quick else 1.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ticklake-faults-")))
        progress("starting clusters of three brokers, and the AWS stand-in")
        endpoint = stack.enter_context(running_aws(folder / "aws"))
        calm = Lab(stack.enter_context(brokers(folder / "quiet")).bootstrap, endpoint, 3)
        busy = [
            *s3_trials.all_failing(1 if options.quick else 2),
            *task_trials.all_tasks(share),
            *time_trials.all_times(share),
            *date_trials.all_dates(share),
        ]
        groups: list[tuple[Lab, int, Seeded]] = [
            (calm, _SLOW_WORKERS, _wanted([t for t in busy if t[0].slow], options)),
            (calm, _WORKERS, _wanted([t for t in busy if not t[0].slow], options)),
        ]
        killed = stopped_brokers(folder / "killed")
        rough = _wanted([*kafka_trials.all_kafka(killed, share)], options)
        if rough:
            stack.enter_context(killed.running())
            groups.insert(1, (Lab(killed.bootstrap, endpoint, 3), 1, rough))
        yield from _run(stack, groups, options.rest.seed)


def _wanted(trials: Seeded, options: Options) -> Seeded:
    return [(trial, seed) for trial, seed in trials if options.rest.only in f"{trial.kind}, {trial.name}"]


def _run(stack: ExitStack, groups: Iterable[tuple[Lab, int, Seeded]], base: int) -> Iterator[Outcome]:
    began = time.monotonic()
    futures: list[Future[Outcome]] = []
    for lab, workers, trials in groups:
        pool = ThreadPoolExecutor(workers)
        # When it is ended early, what has not begun does not begin, and the parts go at once.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        futures += [pool.submit(_outcome, trial, lab, base + seed) for trial, seed in trials]
    done: list[Outcome] = []
    for future in as_completed(futures):
        outcome = future.result()
        done.append(outcome)
        yield outcome
        if not outcome.healed:
            progress(f"NOT HEALED {outcome}")
        if len(done) % _TOLD_EVERY == 0:
            sums = (sum(o.lost for o in done), sum(o.twice for o in done), sum(o.altered for o in done))
            progress(
                f"{time.monotonic() - began:5.0f} s  {len(done)} of {len(futures)} trials:"
                f" {sums[0]} lost, {sums[1]} twice, {sums[2]} altered, {sum(not o.healed for o in done)} not healed"
            )


def _outcome(trial: Trial, lab: Lab, seed: int) -> Outcome:
    try:
        return trial.outcome(lab, seed)
    except Exception as e:
        # The laboratory itself failed: that proves nothing, and must be seen.
        return Outcome(trial.kind, trial.name, seed, 0, 0, 0, 1, 0, 0.0, (f"the trial broke off: {e!r}",))


def summary(outcomes: Sequence[Outcome], options: Options) -> dict[str, Any]:
    """The document that is kept: per trial's name the figures, and every trial that was not healed, whole."""
    ordered = sorted(outcomes, key=lambda o: (o.kind, o.name, o.seed))
    return {
        "benchmark": "faults",
        "about": (__doc__ or "").partition("\n")[0],
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "seed": options.rest.seed,
        "trials": len(outcomes),
        "faults": [_row(kind, name, list(of)) for (kind, name), of in groupby(ordered, key=lambda o: (o.kind, o.name))],
        "not_healed": [asdict(o) for o in ordered if not o.healed],
        "notes": {f"{o.kind}, {o.name}, seed {o.seed}": o.notes for o in ordered if o.notes},
    }


def _row(kind: str, name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    heal = [o.heal_seconds for o in outcomes]
    return {
        "kind": kind,
        "name": name,
        "trials": len(outcomes),
        "lost": sum(o.lost for o in outcomes),
        "twice": sum(o.twice for o in outcomes),
        "altered": sum(o.altered for o in outcomes),
        "not_healed": sum(not o.healed for o in outcomes),
        "attempts": sum(o.attempts for o in outcomes),
        "heal_seconds": [min(heal), round(statistics.median(heal), 3), max(heal)],
    }


def updated(earlier: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The earlier run with the rows of this one in their places, new ones among them."""
    ran = {(row["kind"], row["name"]): row for row in now["faults"]}
    rows = {(row["kind"], row["name"]): row for row in earlier["faults"]} | ran
    faults = [rows[key] for key in sorted(rows)]
    again = tuple(f"{kind}, {name}, " for kind, name in ran)
    return {
        **earlier,
        "faults": faults,
        "trials": sum(row["trials"] for row in faults),
        "not_healed": [o for o in earlier["not_healed"] if (o["kind"], o["name"]) not in ran] + now["not_healed"],
        "notes": {k: v for k, v in earlier["notes"].items() if not k.startswith(again)} | now["notes"],
    }


def markdown(document: dict[str, Any]) -> str:
    """The table of a run."""
    lines = [
        "| fault | where | trials | lost | twice | altered | not healed | healed after, s: min, median, max |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = document["faults"]
    for row in rows:
        low, median, high = (f"{seconds:.1f}" for seconds in row["heal_seconds"])
        counts = " | ".join(f"{row[name]:,}" for name in ("trials", "lost", "twice", "altered", "not_healed"))
        lines.append(f"| {row['kind']} | {row['name']} | {counts} | {low}, {median}, {high} |")
    sums = " | ".join(
        f"{sum(row[name] for row in rows):,}" for name in ("trials", "lost", "twice", "altered", "not_healed")
    )
    lines.append(f"| **all** | {sum(row['attempts'] for row in rows):,} attempts | {sums} | |")
    lines += [
        f"\nNote on {name}: {'; '.join(n.removeprefix(NOTE) for n in notes)}."
        for name, notes in document["notes"].items()
    ]
    where = document["machine"]
    lines.append(
        f"\nRun of {document['ended'][:10]} on {where['cores']} cores ({where['cpu']}), load average"
        f" {where['load_before'][0]} when it ended; Kafka {document['versions']['kafka']}, seed {document['seed']}."
    )
    return "\n".join(lines) + "\n"


def write_docs(file: Path, document: dict[str, Any]) -> None:
    """Replace what stands between the marks in the document."""
    before, _, rest = file.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    file.write_text(f"{before}{_BEGIN}\n{markdown(document)}\n{_END}{after}")
    print(f"written: {file}")


if __name__ == "__main__":
    sys.exit(main())
