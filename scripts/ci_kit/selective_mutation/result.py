"""The result of the room, and the report `selective-mutation.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ci_kit.mutation_decision import Decision
from ci_kit.selective_mutation.budget import Cost
from ci_kit.selective_mutation.judging import Counts, Judged, Policy
from ci_kit.selective_mutation.mutants import Generated

NAME = "selective-mutation"
ALARM_SECONDS = 600.0
Outcome = Literal["passed", "failed", "nothing", "not-run", "interrupted"]
NONE = Generated((), {}, ())


@dataclass(frozen=True)
class Result:
    """`unmutated` are changed security-critical lines for which no mutant exists, as (path, first line, last line).

    `interrupted`: the run was ended from outside, and this is what there was until then.
    """

    name: str
    commit: str
    decision: Decision
    generated: Generated = NONE
    judged: tuple[Judged, ...] = ()
    policies: tuple[Policy, ...] = ()
    unmutated: tuple[tuple[str, int, int], ...] = ()
    costliest: tuple[Cost, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """All mutants."""
        return Counts.of_verdicts(each.verdict for each in self.judged)

    @property
    def weakened(self) -> tuple[Judged, ...]:
        """What the base's tests noticed and the change's do not."""
        return tuple(each for each in self.judged if each.weakened)

    @property
    def undetected(self) -> tuple[Judged, ...]:
        """What no test noticed; security first, and what the change itself let go before all."""
        found = [each for each in self.judged if each.undetected]
        found.sort(key=lambda each: (not each.weakened, not each.mutant.security, each.mutant.path, each.mutant.start))
        return tuple(found)

    @property
    def failed(self) -> tuple[Policy, ...]:
        """The policies that are not met."""
        return tuple(policy for policy in self.policies if not policy.passed)

    @property
    def outcome(self) -> Outcome:
        """`nothing`: there was nothing to mutate, which is neutral."""
        if not self.decision.run:
            return "not-run"
        if self.interrupted:
            return "interrupted"
        if not self.judged:
            return "nothing"
        return "failed" if self.failed or self.weakened else "passed"

    @property
    def too_long(self) -> bool:
        """The alarm."""
        return self.seconds > ALARM_SECONDS

    def as_json(self) -> dict[str, Any]:
        """The report."""
        return {
            "schema": f"ci-kit/{NAME}/1",
            "name": self.name,
            "commit": self.commit,
            "verdict": self.outcome,
            "scope": self.decision.scope,
            "reason": self.decision.reason,
            "critical": list(self.decision.targets),
            "proposed": self.decision.proposed,
            "score": self.counts.score,
            "counts": dict(self.counts.of),
            "policies": [
                {
                    "pattern": policy.pattern,
                    "min-score": policy.min_score,
                    "score": policy.counts.score,
                    "counts": dict(policy.counts.of),
                    "passed": policy.passed,
                }
                for policy in self.policies
            ],
            "mutants": [_mutant(each) for each in self.judged],
            "without-mutant": [
                {"path": path, "first-line": first, "last-line": last} for path, first, last in self.unmutated
            ],
            "dropped": dict(self.generated.dropped),
            "ignored": [
                {"path": each.path, "line": each.line, "reason": each.reason, "mutants": each.mutants}
                for each in self.generated.ignored
            ],
            "refused": dict(self.generated.refused),
            "costliest": [
                {"path": c.path, "function": c.function, "mutants": c.mutants, "seconds": round(c.seconds, 3)}
                for c in self.costliest
            ],
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


def _mutant(judged: Judged) -> dict[str, Any]:
    mutant, verdict = judged.mutant, judged.verdict
    return {
        "id": mutant.id,
        "path": mutant.path,
        "function": mutant.function,
        "first-line": mutant.first_line,
        "last-line": mutant.last_line,
        "operator": mutant.operator,
        "security": mutant.security,
        "before": mutant.before,
        "after": mutant.after,
        "status": verdict.status,
        "killer": verdict.killer,
        "tests": list(verdict.tests),
        "seconds": round(verdict.seconds, 3),
        "how": verdict.how,
        "detail": verdict.detail,
        "weakened": judged.weakened,
    }
