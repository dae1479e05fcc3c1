"""What the history remembers of coverage: one record for each of the last commits of the default branch.

`ci_kit.history_coverage_pack` makes them small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Range = tuple[int, int]


@dataclass(frozen=True)
class FileRecord:
    """One file: how many lines and branches count, which lines are uncovered (first, last), and which branches.

    A branch is (from, to), with `to` < 0 for leaving. Sorted, without overlap.
    """

    lines: int
    branches: int = 0
    missing_lines: tuple[Range, ...] = ()
    missing_branches: tuple[Range, ...] = ()

    @property
    def covered_lines(self) -> int:
        """Lines that count and are covered."""
        return self.lines - sum(last - first + 1 for first, last in self.missing_lines)

    @property
    def covered_branches(self) -> int:
        """Branches that count and are covered."""
        return self.branches - len(self.missing_branches)

    @property
    def covered(self) -> int:
        """Covered lines and branches."""
        return self.covered_lines + self.covered_branches

    @property
    def counted(self) -> int:
        """All lines and branches."""
        return self.lines + self.branches

    def uncovered_lines(self) -> frozenset[int]:
        """The numbers of the uncovered lines."""
        return frozenset(line for first, last in self.missing_lines for line in range(first, last + 1))


@dataclass(frozen=True)
class CoverageRecord:
    """Coverage at one commit. `at` is ISO 8601 in UTC, `python` and `coverage` are the versions that analysed it.

    `legs` says which tests it rests on, as `tier · Python 3.12`. `components` maps a name to covered and counted.
    """

    commit: str
    at: str
    files: Mapping[str, FileRecord]
    legs: frozenset[str] = frozenset()
    branch: bool = False
    python: str = ""
    coverage: str = ""
    components: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def covered(self) -> int:
        """Covered lines and branches of all files."""
        return sum(file.covered for file in self.files.values())

    @property
    def counted(self) -> int:
        """Lines and branches of all files."""
        return sum(file.counted for file in self.files.values())


def leg_name(tier: str, python: str) -> str:
    """How a record names the tests of one tier on one Python."""
    return f"{tier} · Python {python}"
