"""The last runs as a small chart: how long all tests took together, and how many were flaky."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_RUNS = 3


def chart(trend: Sequence[tuple[float, int]]) -> list[str]:
    """Mermaid charts of seconds and flaky tests by run, this run last; nothing for fewer than three runs before it."""
    if len(trend) <= LEAST_RUNS:
        return []
    seconds = [round(total, 1) for total, _ in trend]
    flaky = [count for _, count in trend]
    return [
        *_chart("All tests together, in seconds, run by run", "seconds", seconds),
        *(
            _chart("Flaky tests, run by run", "tests", flaky)
            if any(flaky)
            else ["No test was flaky in these runs.", ""]
        ),
    ]


def _chart(title: str, unit: str, values: Sequence[float]) -> list[str]:
    axis = ", ".join(f'"{index - len(values) + 1}"' for index in range(len(values)))
    most = max(1, *values)
    numbers = ", ".join(f"{value:g}" for value in values)
    return [
        "```mermaid",
        "xychart-beta",
        f'    title "{title}"',
        f"    x-axis [{axis}]",
        f'    y-axis "{unit}" 0 --> {most:g}',
        f"    bar [{numbers}]",
        "```",
        "",
    ]
