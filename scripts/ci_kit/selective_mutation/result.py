"""The result of the room, and the report `selective-mutation.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ci_kit.mutation_decision import Decision
from ci_kit.selective_mutation.before import Compared
from ci_kit.selective_mutation.budget import Cost
from ci_kit.selective_mutation.judging import Counts, Judged, Policy
from ci_kit.selective_mutation.mutants import Generated
from ci_kit.selective_mutation.ratchet import Hold
from ci_kit.trend import Point

NAME = "selective-mutation"
ALARM_SECONDS = 600.0
Outcome = Literal["passed", "failed", "nothing", "not-run", "interrupted"]
NONE = Generated((), {}, ())


@dataclass(frozen=True)
class Result:
    """`unmutated` are changed security-critical lines for which no mutant exists, as (path, first line, last line).

    `interrupted`: the run was ended from outside, and this is what there was until then. `points` are the scores of earlier
    runs and of this one, oldest first.
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
    compared: Compared | None = None
    points: tuple[Point, ...] = ()
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
    def fallen(self) -> tuple[Hold, ...]:
        """The files whose score is less than it was."""
        return tuple(hold for hold in (self.compared.holds if self.compared else ()) if hold.state == "fallen")

    @property
    def outcome(self) -> Outcome:
        """`nothing`: there was nothing to mutate, which is neutral."""
        if not self.decision.run:
            return "not-run"
        if self.interrupted:
            return "interrupted"
        if not self.judged:
            return "nothing"
        return "failed" if self.failed or self.weakened or self.fallen else "passed"

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
                    "new-survivors": policy.new,
                    "forbids-new": policy.forbids_new,
                    "passed": policy.passed,
                }
                for policy in self.policies
            ],
            "baseline": None if self.compared is None else _baseline(self.compared),
            "trend": [{"commit": point.commit, "score": point.hundredths / 100} for point in self.points],
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
        "new": judged.new,
    }


def _baseline(compared: Compared) -> dict[str, Any]:
    return {
        "commit": compared.before.record.commit if compared.before.record else None,
        "how": compared.before.how,
        "new-survivors": None if compared.new is None else len(compared.new),
        "ratchet": [
            {"path": hold.path, "was": hold.was, "now": hold.now, "state": hold.state, "why": hold.why}
            for hold in compared.holds
        ],
    }
