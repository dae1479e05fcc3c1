"""What `combine` found, as data: for the report and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.coverage_combine.contributions import Contribution
from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.judged import Judged
from ci_kit.coverage_combine.narrow import Narrow
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.reports import Written
from ci_kit.coverage_combine.result_json import counts_json, file_json, judged_json, nothing_judged
from ci_kit.errors import InfrastructureFailure
from ci_kit.plan import Leg

NAME = "coverage-combine"
SCHEMA = f"ci-kit/{NAME}/1"
LISTED = 20


class Untrusted(InfrastructureFailure):
    """The data cannot be trusted, so there is no number."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [f"- {problem}" for problem in self.problems[:LISTED]]
        more = len(self.problems) - len(shown)
        tail = [f"- and {more} more, in the report"] if more else []
        super().__init__("\n".join(["there is no coverage number:", *shown, *tail]), next_step="")


@dataclass(frozen=True)
class Result:
    """One number, all that it rests on, and what is judged of it.

    `contributions` are those of the `proven` legs, in their order; `empty` are legs without tests, and so without data.
    `narrow` is, on the default branch, what a pull request's legs alone cover, where these are fewer.
    """

    name: str
    commit: str
    files: tuple[FileCoverage, ...]
    judged: Judged
    threshold_from: str
    proven: tuple[Proven, ...]
    contributions: tuple[Contribution, ...]
    empty: tuple[Leg, ...]
    written: Written
    notes: tuple[str, ...]
    python: str
    coverage: str
    seconds: float
    badge: Path
    narrow: Narrow | None = None

    @property
    def counts(self) -> Counts:
        """The total."""
        return self.judged.judgement.total.counts

    @property
    def unit(self) -> str:
        """What is counted, in words."""
        return "lines and branches" if self.branch else "lines"

    @property
    def branch(self) -> bool:
        """Branches were measured."""
        return any(leg.delivery.manifest.branch for leg in self.proven if leg.delivery.manifest)

    def as_json(self) -> dict[str, Any]:
        """The report `ci-kit/coverage-combine/1`."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "verdict": "failed" if self.judged.failures else "passed",
            "commit": self.commit,
            "total": counts_json(self.counts),
            "gates": [_gate(gate) for gate in self.judged.judgement.gates],
            "not-judged": list(self.judged.judgement.not_judged),
            "legs": [_leg(leg, brought) for leg, brought in zip(self.proven, self.contributions, strict=True)],
            "files": [file_json(file) for file in self.files],
            "as-pull-request": self.narrow.as_json() if self.narrow else None,
            **judged_json(self.judged),
            "analysis": {
                "python": self.python,
                "coverage": self.coverage,
                "branch": self.branch,
                "seconds": round(self.seconds, 3),
            },
            "written": {
                "json": str(self.written.json),
                "xml": str(self.written.xml),
                "lcov": str(self.written.lcov),
                "markdown": str(self.written.markdown),
                "html": str(self.written.html) if self.written.html else None,
                "badge": str(self.badge),
            },
            "problems": [],
            "notes": list(self.notes),
        }


@dataclass
class Known:
    """What is known so far; filled as the work goes on, so that what breaks off is reported with all that there is.

    `contributions` are empty, or those of the `proven` legs in their order.
    """

    commit: str
    notes: list[str] = field(default_factory=list)
    proven: Sequence[Proven] = ()
    contributions: Sequence[Contribution] = ()
    files: Sequence[FileCoverage] = ()


def unjudged_report(name: str, verdict: str, known: Known, problems: Sequence[Problem] = ()) -> dict[str, Any]:
    """The report when nothing was judged: by leg or as a whole why not, or only notes why there was nothing to judge."""
    legs = zip(known.proven, known.contributions, strict=True) if known.contributions else ()
    return {
        "schema": SCHEMA,
        "name": name,
        "verdict": verdict,
        "commit": known.commit,
        "total": counts_json(add(file.counts for file in known.files)) if known.files else None,
        "gates": [],
        "not-judged": [],
        "legs": [_leg(leg, brought) for leg, brought in legs],
        "files": [file_json(file) for file in known.files],
        "as-pull-request": None,
        **nothing_judged(),
        "analysis": None,
        "written": None,
        "problems": [{"leg": p.where, "message": p.message, "next-step": p.next_step} for p in problems],
        "notes": known.notes,
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "kind": gate.kind,
        "name": gate.name,
        "threshold": gate.threshold,
        "percent": gate.counts.percent,
        "covered": gate.counts.covered,
        "counted": gate.counts.counted,
        "short-by": max(gate.short_by, 0),
        "passed": gate.passed,
    }


def _leg(proven: Proven, brought: Contribution) -> dict[str, Any]:
    leg = proven.delivery.leg
    return {
        "tier": leg.tier,
        "python": leg.python,
        "shard": {"index": leg.shard.index, "count": leg.shard.count},
        "attempt": proven.delivery.attempt,
        "data-files": len(proven.copies),
        "bytes": proven.bytes,
        "measured-files": len(proven.measured),
        "files-run": brought.files,
        "lines-run": brought.lines,
        "lines-run-alone": brought.alone,
    }
