"""How the launcher's command line is read: what a command is, its help, a mistake in one line.

Only the standard library: `--help` works before anything is installed.
"""

from __future__ import annotations

import argparse
import difflib
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.home import DEFAULT_PORT_BASE, Home
from ticklake.core.errors import TicklakeError

_DESCRIPTION = "Every minute of a Kafka topic in S3 exactly once, countable in Athena. Runs it all on this machine."
_MORE = f"""\
Each has more to say, with examples: ./ticklake up --help

environment:
  TICKLAKE_HOME       folder of the stack instead of .ticklake/ (data, logs, environments)
  TICKLAKE_PORT_BASE  first port instead of {DEFAULT_PORT_BASE}: Airflow takes +80, Kafka +92 and on, the AWS stand-in +66
  TICKLAKE_CSV        file that the producer reads instead of include/data/indexProcessed.csv: any CSV with a header
  TICKLAKE_CSV_KEY    its column that is the record's key instead of the stream's
  TICKLAKE_TOOLS      folder of environments and jars, so that several stacks share them

exit codes: 0 done, 1 it failed and says why, 2 wrong command or option, 130 stopped by Ctrl-C
"""


class UsageError(TicklakeError):
    """The command line is not one that the launcher takes."""


@dataclass(frozen=True)
class Option:
    """One argument of a command, as argparse's ``add_argument`` takes it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One subcommand.

    ``environment`` is the one it runs in (None: any Python will do), ``installs`` whether it may make that and those ``beside``
    it. With ``verbatim`` all that follows the name belongs to another program: it arrives as ``options.rest``.
    """

    name: str
    summary: str
    run: Callable[[Home, Namespace], int]
    options: tuple[Option, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    exit_codes: str = "0 done, 1 it failed and says why"
    environment: str | None = "venv"
    installs: bool = False
    beside: tuple[str, ...] = ()
    verbatim: bool = False


def read(arguments: Sequence[str], commands: Mapping[str, Command]) -> tuple[Command, Namespace] | None:
    """Read the command line; None when it was only help that was asked for, and given. Raises UsageError."""
    given = arguments[0] if arguments else "--help"
    if not given.startswith("-") and given not in commands:
        near = difflib.get_close_matches(given, commands, n=1)
        hint = f"Did you mean ./ticklake {near[0]}? " if near else ""
        raise UsageError(f"{given!r} is not a command.", f"{hint}All of them: ./ticklake --help")
    command = commands.get(given)
    if command and command.verbatim and arguments[1:] not in (["-h"], ["--help"]):
        # Everything behind these belongs to the other program, options too, which argparse would claim for itself.
        return command, Namespace(command=given, rest=list(arguments[1:]))
    try:
        options = _parser(commands).parse_args(arguments or ["--help"])
    except SystemExit:  # argparse has printed the help; a mistake is a UsageError
        return None
    return commands[options.command], options


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line, where argparse would print the whole usage before it."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help")


def _parser(known: Mapping[str, Command]) -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="./ticklake", description=_DESCRIPTION, epilog=_MORE, formatter_class=plain)
    commands = parser.add_subparsers(
        dest="command", title="commands", required=True, metavar="COMMAND", parser_class=_Parser
    )
    for command in known.values():
        epilog = f"{_examples(command)}exit codes: {command.exit_codes}"
        title = f"{command.summary[:1].upper()}{command.summary[1:]}."
        sub = commands.add_parser(
            command.name, help=command.summary, description=title, epilog=epilog, formatter_class=plain
        )
        for option in command.options:
            sub.add_argument(*option.names, **option.settings)
    return parser


def _examples(command: Command) -> str:
    width = max((len(line) for line, _ in command.examples), default=0)
    lines = [f"  ./ticklake {line:<{width}}  {what}".rstrip() for line, what in command.examples]
    return "\n".join(["examples:", *lines, "", ""]) if lines else ""
