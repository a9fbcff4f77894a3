"""The headers of a Kafka message, as confluent-kafka gives them."""

from __future__ import annotations

from operator import methodcaller
from typing import Any

Headers = tuple[tuple[str, bytes | None], ...]

_ask = methodcaller("headers")


def headers_of(message: Any) -> Headers | None:
    """The message's headers; None when the client cannot read them. To be asked once only.

    For a header whose name is not UTF-8, confluent-kafka sets an error and still returns a list, with holes in place of
    strings. A plain call of the method may miss the error (the interpreter's fast path does not look for it) and then touching
    the list kills the process; a ``methodcaller`` always looks.
    """
    try:
        return tuple(_ask(message) or ())
    except (SystemError, UnicodeDecodeError):
        return None
