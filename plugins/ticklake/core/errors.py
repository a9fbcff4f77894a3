"""The project's own errors: each names the thing that is wrong and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TicklakeError(Exception):
    """Base of every error raised on purpose.

    Args:
        problem: what is wrong, with the name of the thing.
        remedy: what the reader can do about it; empty when the problem says it already.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}".strip())


class SettingsError(TicklakeError):
    """An environment variable, a connection, a Param or a key of the stream file is missing, unknown or of the wrong form."""


class NotOverError(SettingsError):
    """A minute was asked for that is not over: by a wrong key, or by a clock that is a moment ahead. A retry succeeds."""


class InputError(TicklakeError):
    """A file given to the pipeline cannot be read as what it should be; names file, line and column."""


class KafkaError(TicklakeError):
    """Kafka did not do what was asked in time, or answered with an error."""


class LakeError(TicklakeError):
    """S3, Glue or Athena did not do what was asked."""


class LostOffsetsError(TicklakeError):
    """Kafka no longer has offsets that an unsealed minute needs (retention); the loss is written in its manifest."""


class NotRestoredError(LostOffsetsError):
    """Objects of a sealed minute are missing or damaged, and neither Kafka nor the bucket's versions have them any more.

    Args:
        problem: what is wrong, with the names of the objects.
        remedy: what the reader can do about it.
        rewritten: keys of the minute's other objects that could be written again.
        restored: those of them that came from the bucket's versions.
    """

    def __init__(
        self, problem: str, remedy: str = "", rewritten: tuple[str, ...] = (), restored: tuple[str, ...] = ()
    ) -> None:
        super().__init__(problem, remedy)
        self.rewritten = rewritten
        self.restored = restored


class DiskError(TicklakeError):
    """The worker's disk does not take what waits there to be uploaded."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that is not known: the one that was meant, else all that are known."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
