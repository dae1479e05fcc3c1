"""The decision about a release that is watched: from counts to a verdict, and from a verdict to what happens.

docs/smoke-decision.md derives the rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ci_kit.smoke_and_rollback.clopper_pearson import more_requests, upper_bound
from ci_kit.smoke_and_rollback.comparison import log_worse
from ci_kit.smoke_and_rollback.counts import Counts, Interval
from ci_kit.smoke_and_rollback.e_process import log_evidence

Kind = Literal["fail", "pass", "inconclusive", "sick-environment", "unknown", "watching"]
Consequence = Literal["promote", "hold", "rollback"]
MOST_EVIDENCE_LOG = 690.0


@dataclass(frozen=True)
class Verdict:
    """What the counts say, and in `why` a sentence for a person.

    `evidence` is E (at most 1e299), `upper` the bound of the error rate that pass is judged by, `more_requests` how many more
    without an error a pass needs (None: no counts, or more than can be had).
    """

    kind: Kind
    why: str
    evidence: float = 1.0
    upper: float | None = None
    more_requests: int | None = None


def judge(
    canary: Counts | None,
    baseline: Counts | None,
    *,
    threshold: float,
    alpha: float = 0.01,
    confidence: float = 0.95,
    at_end: bool,
    intervals: Sequence[Interval] | None = None,
) -> Verdict:
    """Judge a release by its counts since the deployment began; may be asked as often as one likes.

    `canary` None: the counts are not known. `baseline` None: nothing else is live. `intervals` cut the time in which both
    were seen, an empty sequence when there was none yet; without them the whole is one. One with no request to the baseline
    is time in which that was not live.
    `at_end` is true exactly once, at a moment that the errors have no say in: only then is there a pass.
    """
    if canary is None or not canary.requests:
        return Verdict("unknown", "Nothing is known about the release." if canary is None else "It was asked nothing.")
    evidence = log_evidence(canary.requests, canary.errors, threshold)
    upper = upper_bound(canary.requests, canary.errors, confidence)
    missing = more_requests(canary.requests, canary.errors, threshold, confidence)
    proven = -math.log(alpha)
    seen = f"{canary.errors} of {canary.requests} requests failed"

    def verdict(kind: Kind, why: str) -> Verdict:
        return Verdict(kind, f"{seen}: {why}", math.exp(min(evidence, MOST_EVIDENCE_LOG)), upper, missing)

    if evidence >= proven:
        above = f"the error rate is above {percent(threshold)}"
        if baseline is None:
            return verdict("fail", f"{above}.")
        kind, why = _compared(
            (Interval(canary, baseline),) if intervals is None else intervals, baseline, threshold, proven
        )
        if kind == "watching" and at_end:
            kind = "sick-environment"
        return verdict(kind, f"{above}, {why}")
    if not at_end:
        return verdict("watching", f"not proven above {percent(threshold)}.")
    if upper < threshold:
        return verdict("pass", f"the error rate is at most {percent(upper)} with {percent(confidence)} confidence.")
    needs = "more than can be had" if missing is None else f"{missing:,} more without an error"
    return verdict(
        "inconclusive",
        f"neither proven above {percent(threshold)} nor below it (at most {percent(upper)}); a pass needs {needs}.",
    )


def _compared(intervals: Sequence[Interval], baseline: Counts, threshold: float, proven: float) -> tuple[Kind, str]:
    """What a baseline makes of a canary that is proven to fail; `proven` is the logarithm of what E must reach."""
    alone = [interval.canary for interval in intervals if not interval.baseline.requests]
    if _evidence(alone, threshold) >= proven:
        return "fail", "also while nothing else was asked."
    paired = [interval for interval in intervals if interval.baseline.requests]
    sick = log_evidence(baseline.requests, baseline.errors, threshold) >= proven
    # With a baseline that fails as well, one interval may be the edge of an outage, seen by one a little before the other.
    worse = log_worse(paired, without_the_strongest=sick) >= proven
    other = f"the baseline's {baseline.errors} of {baseline.requests}"
    if worse:
        return "fail", f"and worse than {other}."
    if sick:
        return "sick-environment", f"but so is {other}: the environment is sick, and a rollback would not heal it."
    return "watching", f"but not proven worse than {other}, so it may be the environment."


def _evidence(counts: Sequence[Counts], threshold: float) -> float:
    return log_evidence(sum(each.requests for each in counts), sum(each.errors for each in counts), threshold)


def consequence(verdict: Verdict, inconclusive: Literal["warn", "hold", "rollback"]) -> Consequence:
    """What follows at the end of a watch; `inconclusive` is the environment's policy.

    A sick environment and unknown counts always hold: they are no reason to trust the release, and none to take it back.
    """
    if verdict.kind == "pass":
        return "promote"
    if verdict.kind == "fail":
        return "rollback"
    if verdict.kind == "inconclusive":
        return "promote" if inconclusive == "warn" else inconclusive
    return "hold"


def percent(rate: float) -> str:
    """A rate with three significant digits, in percent."""
    return f"{rate * 100:.3g} %"
