"""The launcher's commands and options. Only the standard library: `--help` works before anything is installed.

A new command is one entry of `COMMANDS` and the function that it runs, which imports what it needs when it is called.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.command_line import Command, Option, read
from local.home import MAX_BROKERS, Home


def parse(arguments: Sequence[str]) -> tuple[Command, Namespace] | None:
    """Read the command line; None when it was only help that was asked for, and given. Raises UsageError."""
    return read(arguments, COMMANDS)


def _option(*names: str, **settings: Any) -> Option:
    return Option(names, settings)


def _up(home: Home, options: Namespace) -> int:
    from local.stack import Stack
    from local.up import up

    wait = not options.no_wait
    return up(Stack(home), brokers=options.brokers, wait=wait, login=options.login, secure=options.secure)


def _down(home: Home, options: Namespace) -> int:
    from local.down import down
    from local.stack import Stack

    return down(Stack(home), wipe=options.wipe)


def _status(home: Home, options: Namespace) -> int:
    from local.stack import Stack
    from local.status import show

    return show(Stack(home), as_json=options.json)


def _verify(home: Home, options: Namespace) -> int:
    from local.stack import Stack
    from local.verify import run

    return run(Stack(home), options.first, options.last, options.json, options.connections)


def _redrive(home: Home, options: Namespace) -> int:
    from local.redrive import run
    from local.stack import Stack

    return run(Stack(home), options.first, options.last, options.reason, options.all, options.dry_run)


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


def _compose(home: Home, options: Namespace) -> int:
    from local.compose.env import write

    return write(home)


def _test(home: Home, options: Namespace) -> int:
    from local.audit import run_audit
    from local.checks import run_checks, run_compose_checks, run_mwaa_checks
    from local.mutants import run_mutants

    if options.part == "audit":
        return run_audit()
    if options.part == "compose":
        return run_compose_checks(home, options.pytest)
    if options.part == "mwaa":
        return run_mwaa_checks(home, options.pytest)
    if options.part == "mutants":
        return run_mutants(home, options.pytest)
    return run_checks(home, fast=options.part == "fast", pytest_arguments=options.pytest)


def _bench(home: Home, options: Namespace) -> int:
    from local.checks import run_benchmark

    return run_benchmark(home, options.name, options.rest)


def _aws(home: Home, options: Namespace) -> int:
    from local.aws_deploy import run

    return run(options)


def _bundle(home: Home, options: Namespace) -> int:
    from local.bundle import make_bundle

    return make_bundle(options.to, options.env)


_COMMANDS = (
    Command(
        "up",
        "set everything up, start it, wait until two minutes are landed and counted",
        _up,
        options=(
            _option("--brokers", type=int, choices=range(1, MAX_BROKERS + 1), help="Kafka brokers (default 3)"),
            _option(
                "--no-wait", action="store_true", help="return when all runs, without waiting for the first minutes"
            ),
            _option(
                "--login",
                action=argparse.BooleanOptionalAction,
                help="Airflow's UI and API want a password, made by `up`, which says where it is; on until --no-login",
            ),
            _option(
                "--secure",
                action="store_true",
                help="Kafka with TLS, passwords and a user per stage that may do its own only (docs/security.md)",
            ),
        ),
        examples=(
            ("up", "a second time it is harmless: what runs is left, what died is started again"),
            ("up --brokers 1", "on a small machine"),
            ("up --login", "on a machine that others use too"),
            ("up --secure", "once secured it stays so; ./ticklake down --wipe before it, if there was a plain one"),
        ),
        exit_codes="0 all runs, and goes on running; 1 it failed and says why; 130 stopped by Ctrl-C",
        installs=True,
        beside=("aws",),
    ),
    Command(
        "status",
        "what runs, what is landed and counted",
        _status,
        options=(
            _option("--json", action="store_true", help="for programs: parts, kafka, aws, airflow, sealed, counted"),
        ),
        examples=(("status", ""), ("status --json", "the same for programs")),
        exit_codes="0 every part is up, 1 one is down",
    ),
    Command(
        "down",
        "stop everything; the data stays",
        _down,
        options=(_option("--wipe", action="store_true", help="also remove the data, logs and settings of this stack"),),
        examples=(("down", "./ticklake up goes on from there"), ("down --wipe", "what was installed stays")),
    ),
    Command(
        "verify",
        "compare Kafka, S3 and Athena offset by offset",
        _verify,
        options=(
            _option(
                "--from", dest="first", metavar="MINUTE", help="oldest minute, e.g. 2026-11-22T10:05 (default: all)"
            ),
            _option("--to", dest="last", metavar="MINUTE", help="newest minute"),
            _option("--json", action="store_true", help="for programs"),
            _option(
                "--connections",
                action="store_true",
                help="compare what AIRFLOW_CONN_… and TICKLAKE_… in the environment name, such as a deployment on AWS",
            ),
        ),
        examples=(
            ("verify", ""),
            ("verify --from 2026-11-22T10:00 --to 2026-11-22T10:59", "one hour"),
            ("verify --connections", "a deployment, by its connections: docs/deploy-aws.md"),
        ),
        exit_codes="0 all agree; 1 they do not, or a part is down",
    ),
    Command(
        "redrive",
        "produce rejected records to the topic again, each once",
        _redrive,
        options=(
            _option(
                "--from", dest="first", metavar="MINUTE", required=True, help="oldest minute, e.g. 2026-11-22T10:05"
            ),
            _option("--to", dest="last", metavar="MINUTE", required=True, help="newest minute"),
            _option("--reason", default="", help="only this kind, e.g. 'reserved column' (see docs/records.md)"),
            _option("--all", action="store_true", help="also those that today's rules would reject again"),
            _option("--dry-run", action="store_true", help="only tell what would be sent and what would not"),
        ),
        examples=(
            ("redrive --from 2026-11-22T10:00 --to 2026-11-22T10:59 --dry-run", "how many, by reason"),
            ("redrive --from 2026-11-22T10:00 --to 2026-11-22T10:59 --reason 'not a column name'", ""),
        ),
        exit_codes="0 done, also when there was nothing to send; 1 it failed and says why: run it again",
    ),
    Command(
        "sql",
        "an Athena query against the running stack, in Athena's SQL",
        _sql,
        options=(
            _option("query", metavar="QUERY", help="one statement"),
            _option("--csv", action="store_true", help="print CSV instead of a table"),
        ),
        examples=(
            ("sql 'SELECT COUNT(*) FROM stock_ticks'", ""),
            ("sql 'SELECT * FROM stock_ticks LIMIT 5' --csv", ""),
            ("sql 'SHOW PARTITIONS stock_ticks'", ""),
        ),
        exit_codes="0 done, 1 it failed, with Athena's reason",
    ),
    Command(
        "kafka",
        "Kafka's own tools against the running stack; alone it lists them",
        _kafka,
        options=(_option("rest", nargs="*", metavar="ARGUMENT", help="a tool's name without .sh, then what it takes"),),
        examples=(
            ("kafka topics --describe", ""),
            ("kafka console-consumer --topic stock_ticks --from-beginning --max-messages 3", ""),
            ("kafka consumer-groups --describe --group ticklake", "the lag of landing"),
            ("kafka topics --help", "the tool's own help"),
        ),
        exit_codes="the tool's; 1 if there is none of that name, or Kafka does not run",
        verbatim=True,
    ),
    Command(
        "airflow",
        "Airflow's own command line in the stack's environment",
        _airflow,
        options=(_option("rest", nargs="*", metavar="ARGUMENT", help="whatever `airflow` takes"),),
        examples=(
            ("airflow dags list", ""),
            ("airflow tasks states-for-dag-run kafka_to_s3 RUN_ID", ""),
            (
                "airflow backfill create --dag-id kafka_to_s3"
                " --from-date 2026-11-22T10:00 --to-date 2026-11-22T10:59 --max-active-runs 2",
                "",
            ),
        ),
        exit_codes="Airflow's",
        verbatim=True,
    ),
    Command(
        "test",
        "every check of the project; `test fast` leaves out the end-to-end part",
        _test,
        options=(
            _option(
                "part",
                nargs="?",
                choices=["fast", "compose", "audit", "mwaa", "mutants"],
                help="fast: without the end-to-end part; compose: docker-compose.airflow.yml for real, with TICKLAKE_DOCKER=1;"
                " audit: the locked packages against known vulnerabilities; mwaa: the bundle with the versions of Amazon MWAA;"
                " mutants: small faults in the modules that decide content, each of which a test must notice",
            ),
            _option(
                "pytest",
                nargs="*",
                metavar="ARGUMENT",
                help="more arguments for pytest, behind --; of mutants: the modules, e.g. keys",
            ),
        ),
        examples=(
            ("test fast", ""),
            ("test fast -- -k slices", "what follows -- goes to pytest"),
            ("test fast -- --randomly-seed=7", "in the order of an earlier run, which printed its seed"),
            ("test mutants", "all of them, about a quarter of an hour"),
            ("test mutants keys", "one module"),
            ("test", ""),
        ),
        exit_codes="0 all passed, 1 a check before pytest failed, else pytest's",
        environment="dev",
        installs=True,
        beside=("aws",),
    ),
    Command(
        "aws",
        "the pipeline's stack on AWS: deploy, outputs, destroy",
        _aws,
        options=(
            _option("what", choices=["deploy", "outputs", "destroy"], help="every change is shown and asked for first"),
            _option("--stack", default="ticklake", metavar="NAME", help="the stack's name (default ticklake)"),
            _option("--profile", metavar="NAME", help="profile of ~/.aws/config"),
            _option("--region", metavar="NAME", help="AWS region (default: the profile's)"),
            _option("--endpoint", metavar="URL", help="another endpoint than AWS's, such as the stand-in's"),
            _option(
                "--parameter",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="deploy: a parameter of include/aws/stack.yaml; may be repeated; those left out stay as they are",
            ),
            _option("--env", action="store_true", help="outputs: as the environment of Airflow"),
            _option("--keep-data", action="store_true", help="destroy: leave the bucket with its data"),
            _option("--delete-data", action="store_true", help="destroy: delete the bucket with all that is in it"),
            _option("--yes", action="store_true", help="ask nothing"),
        ),
        examples=(
            ("aws deploy --region us-east-1", "shows what it would make, and asks"),
            ("aws deploy --parameter ResultsDays=7", "a change"),
            ("aws outputs --env", "what Airflow must know"),
            ("aws destroy --keep-data", "all but the bucket"),
        ),
        exit_codes="0 done or nothing to do; 1 it failed and says why, or the answer was no",
        installs=True,
    ),
    Command(
        "bundle",
        "what Amazon MWAA is given: plugins.zip, requirements.txt, startup.sh, dags/",
        _bundle,
        options=(
            _option("--to", type=Path, default=Path("build/mwaa"), metavar="FOLDER", help="default build/mwaa"),
            _option("--env", type=Path, metavar="FILE", help="for startup.sh: lines of ./ticklake aws outputs --env"),
        ),
        examples=(("bundle", ""), ("bundle --env mwaa.env", "with the names and roles of the stack on AWS")),
        environment=None,
    ),
    Command(
        "compose",
        "for docker-compose.airflow.yml: `compose env` writes .env with new secrets",
        _compose,
        options=(_option("what", choices=["env"], help="write .env as .env.example says; nothing is installed"),),
        examples=(("compose env", "then: docker compose -f docker-compose.airflow.yml up --wait"),),
        environment=None,
    ),
    Command(
        "bench",
        "a benchmark, or `all`; without a name it lists them",
        _bench,
        options=(
            _option("name", nargs="?", metavar="NAME", help="the benchmark, or `all`"),
            _option("rest", nargs="...", metavar="…", help="the benchmark's own options, e.g. --quick"),
        ),
        examples=(("bench", "lists them"),),
        environment="dev",
        installs=True,
        beside=("aws",),
    ),
)
COMMANDS = {command.name: command for command in _COMMANDS}
