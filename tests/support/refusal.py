"""What a check says: for checks that return nothing when all is well, so that a test of what is taken has an assertion."""

from collections.abc import Callable
from typing import Any

from ticklake.core.errors import TicklakeError


def refusal(check: Callable[..., Any], *arguments: Any) -> str | None:
    """The words in which it refuses the arguments; None when it takes them."""
    try:
        check(*arguments)
    except TicklakeError as e:
        return str(e)
    return None
