"""Uncovered code in pieces that one test would reach: runs of statements that no test ran, and branches never taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_kit.coverage_combine.numbers import FileCoverage


@dataclass(frozen=True)
class Block:
    """Statements of one function that follow each other and never ran, with the branches in and into them.

    `function` is empty for code outside of functions. `first` and `last` are lines of the file. Without `lines` it is
    one branch that was never taken, from `first` to `to` (negative: out of the function). `tests` is how many tests it
    takes at most: each way to fork inside needs one more (the cyclomatic number of the block, McCabe 1976, section II).
    """

    path: str
    function: str
    first: int
    last: int
    lines: int
    branches: int
    tests: int = 1
    to: int = 0

    @property
    def gain(self) -> int:
        """Lines and branches that count once it is covered."""
        return self.lines + self.branches

    @property
    def place(self) -> str:
        """`12` or `12-18`."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def blocks(files: Iterable[FileCoverage], data: Mapping[str, Any]) -> list[Block]:
    """The blocks of what is missing in `files`, by file and line.

    `data` is coverage's JSON report. A file may name fewer missing lines and branches than the report does (only the
    changed ones): then only these count, but what lies between them still holds a block together.
    """
    return [block for file in files for block in _file(file, data["files"][file.path])]


def _file(file: FileCoverage, part: Mapping[str, Any]) -> list[Block]:
    if not file.missing_lines and not file.missing_branches:
        return []
    lines = frozenset(file.missing_lines)
    branches: dict[int, list[int]] = {}
    for start, end in file.missing_branches:
        branches.setdefault(start, []).append(end)
    found: list[Block] = []
    for name, function in (part.get("functions") or {"": part}).items():
        found += _function(file.path, name, function, lines, branches)
    return sorted(found, key=lambda block: (block.first, block.last))


def _function(
    path: str, name: str, part: Mapping[str, Any], wanted: frozenset[int], branches: Mapping[int, Sequence[int]]
) -> Iterator[Block]:
    executed: list[int] = part["executed_lines"]
    missing: list[int] = part["missing_lines"]
    if not wanted.intersection(missing) and not branches.keys() & {*executed, *missing}:
        return
    entered: set[tuple[int, int]] = set()
    for run in _runs(executed, missing):
        inside = frozenset(run)
        mine = [line for line in run if line in wanted]
        within = [(start, end) for start in run for end in branches.get(start, ())]
        into = [(start, end) for start in executed for end in branches.get(start, ()) if end in inside]
        entered.update(into)
        if mine or within:
            forks = len(within) - len({start for start, _ in within})
            places = mine or [start for start, _ in within]
            yield Block(path, name, places[0], places[-1], len(mine), len(within) + len(into), 1 + forks)
        else:  # the statements behind it are not asked for, the way there is
            yield from (Block(path, name, start, start, 0, 1, to=end) for start, end in into)
    for start in executed:
        for end in branches.get(start, ()):
            if (start, end) not in entered:
                yield Block(path, name, start, start, 0, 1, to=end)


def _runs(executed: Iterable[int], missing: Iterable[int]) -> Iterator[list[int]]:
    """Missing lines with no executed one between them."""
    run: list[int] = []
    for line, ran in sorted([*((line, True) for line in executed), *((line, False) for line in missing)]):
        if not ran:
            run.append(line)
        elif run:
            yield run
            run = []
    if run:
        yield run
