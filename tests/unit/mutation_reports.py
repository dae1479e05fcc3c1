"""Mutants and verdicts made by hand, for the tests of what is told of them."""

from __future__ import annotations

from ci_kit.mutation_decision import Decision
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.result import Result
from ci_kit.selective_mutation.verdicts import Status, Verdict

SOURCE = "def allowed(user):\n    if user.admin:\n        return True\n    return False\n"
DECISION = Decision(
    True, "diff", ("app/jwt.py",), False, "The pull request touches security-critical code: app/jwt.py."
)


def mutant(
    before: str,
    after: str,
    *,
    operator: str = "ci-kit:condition-true",
    source: str = SOURCE,
    path: str = "app/jwt.py",
    function: str = "allowed",
) -> Mutant:
    """The change of the first place where `before` stands."""
    start = source.index(before)
    first = source.count("\n", 0, start) + 1
    last = first + before.rstrip("\n").count("\n")
    return Mutant(
        f"{path}-{start}-{after}", path, function, 1, first, last, operator, before, after,
        security=operator.startswith("ci-kit:"), start=start, original=source,
    )  # fmt: skip


def judged(
    found: Mutant,
    status: Status = "survived",
    *tests: str,
    killer: str | None = None,
    detail: str = "",
    weakened: bool = False,
) -> Judged:
    """A mutant with its verdict."""
    return Judged(found, Verdict(found.id, status, tests, killer, 0.25, detail=detail), weakened)


def result(*found: Judged, **other: object) -> Result:
    """A run of a pull request."""
    return Result("ci", "c" * 40, DECISION, judged=found, **other)  # type: ignore[arg-type]
