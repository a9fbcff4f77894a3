"""The launcher's commands and options. Only the standard library: `--help` works before anything is installed."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.home import DEFAULT_PORT_BASE, MAX_BROKERS, Home

_MORE = f"""\
environment:
  TICKLAKE_HOME       folder of the stack instead of .ticklake/ (data, logs, environments)
  TICKLAKE_PORT_BASE  first port instead of {DEFAULT_PORT_BASE}: Airflow takes +80, Kafka +92 and on, the AWS stand-in +66
  TICKLAKE_CSV        file that the producer reads instead of include/data/indexProcessed.csv
  TICKLAKE_TOOLS      folder of environments and jars, so that several stacks share them
"""


@dataclass(frozen=True)
class Command:
    """One subcommand: the environment it runs in, those it also needs, and whether it may install them."""

    environment: str
    run: Callable[[Home, Namespace], int]
    prepares: bool = False
    beside: tuple[str, ...] = ()


def parse(arguments: Sequence[str]) -> tuple[Command, Namespace]:
    """Read the command line; prints help or usage and exits like argparse."""
    if arguments and arguments[0] in ("airflow", "kafka") and arguments[1:] not in (["-h"], ["--help"]):
        # Everything behind these belongs to the other program, options too, which argparse would claim for itself.
        return _COMMANDS[arguments[0]], Namespace(command=arguments[0], rest=list(arguments[1:]))
    options = _parser().parse_args(arguments)
    return _COMMANDS[options.command], options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./ticklake",
        description="Every minute of a Kafka topic in S3 exactly once, countable in Athena. Runs it all on this machine.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="set everything up, start it, wait until two minutes are landed and counted")
    up.add_argument("--brokers", type=int, choices=range(1, MAX_BROKERS + 1), help="Kafka brokers (default 3)")
    up.add_argument(
        "--no-wait", action="store_true", help="return when all runs, without waiting for the first minutes"
    )

    down = commands.add_parser("down", help="stop everything; the data stays")
    down.add_argument("--wipe", action="store_true", help="also remove the data, logs and settings of this stack")

    status = commands.add_parser("status", help="what runs, what is landed and counted")
    status.add_argument("--json", action="store_true", help="for programs")

    airflow = commands.add_parser("airflow", help="Airflow's own command line, e.g.: airflow dags list")
    airflow.add_argument("rest", nargs="*", metavar="…", help="whatever `airflow` takes")

    kafka = commands.add_parser("kafka", help="Kafka's own tools, e.g.: kafka topics --describe; alone it lists them")
    kafka.add_argument("rest", nargs="*", metavar="TOOL …", help="a tool's name without .sh, and whatever it takes")

    sql = commands.add_parser("sql", help="an Athena query, e.g.: sql 'SELECT COUNT(*) FROM stock_ticks'")
    sql.add_argument("query", help="one statement in Athena's SQL")
    sql.add_argument("--csv", action="store_true", help="print CSV instead of a table")

    test = commands.add_parser("test", help="every check of the project; `test fast` leaves out the end-to-end part")
    test.add_argument("fast", nargs="?", choices=["fast"], help="without the end-to-end part")
    test.add_argument("pytest", nargs="*", metavar="-- …", help="more arguments for pytest, behind --")

    bench = commands.add_parser("bench", help="a benchmark, or `all`; without a name it lists them")
    bench.add_argument("name", nargs="?", metavar="NAME")
    bench.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="the benchmark's own options, e.g. --quick")
    return parser


def _up(home: Home, options: Namespace) -> int:
    from local.stack import Stack
    from local.up import up

    return up(Stack(home), brokers=options.brokers, wait=not options.no_wait)


def _down(home: Home, options: Namespace) -> int:
    from local.down import down
    from local.stack import Stack

    return down(Stack(home), wipe=options.wipe)


def _status(home: Home, options: Namespace) -> int:
    from local.stack import Stack
    from local.status import show

    return show(Stack(home), as_json=options.json)


def _airflow(home: Home, options: Namespace) -> int:
    from local.airflow import run_cli
    from local.stack import Stack

    return run_cli(Stack(home), options.rest)


def _kafka(home: Home, options: Namespace) -> int:
    from local.kafka_tools import run_tool
    from local.stack import Stack

    return run_tool(Stack(home), options.rest)


def _sql(home: Home, options: Namespace) -> int:
    from local.sql import run_query
    from local.stack import Stack

    return run_query(Stack(home), options.query, as_csv=options.csv)


def _test(home: Home, options: Namespace) -> int:
    from local.checks import run_checks

    return run_checks(home, fast=bool(options.fast), pytest_arguments=options.pytest)


def _bench(home: Home, options: Namespace) -> int:
    from local.checks import run_benchmark

    return run_benchmark(home, options.name, options.rest)


_COMMANDS = {
    "up": Command("venv", _up, prepares=True, beside=("aws",)),
    "down": Command("venv", _down),
    "status": Command("venv", _status),
    "airflow": Command("venv", _airflow),
    "kafka": Command("venv", _kafka),
    "sql": Command("venv", _sql),
    "test": Command("dev", _test, prepares=True, beside=("aws",)),
    "bench": Command("dev", _bench, prepares=True, beside=("aws",)),
}
