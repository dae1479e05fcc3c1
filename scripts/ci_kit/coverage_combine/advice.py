"""What to cover first when a gate says no: as few tests as close the gap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_kit.config import Component
from ci_kit.coverage_combine.blocks import Block, blocks
from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.patterns import matches

MOST_GATES = 20
"""So many are advised on; more are files under the floor, and each of these is its own advice."""


@dataclass(frozen=True)
class Advice:
    """Blocks that close the gap of the gate `of`, the most gain a test first. `gap`: missing lines and branches."""

    of: str
    gap: int
    blocks: tuple[Block, ...]

    @property
    def gain(self) -> int:
        """What all blocks together bring."""
        return sum(block.gain for block in self.blocks)

    @property
    def tests(self) -> int:
        """About how many tests that takes."""
        return sum(block.tests for block in self.blocks)


def advise(of: str, gap: int, found: Iterable[Block]) -> Advice:
    """Take blocks greedily, most gain a test first, until `gap` is closed; then leave out what is not needed for it.

    Greedy, because the best choice is a knapsack problem and a test's true gain is known only when it is written.
    """
    ordered = sorted(found, key=lambda block: (-block.gain / block.tests, -block.gain, block.path, block.first))
    taken: list[Block] = []
    gain = 0
    for block in ordered:
        if gain >= gap:
            break
        taken.append(block)
        gain += block.gain
    for block in sorted(taken, key=lambda block: (-block.tests, block.gain)):
        if gain - block.gain >= gap:
            taken.remove(block)
            gain -= block.gain
    return Advice(of, gap, tuple(taken))


def advice_for(
    failed: Sequence[Gate],
    components: Sequence[Component],
    files: Sequence[FileCoverage],
    changed: Sequence[FileCoverage],
    data: Mapping[str, Any],
) -> tuple[Advice, ...]:
    """Advice on each of the `failed` gates. `changed` are the changed parts of `files`, `data` coverage's JSON report."""
    return tuple(
        advise(_name(gate), gate.short_by, blocks(_of(gate, components, files, changed), data))
        for gate in failed[:MOST_GATES]
    )


def advice_on_regression(
    gap: int, lost: Sequence[FileCoverage], files: Sequence[FileCoverage], data: Mapping[str, Any]
) -> Advice:
    """What to cover to be no worse than before: what this change `lost`, and where that is not enough whatever there is."""
    for candidates in (lost, files):
        advice = advise("no regression", gap, blocks(candidates, data))
        if advice.gain >= gap:
            break
    return advice


def _name(gate: Gate) -> str:
    return f"{gate.kind} {gate.name}" if gate.kind in ("component", "file") else gate.name


def _of(
    gate: Gate, components: Sequence[Component], files: Sequence[FileCoverage], changed: Sequence[FileCoverage]
) -> Sequence[FileCoverage]:
    """What the gate counts."""
    if gate.kind == "patch":
        return changed
    if gate.kind == "file":
        return [file for file in files if file.path == gate.name]
    if gate.kind == "component":
        patterns = [pattern for component in components if component.name == gate.name for pattern in component.paths]
        return [file for file in files if any(matches(pattern, file.path) for pattern in patterns)]
    return files
