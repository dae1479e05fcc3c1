"""What fits into the time: the order in which mutants are judged, what they are likely to cost, and what costs most."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_kit.selective_mutation.covering import Covering
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.verdicts import Verdict

# Of the covering tests' own time, what a mutant costs on average: most are killed by one of the first tests.
USUAL_SHARE = 0.35
FORK_SECONDS = 0.03


@dataclass(frozen=True)
class Limits:
    """Seconds. A mutant may take `factor` times its tests' own time plus `floor` of processor time; the run `budget`.

    `workers` is the number of copies that are worked on side by side, None for one of each processor, at least two.
    """

    budget_seconds: float = 420.0
    factor: float = 5.0
    floor_seconds: float = 1.0
    workers: int | None = None


@dataclass(frozen=True)
class Cost:
    """What a target took: `seconds` of work on `mutants` of one file's function."""

    path: str
    function: str
    mutants: int
    seconds: float


def in_order(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Security first, then from every function in turn: where the time is short, no function goes without."""
    groups: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        groups[mutant.path, mutant.function].append(mutant)
    ranked = []
    for group in groups.values():
        group.sort(key=lambda mutant: not mutant.security)
        ranked += [(not mutant.security, rank, mutant) for rank, mutant in enumerate(group)]
    ranked.sort(key=lambda each: each[:2])
    return [mutant for *_, mutant in ranked]


def estimate_seconds(mutants: Iterable[Mutant], covering: Covering) -> float:
    """How long one worker is likely to need for the mutants."""
    choices = (covering.choose(mutant) for mutant in mutants)
    return sum(FORK_SECONDS + USUAL_SHARE * covering.seconds(choice.direct) for choice in choices if choice.all)


def costliest(mutants: Sequence[Mutant], verdicts: Mapping[str, Verdict], *, most: int = 5) -> tuple[Cost, ...]:
    """The targets that took longest, by file and function: what to take out of the list when a run is too long."""
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for mutant in mutants:
        if verdict := verdicts.get(mutant.id):
            took[mutant.path, mutant.function].append(verdict.seconds)
    costs = [Cost(path, function, len(found), math.fsum(found)) for (path, function), found in took.items()]
    return tuple(sorted(costs, key=lambda cost: -cost.seconds)[:most])
