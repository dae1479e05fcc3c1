"""What mutants are likely to take, and how many jobs that is: from what earlier runs took, else from the lines of code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ci_kit.selective_mutation.records import Records
from ci_kit.selective_mutation.targets import MOST_OF_A_CHANGE, PER_CHANGED_LINE, Targets

SECONDS_PER_MUTANT = 0.3
MUTANTS_PER_LINE = 2.0
FIXED_SECONDS = 40.0
"""Of a job: copying, the unmutated run, the controls."""
ROOM = 0.8
"""Of the budget, what is planned with: estimates are wrong."""
LEAST_ROOM_SECONDS = 60.0
LAST_RUNS = 5


@dataclass(frozen=True)
class Estimate:
    """Seconds of work on all mutants, what each job takes beside that, and whether earlier runs tell so."""

    mutants: int
    work_seconds: float
    fixed_seconds: float
    recorded: bool

    def shards(self, budget_seconds: float, workers: int, most: int) -> int:
        """As many jobs as bring each under the budget, none with less work than it costs to start, at most `most`."""
        wall = self.work_seconds / max(workers, 1)
        room = max(LEAST_ROOM_SECONDS, ROOM * budget_seconds - self.fixed_seconds)
        worth = max(1, int(wall / max(self.fixed_seconds, 1.0)))
        return max(1, min(math.ceil(wall / room), worth, most))


def estimate(targets: Targets, records: Records) -> Estimate:
    """For the chosen lines of the sources, all of them where `wanted` is None."""
    every = mean_seconds(records)
    count, seconds = 0.0, 0.0
    for path, text in targets.sources.items():
        known = records.costs.get(path, {}).values()
        mutants, took = sum(each for each, _ in known), sum(each for _, each in known)
        lines = code_lines(text)
        if targets.wanted is not None:
            chosen = min(lines, len(targets.wanted.get(path, ())))
            here = min(mutants or math.inf, PER_CHANGED_LINE * chosen)
        else:
            here = mutants or MUTANTS_PER_LINE * lines
        count += here
        seconds += here * (took / mutants if mutants else every)
    if targets.wanted is not None and count > MOST_OF_A_CHANGE:
        seconds *= MOST_OF_A_CHANGE / count
        count = MOST_OF_A_CHANGE
    fixed = max((run.fixed_seconds for run in records.runs[-LAST_RUNS:]), default=FIXED_SECONDS)
    return Estimate(math.ceil(count), seconds, fixed, bool(records.costs))


def mean_seconds(records: Records) -> float:
    """Of one mutant."""
    counts = [count for functions in records.costs.values() for count, _ in functions.values()]
    took = math.fsum(seconds for functions in records.costs.values() for _, seconds in functions.values())
    return took / sum(counts) if counts else SECONDS_PER_MUTANT


def code_lines(text: str) -> int:
    """Lines that are neither empty nor only a comment."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.split("\n"))


def costs_of(taken: Iterable[tuple[str, str, float]]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
    """By path and function, of (path, function, seconds) of each mutant that was run."""
    found: dict[str, dict[str, tuple[int, float]]] = {}
    for path, function, seconds in taken:
        functions = found.setdefault(path, {})
        count, before = functions.get(function, (0, 0.0))
        functions[function] = (count + 1, before + seconds)
    return found
