"""A percentage over the last commits, small enough for one line, and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_POINTS = 3
LEAST_SPAN = 100
"""Hundredths of a percent that the sparkline is high at least, so that noise does not look like a mountain."""
_BARS = "▁▂▃▄▅▆▇█"
# The totals blue, the gate red: of Mermaid's own colours the first can hardly be seen on white.
_COLOURS = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#1f6feb, #cf222e"}}}}%%'


@dataclass(frozen=True)
class Point:
    """The percentage at one commit, in hundredths of a percent."""

    commit: str
    hundredths: int


def sparkline(points: Sequence[Point]) -> str:
    """`▁▃▄█`, oldest first; empty for fewer than three points."""
    if len(points) < LEAST_POINTS:
        return ""
    values = [point.hundredths for point in points]
    low, high = min(values), max(values)
    if high - low < LEAST_SPAN:
        low, high = _around((low + high) // 2)
    return "".join(_BARS[(value - low) * (len(_BARS) - 1) // (high - low)] for value in values)


def _around(middle: int) -> tuple[int, int]:
    low = min(max(0, middle - LEAST_SPAN // 2), 10_000 - LEAST_SPAN)
    return low, low + LEAST_SPAN


def chart(points: Sequence[Point], what: str, threshold: float | None = None) -> list[str]:
    """A Mermaid chart of the values, oldest first, with the gate's threshold as a line; nothing for fewer than three.

    `what` names the percentage.
    """
    if len(points) < LEAST_POINTS:
        return []
    values = [point.hundredths / 100 for point in points]
    shown = [*values, *([] if threshold is None else [threshold])]
    low = max(0, int(min(shown)) - 1)
    high = min(100, int(max(shown)) + 2)
    axis = ", ".join(f'"{index - len(values) + 1}"' for index in range(len(values)))
    gate = "" if threshold is None else f", and the gate at {threshold:g} %"
    return [
        "```mermaid",
        _COLOURS,
        "xychart-beta",
        f'    title "{what} in percent, commit by commit{gate}"',
        f"    x-axis [{axis}]",
        f'    y-axis "percent" {low} --> {high}',
        f"    line [{', '.join(f'{value:g}' for value in values)}]",
        *([] if threshold is None else [f"    line [{', '.join([f'{threshold:g}'] * len(values))}]"]),
        "```",
        "",
    ]
