"""Tables for the task log and the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ticklake.core.visible import visible


def text_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows in aligned columns under a header: whole numbers to the right with thousands commas, all else to the left."""
    table = [[_text(cell) for cell in row] for row in rows]
    body = [[visible(name) for name in header], *table]
    widths = [max(len(row[n]) for row in body) for n in range(len(header))]
    right = [bool(table) and all(_is_number(row[n]) for row in table) for n in range(len(header))]
    lines = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in body
    ]
    return "\n".join([lines[0], "  ".join("-" * min(w, 40) for w in widths), *lines[1:]])


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else visible(str(cell))


def _is_number(text: str) -> bool:
    return text.replace(",", "").lstrip("-").isdigit()
