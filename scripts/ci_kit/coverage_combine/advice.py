"""What to cover first when a gate says no: as few tests as close the gap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ci_kit.coverage_combine.blocks import Block


@dataclass(frozen=True)
class Advice:
    """Blocks that close a gate's gap, the most gain a test first. `gap`: lines and branches that are missing to it."""

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


def advise(gap: int, found: Iterable[Block]) -> Advice:
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
    return Advice(gap, tuple(taken))
