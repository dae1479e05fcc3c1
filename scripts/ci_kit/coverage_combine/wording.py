"""Numbers and places in words, the same in the log, the summary and the annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ci_kit.coverage_combine.blocks import Block
from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.numbers import FileCoverage, ranges

RANGES_SHOWN = 12


def counted(lines: int, branches: int) -> str:
    """`3 lines and 1 branch`; without what is none."""
    parts = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in ((lines, "line", "lines"), (branches, "branch", "branches"))
        if number
    ]
    return " and ".join(parts) or "nothing"


def many(count: int, unit: str) -> str:
    """`12 lines and branches`, `1 changed line or branch`; `unit` ends with `lines` or `lines and branches`."""
    one = unit.replace("lines and branches", "line or branch").removesuffix("s")
    return f"{count} {one if count == 1 else unit}"


def in_files(count: int) -> str:
    """`1 file`, `12 files`."""
    return f"{count} file{'' if count == 1 else 's'}"


def margin(gate: Gate, unit: str) -> str:
    """How far the counts are from the threshold, in lines and branches."""
    if not gate.counts.counted:
        return "nothing to cover"
    side = "short of" if gate.short_by > 0 else "above"
    return f"{many(abs(gate.short_by), unit)} {side} {gate.threshold:g} %" if gate.short_by else f"just at {gate.threshold:g} %"  # fmt: skip


def uncovered(file: FileCoverage) -> str:
    """The uncovered lines, and branches that leave covered ones."""
    return places(file.missing_lines, file.missing_branches)


def places(lines: Collection[int], branches: Iterable[tuple[int, int]]) -> str:
    """`3, 7-9, 12→15 and 2 more`; a branch that starts in one of the lines is not named once more."""
    parts = [*ranges(lines), *(_way(start, end) for start, end in branches if start not in lines)]
    shown = ", ".join(parts[:RANGES_SHOWN])
    return f"{shown} and {len(parts) - RANGES_SHOWN} more" if len(parts) > RANGES_SHOWN else shown


def place(block: Block) -> str:
    """`12-18`, or `12→15` for a branch alone."""
    return block.place if block.lines else _way(block.first, block.to)


def _way(start: int, end: int) -> str:
    return f"{start}→{end if end > 0 else 'exit'}"


def way_legend(rows: Iterable[str]) -> list[str]:
    """What an arrow means, where one is shown."""
    said = "An arrow is a branch that was never taken: from the one line to the other, or out of the function."
    return [said, ""] if any("→" in row for row in rows) else []
