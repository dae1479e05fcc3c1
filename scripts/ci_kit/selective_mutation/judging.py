"""Scores and policies: what a set of verdicts means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_kit.config import MutationPolicy
from ci_kit.patterns import matches
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.verdicts import Status, Verdict

STATUSES: tuple[Status, ...] = ("killed", "timeout", "survived", "no-coverage", "pending", "error")


@dataclass(frozen=True)
class Judged:
    """One mutant and its verdict. `weakened`: the tests of the base notice it, those of the change do not any more.

    `new`: it survives here and not on the default branch.
    """

    mutant: Mutant
    verdict: Verdict
    weakened: bool = False
    new: bool = False

    @property
    def undetected(self) -> bool:
        """It was judged, and no test noticed it."""
        return self.verdict.status in {"survived", "no-coverage"}


@dataclass(frozen=True)
class Counts:
    """How many mutants have which verdict."""

    of: Mapping[str, int]

    @classmethod
    def of_verdicts(cls, verdicts: Iterable[Verdict]) -> Counts:
        """Every status has its number, 0 too."""
        found = Counter(verdict.status for verdict in verdicts)
        return cls({status: found[status] for status in STATUSES})

    @property
    def detected(self) -> int:
        """Killed, or stopped at their time limit."""
        return self.of["killed"] + self.of["timeout"]

    @property
    def valid(self) -> int:
        """Those that have a say: detected, survived or not covered by any test."""
        return self.detected + self.of["survived"] + self.of["no-coverage"]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.of.values())

    @property
    def score(self) -> float | None:
        """The share of detected ones in percent, rounded down to hundredths, as mutation-testing-elements defines it."""
        return self.detected * 10_000 // self.valid / 100 if self.valid else None


@dataclass(frozen=True)
class Policy:
    """What holds for the files that a pattern means. Without any mutant there it is met.

    `min_score` None: any score will do. `new` is how many survivors are new, None where that is not known; they matter
    when the policy `forbids_new` ones.
    """

    pattern: str
    min_score: float | None
    counts: Counts
    forbids_new: bool = False
    new: int | None = None

    @property
    def reached(self) -> bool:
        """The score is. Mutants of which none was judged reach none."""
        if not self.counts.total:
            return True
        return self.counts.valid > 0 and self.counts.detected * 100 >= (self.min_score or 0) * self.counts.valid

    @property
    def passed(self) -> bool:
        """All of it holds, as far as it can be told."""
        return self.reached and not (self.forbids_new and self.new)


def judge(judged: Sequence[Judged], policies: Mapping[str, MutationPolicy], *, compared: bool) -> tuple[Policy, ...]:
    """Each policy with the mutants of its files; a file may count for several. `compared`: what is new is known."""

    def one(pattern: str, policy: MutationPolicy) -> Policy:
        mine = [each for each in judged if matches(pattern, each.mutant.path)]
        counts = Counts.of_verdicts(each.verdict for each in mine)
        new = sum(each.new for each in mine) if compared else None
        return Policy(pattern, policy.min_score, counts, policy.new_survivors == "forbid", new)

    return tuple(one(pattern, policy) for pattern, policy in policies.items())
