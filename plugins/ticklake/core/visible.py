"""Texts that came from outside, as a log and a terminal may show them."""

from __future__ import annotations

import re

# What begins a line, moves the cursor, colours, or turns the direction of reading: controls, line and paragraph separators,
# and the marks for writing from right to left.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text on one line with such characters as escapes: a record's value cannot write log lines of its own."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
