"""Makes docs/performance.md and its pictures from benchmarks/results/*.json; measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import _charts
from benchmarks._common import RESULTS, ROOT

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
_HEAD = """\
# Performance

Made by `./ticklake bench docs` from `benchmarks/results/*.json`; the text around the tables stands in `benchmarks/docs.py`.
`./ticklake bench` lists the benchmarks, `./ticklake bench NAME --help` explains one.

How to read it: contenders take turns, the reference first in each round. Figures are the median and, in brackets, the smallest
and the largest of all rounds. *Ratio* is the rate divided by the reference's in the same round, so 1 is as fast. On a machine
that others use, seconds and rates are noise (each section says how busy it was); ratios and CPU-microseconds (CPU µs) per unit
are what lasts.

"""
# What the project set out to reach: benchmark, beginnings of title and contender, figure, wanted, "at least" or "at most".
_RATIOS = ("ratio", "cpu_ratio", "inverse")
_GOALS = (
    ("land", "a minute", "Ticklake", "ratio", 0.40, "at least", "of ConsumerPerformance's rate"),
    ("land", "a minute", "Ticklake", "cpu_ratio", 1.5, "at most", "times ConsumerPerformance's CPU a record"),
    ("land", "what else", "Airflow provider", "inverse", 5, "at least", "times the Airflow provider's loop"),
    ("land", "what else", "quixstreams", "inverse", 12, "at least", "times quixstreams' S3FileSink"),
    ("land", "what else", "tutorial", "inverse", 1000, "at least", "times the tutorials' loop"),
    ("land_memory", "", "", "peak_mib", 300, "at most", "MiB at the most, of all sizes and numbers of partitions"),
    ("land_memory", "", "", "growth", 1.2, "at most", "times the memory of 100,000 records, from there on"),
    ("catch_up", "1,440", "one run", "seconds", 60, "at most", "s for 1,440 minutes of 60 records"),
    ("reseal", "", "again", "seconds", 0.1, "at most", "s for a sealed minute"),
    ("produce", "replay", "Ticklake, the file", "ratio", 1.2, "at least", "of ProducerPerformance's rate"),
    ("reconcile", "", "", "seconds", 60, "at most", "s for a day of 1,440 minutes"),
    ("airflow_cost", "a minute", "all DAGs", "cpu_ratio", 3, "at most", "times the CPU of an Airflow without a DAG"),
    ("dag_parse", "", "", "ms_above", 100, "at most", "CPU-ms for each DAG file above the import of airflow.sdk"),
    (
        "month",
        "",
        "30 days",
        "inverse",
        1.3,
        "at most",
        "times a new stack's seconds: up, status, UI, tasks, landing, reconcile",
    ),
    (
        "month",
        "scheduler",
        "30 days",
        "cpu_ratio",
        1.3,
        "at most",
        "times a new stack's CPU of scheduler and tasks a minute",
    ),
    ("freshness", "sealed", "", "seconds", 4, "at most", "s from a minute's end to its seal (median)"),
    ("freshness", "sealed", "", "longest", 10, "at most", "s from a minute's end to its seal (longest)"),
    ("freshness", "counted", "", "seconds", 15, "at most", "s from a minute's end to its count in Athena (median)"),
    ("freshness", "counted", "", "longest", 75, "at most", "s from a minute's end to its count in Athena (longest)"),
)
# What the figures do not say themselves, by benchmark.
_REMARKS = {
    "land": """\
Why it is no faster: with broker and S3 on the same two cores a record takes 2.7 CPU µs of them: ours 2.2, whose steps
[docs/scaling.md](scaling.md) tells, the others 0.5. That alone bounds it at 0.74 million records a second, and threads that
wait for each other (one reads, checks and splices under Python's lock, one packs, two upload) leave a fifth of both cores
idle. The reference drops what it reads: no check, no gzip, no S3. What gained: giving Python's lock up after 0.2 ms instead
of 5, a garbage collector that sleeps, one pass less over each column, closing a Kafka partition's object as it ends. Without
gain: larger and smaller batches, queues and answers, one call less for each batch, fewer and larger writes while packing.
""",
    "land_memory": """\
With 96 Kafka partitions a minute of 100,000 records does not fill what is kept of each (an answer of Kafka's, rows that wait
to be packed); with a million it does, so there it grows, once.
""",
    "airflow_cost": """\
What is left: in a minute three DAGs run a task each (`kafka_to_s3`, `broker_health`, `catalog_to_counts`), beside the
producer. Each is a process of its own, which costs some 0.7 CPU-seconds to start, whatever it does; boto3 is another 0.3
where a task needs it. The landing of 60 records is less than 0.1 of it. What Airflow itself takes for a task cannot be
changed from here.
""",
}


def main() -> None:
    """Write the page and the pictures."""
    files = [file for file in sorted(RESULTS.glob("*.json")) if file.stem != "faults"]  # docs/reliability.md has those
    results = {file.stem: json.loads(file.read_text()) for file in files}
    PICTURES.mkdir(exist_ok=True)
    sections = [_HEAD, _goals(results), *(_section(result) for result in results.values())]
    PAGE.write_text("".join(sections))
    print(f"written: {PAGE.relative_to(ROOT)}")


def _goals(results: Mapping[str, Any]) -> str:
    lines = ["| benchmark | to reach | reached |", "|---|---|---|"]
    for benchmark, title, contender, figure, wanted, way, what in _GOALS:
        if benchmark not in results:
            reached = "not measured yet"
        else:
            values = _values(results[benchmark], title, contender, figure)
            reached = "not measured yet" if not values else _verdict(values, wanted, way)
        lines.append(f"| `{benchmark}` | {way} {wanted:g} {what} | {reached} |")
    return "\n".join(lines) + "\n\n"


def _values(result: Mapping[str, Any], title: str, contender: str, figure: str) -> list[float]:
    """The medians of a figure in the rows that are meant; a reference is none of them."""
    found = []
    for table in result["tables"]:
        if not table["title"].startswith(title) or "contenders" not in table:
            continue
        if figure == "growth":
            peaks = {row["runs"][0]["work"]: row["peak_mib"][1] for row in table["contenders"].values()}
            found += [peak / peaks[100_000] for size, peak in peaks.items() if size > 100_000]
            continue
        for name, row in table["contenders"].items():
            reference = name == table["reference"] and figure in _RATIOS
            if reference or name == "import airflow.sdk" or not name.startswith(contender):
                continue
            spread = row.get({"inverse": "ratio", "longest": "seconds"}.get(figure, figure))
            if spread:
                value = spread[2] if figure == "longest" else spread[1]
                found.append(1 / value if figure == "inverse" else value)
    return found


def _verdict(values: Sequence[float], wanted: float, way: str) -> str:
    worst = min(values) if way == "at least" else max(values)
    good = worst >= wanted if way == "at least" else worst <= wanted
    return f"{worst:,.3g}{'' if good else ' **(missed)**'}"


def _section(result: Mapping[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    load = machine.get("load_before", [0])[0]
    settings = ", ".join(f"{k} {_plain(v)}" for k, v in result["settings"].items())
    lines = [
        f"## {result['benchmark']}\n",
        f"{result['about']}\n",
        f"{result['began'][:10]}, commit `{result['commit']}`: {machine['cpu']}, {machine['cores']} cores, load {load} before;"
        f" Python {versions['python']}, Kafka {versions['kafka']}, confluent-kafka {versions.get('confluent-kafka', '?')}"
        f"{'; ' + settings if settings else ''}.\n",
    ]
    for table in result["tables"]:
        lines.append(_table(table) if "contenders" in table else _nested(table))
    lines += [_REMARKS[result["benchmark"]]] if result["benchmark"] in _REMARKS else []
    lines += [_picture(result["benchmark"], title, svg) for title, svg in _pictures(result)]
    return "\n".join(lines) + "\n"


def _table(table: Mapping[str, Any]) -> str:
    rows = table["contenders"]
    figures = list({f: None for row in rows.values() for f in row if f != "runs"})
    heads = [
        f.replace("per_second", f"{table['unit']}/s").replace("cpu_us", "CPU µs").replace("_", " ") for f in figures
    ]
    lines = [
        f"{table['title'][:1].upper()}{table['title'][1:]}:\n",
        f"| | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_cell(row.get(f)) for f in figures)} |")
    return "\n".join(lines) + "\n"


def _nested(table: Mapping[str, Any]) -> str:
    """A table that is no comparison: every figure in it, a line each."""
    lines = [f"{table['title'][:1].upper()}{table['title'][1:]}:\n", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _flat(table) if name != "title"]
    return "\n".join(lines) + "\n"


def _flat(value: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{before}{name}, ")
        else:
            yield f"{before}{name}".replace("_", " "), _plain(inner)


def _pictures(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(title, SVG) of what is better seen than read."""
    for table in result["tables"]:
        rows = table.get("contenders", {})
        known = {name: row for name, row in rows.items() if row.get("per_second")}
        if result["benchmark"] in {"land", "produce", "growth", "catch_up"} and known:
            rates = {name: row["per_second"] for name, row in known.items()}
            yield f"{table['title']}, {table['unit']}/s", _charts.bars(rates, f"{table['unit']} a second")
    if result["benchmark"] == "land_memory":
        lines = {
            t["title"]: [(row["runs"][0]["work"], row["peak_mib"][1]) for row in t["contenders"].values()]
            for t in result["tables"]
        }
        yield "peak memory against records a minute", _charts.lines(lines, "records a minute", "MiB")
        cost = {t["title"]: next(iter(t["contenders"].values()))["cpu_us"] for t in result["tables"]}
        per_minute = {name: [v * 10_000 / 1e6 for v in values] for name, values in cost.items()}
        yield (
            "CPU-seconds of a minute of 10,000 records, the process's start included",
            _charts.bars(per_minute, "CPU-seconds"),
        )


def _picture(benchmark: str, title: str, svg: str) -> str:
    name = f"{benchmark}-{''.join(c if c.isalnum() else '-' for c in title.lower())[:40].strip('-')}.svg"
    (PICTURES / name).write_text(svg)
    return f"![{title}](pictures/{name})\n"


def _cell(values: Sequence[float] | None) -> str:
    if values is None:
        return "-"
    low, middle, high = map(_number, values)
    return middle if low == high else f"{middle} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _plain(value: Any) -> str:
    if isinstance(value, int | float):
        return _number(value)
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    main()
