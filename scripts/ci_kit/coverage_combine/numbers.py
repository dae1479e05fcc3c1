"""Counts of lines and branches. A percentage is only ever a way to show them, never to judge by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Counts:
    """Covered and countable lines (statements) and branches, as coverage counts them."""

    covered_lines: int = 0
    lines: int = 0
    covered_branches: int = 0
    branches: int = 0

    @property
    def covered(self) -> int:
        """Covered lines and branches."""
        return self.covered_lines + self.covered_branches

    @property
    def counted(self) -> int:
        """All lines and branches."""
        return self.lines + self.branches

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.covered_lines + other.covered_lines,
            self.lines + other.lines,
            self.covered_branches + other.covered_branches,
            self.branches + other.branches,
        )

    def reaches(self, percent: float) -> bool:
        """Whether the share that is covered is at least `percent`, exactly. Nothing to count reaches everything."""
        return self.missing_for(percent) <= 0

    def missing_for(self, percent: float) -> int:
        """How many more lines and branches must be covered to reach `percent`; negative or 0 when it is reached."""
        # The shortest decimal that means this float is the one a person wrote: 84.6, not 84.599999….
        return math.ceil(Fraction(repr(percent)) * self.counted / 100) - self.covered

    @property
    def hundredths(self) -> int | None:
        """The share in hundredths of a percent, rounded down, so that what is shown never claims more than there is."""
        return None if self.counted == 0 else 10_000 * self.covered // self.counted

    @property
    def percent(self) -> float | None:
        """The share as a number to show, such as 91.35; None when there is nothing to count."""
        return None if self.hundredths is None else self.hundredths / 100

    def __str__(self) -> str:
        return "nothing to cover" if self.hundredths is None else f"{self.hundredths // 100}.{self.hundredths % 100:02}"


def add(counts: Iterable[Counts]) -> Counts:
    """The sum."""
    return sum(counts, Counts())


@dataclass(frozen=True)
class FileCoverage:
    """One file of the repository. Lines count from 1; a missing branch is (from, to), with to < 0 for leaving."""

    path: str
    counts: Counts
    missing_lines: tuple[int, ...] = ()
    missing_branches: tuple[tuple[int, int], ...] = ()


def ranges(lines: Iterable[int]) -> list[str]:
    """`1, 2, 3, 7` as `1-3`, `7`."""
    found: list[list[int]] = []
    for line in sorted(set(lines)):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return [str(first) if first == last else f"{first}-{last}" for first, last in found]
