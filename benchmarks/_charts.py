"""Small pictures as SVG, drawn without any library, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _ROW, _LEFT, _RIGHT = 720, 34, 250, 90
_COLOURS = ("#3b7dd8", "#d9822b", "#2a9d62", "#a04fc4", "#c0392b")
_STYLE = (
    "<style>text{font:13px sans-serif;fill:#57606a}.n{font-weight:bold}"
    "@media(prefers-color-scheme:dark){text{fill:#adbac7}}</style>"
)


def bars(values: Mapping[str, Sequence[float]], unit: str) -> str:
    """A bar for each [minimum, median, maximum]: the bar is the median, the line its range."""
    longest = max(high for _, _, high in values.values())
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    parts = []
    for n, (name, (low, middle, high)) in enumerate(values.items()):
        y = 8 + n * _ROW
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 17}" text-anchor="end">{escape(name[:36])}</text>')
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{max(middle * scale, 1):.1f}" height="24" rx="3" fill="{_COLOURS[0]}"/>'
        )
        ends = f"M{_LEFT + low * scale:.1f} {y + 12}H{_LEFT + high * scale:.1f}"
        parts.append(f'<path d="{ends}" stroke="{_COLOURS[1]}" stroke-width="3"/>')
        parts.append(f'<text class="n" x="{_LEFT + high * scale + 6:.1f}" y="{y + 17}">{_short(middle)}</text>')
    height = 8 + len(values) * _ROW + 18
    parts.append(f'<text x="{_LEFT}" y="{height - 6}">{escape(unit)}</text>')
    return _svg(height, parts)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> str:
    """A line for each series of (x, y); x is logarithmic, y begins at 0."""
    xs = [math.log10(x) for points in series.values() for x, _ in points]
    top = 1.1 * max(y for points in series.values() for _, y in points)
    left, right, height, bottom = 60, 170, 320, 270
    low, span = min(xs), max(max(xs) - min(xs), 1)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (math.log10(x) - low) / span * (_WIDTH - left - right), bottom - y / top * (bottom - 20)

    parts = []
    for n in range(5):
        y = top * n / 4
        at = place(10**low, y)[1]
        parts.append(f'<path d="M{left} {at:.1f}H{_WIDTH - right}" stroke="#8884"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(y)}</text>')
    for x in sorted({x for points in series.values() for x, _ in points}):
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{bottom + 20}" text-anchor="middle">{_short(x)}</text>')
    for n, (name, points) in enumerate(series.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in (place(x, y) for x, y in points))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in (place(x, y) for x, y in points)
        ]
        parts.append(f'<rect x="{_WIDTH - right + 14}" y="{26 + 22 * n}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - right + 32}" y="{37 + 22 * n}">{escape(name)}</text>')
    parts.append(f'<text x="{left}" y="14">{escape(up)}</text>')
    parts.append(f'<text x="{_WIDTH - right}" y="{height - 8}" text-anchor="end">{escape(across)}</text>')
    return _svg(height, parts)


def _svg(height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">{_STYLE}\n{body}\n</svg>\n'
    )


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
