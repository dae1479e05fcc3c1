"""Which mutants of a line are kept where there are more than a cap allows.

First one of each operator, in the order below, then the second of each, and so on: different mistakes before more of
the same (Petrovic and Ivankovic, ICSE-SEIP 2018, keep one a line). Conditions and checks are before values, and values
before the texts of messages. Equal places are decided by what is first in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ci_kit.selective_mutation.mutants import Mutant

ORDER = (
    "ci-kit:drop-raise",
    "ci-kit:condition-true",
    "ci-kit:condition-false",
    "ci-kit:drop-decorator",
    "ci-kit:drop-call",
    "ci-kit:return-true",
    "keywords",
    "swap-op",
    "remove-unary-ops",
    "name",
    "ci-kit:return-none",
    "ci-kit:return-argument",
    "if-exp",
    "match",
    "assignment",
    "number",
    "augmented-assignment",
    "arg-removal",
    "lambda",
    "symmetric-string-methods-swap",
    "unsymmetrical-string-methods-swap",
    "dict-arguments",
    "string",
)


def best_of_each_line(mutants: Iterable[Mutant], per_line: int) -> list[Mutant]:
    """At most `per_line` of the mutants that begin on a line, in the order that they came."""
    lines: dict[tuple[str, int], list[Mutant]] = {}
    every = list(mutants)
    for mutant in every:
        lines.setdefault((mutant.path, mutant.first_line), []).append(mutant)
    kept = {id(mutant) for line in lines.values() for mutant in _best(line, per_line)}
    return [mutant for mutant in every if id(mutant) in kept]


def _best(line: list[Mutant], most: int) -> list[Mutant]:
    met: Counter[str] = Counter()
    ranked = []
    for at, mutant in enumerate(line):
        place = ORDER.index(mutant.operator) if mutant.operator in ORDER else len(ORDER)
        ranked.append((met[mutant.operator], place, at))
        met[mutant.operator] += 1
    return [line[at] for _, _, at in sorted(ranked)[:most]]
