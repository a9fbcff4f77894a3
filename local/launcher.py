"""What `./ticklake` does: reads the command, makes the environment it needs, goes on in there."""

from __future__ import annotations

import errno
import os
import sys

from local import environments
from local.cli import parse
from local.command_line import Command, UsageError
from local.home import Home
from local.terminal import complain
from ticklake.core.errors import TicklakeError

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        parsed = parse(arguments)
        if parsed is None:
            return 0
        command, options = parsed
        _keep_proxies_away()
        home = Home.from_env()
        _be_in_environment(home, command, arguments)
        return command.run(home, options)
    except TicklakeError as e:
        complain(str(e))
        return 2 if isinstance(e, UsageError) else 1
    except BrokenPipeError:
        # The reader, such as `head`, has had enough; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as e:
        if e.errno not in _DISK:
            raise  # a mistake of ours: show where
        complain(
            f"{e.filename or 'The folder of the stack'} cannot be written: {e.strerror}. "
            "Free some space or give yourself the right to write there, or set TICKLAKE_HOME to another folder."
        )
        return 1


def _keep_proxies_away() -> None:
    """All parts are on this machine: a proxy of the user's must not get in between."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, ["127.0.0.1,localhost", os.environ.get(name)]))


def _be_in_environment(home: Home, command: Command, arguments: list[str]) -> None:
    """Return when this process runs where the command can run; otherwise go on there, in a new interpreter."""
    if command.environment is None:
        return
    here = environments.inside(home)
    if command.installs:
        environments.prepare(home, [here or command.environment, *command.beside])
    if here in ("dev", command.environment):  # `dev` holds all of `venv`.
        return
    if not environments.usable(home, command.environment):
        raise environments.InstallError("Nothing is set up here yet.", "Start with: ./ticklake up")
    environments.go_on_in(home, command.environment, arguments)
