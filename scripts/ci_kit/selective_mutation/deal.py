"""Deal mutants to the jobs of a run, so that all are likely to end at the same time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ci_kit.selective_mutation.estimate import mean_seconds
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.records import Records


def deal(mutants: Sequence[Mutant], records: Records, count: int) -> list[list[Mutant]]:
    """Every mutant in one of `count` lists, the longest first to the least loaded (LPT: Graham 1969).

    Every job of a run deals by itself: the same mutants and records give the same lists.
    """
    every = mean_seconds(records)
    weights = {
        (path, name): seconds / mutants
        for path, functions in records.costs.items()
        for name, (mutants, seconds) in functions.items()
    }

    def seconds(mutant: Mutant) -> float:
        return weights.get((mutant.path, mutant.function), every)

    dealt: list[list[Mutant]] = [[] for _ in range(count)]
    loads = [(0.0, 0, number) for number in range(count)]  # of equal loads the one with fewer mutants
    for mutant in sorted(mutants, key=lambda each: (-seconds(each), each.id)):
        load, held, number = loads[0]
        dealt[number].append(mutant)
        heapq.heapreplace(loads, (load + seconds(mutant), held + 1, number))
    return dealt
