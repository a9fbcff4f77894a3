"""`./ticklake down`: ends every part, whole sessions, in an order that loses nothing."""

from __future__ import annotations

import shutil

from local.home import Home
from local.processes import Part, stop
from local.stack import AWS, HOUSEKEEPER, Stack
from local.terminal import doing, say


def down(stack: Stack, wipe: bool) -> int:
    """Stop everything; with ``wipe`` remove all of the stack's folder but the installed tools. Returns 0."""
    home, parts = stack.home, stack.parts
    known = parts.all()
    running = [part for part in known if part.members()]
    for title, group, grace in _groups(running):
        if group:
            say(f"stopping {title}")
            with doing(f"stopping {title}"):
                stop(group, grace)
    for part in known:
        parts.forget(part)
    if wipe:
        _wipe(home)
        say(f"all stopped; data, logs and settings removed from {home.folder} (installed tools stay)")
    elif running:
        say(f"all stopped; the data stays in {home.folder}")
    else:
        say("nothing was running")
    return 0


def _groups(parts: list[Part]) -> list[tuple[str, list[Part], float]]:
    """In the order of their end: who writes before whom it writes to, so that the last records still reach Kafka.

    With each the seconds after which what is left is killed. A broker whose controllers are gone waits for them for
    minutes; what it has acknowledged is with the system then, and safe. The API waits for
    the browsers that look at it.
    """
    api = "airflow-api-server"  # running tasks report their end to it
    return [
        ("Airflow's scheduler and tasks", [p for p in parts if p.name.startswith("airflow-") and p.name != api], 20),
        ("the housekeeper", [p for p in parts if p.name == HOUSEKEEPER], 8),
        ("Airflow's API", [p for p in parts if p.name == api], 8),
        ("Kafka", [p for p in parts if p.name.startswith("kafka-")], 8),
        ("the AWS stand-in", [p for p in parts if p.name == AWS], 20),
    ]


def _wipe(home: Home) -> None:
    for entry in home.folder.iterdir() if home.folder.exists() else ():
        if entry == home.tools or entry in home.tools.parents:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
