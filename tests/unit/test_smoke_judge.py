"""From counts to a verdict, and from a verdict to what happens."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from ci_kit.smoke_and_rollback.counts import Counts, Interval
from ci_kit.smoke_and_rollback.judge import Kind, Verdict, consequence, judge
from hypothesis import given
from hypothesis import strategies as st

GOOD = Counts(5000, 1)
OUTAGE = (
    Interval(Counts(100, 0), Counts(900, 1)),
    Interval(Counts(100, 30), Counts(900, 260)),
    Interval(Counts(100, 28), Counts(900, 275)),
)


def total(intervals: tuple[Interval, ...]) -> dict[str, Any]:
    """The sums, as `judge` takes them."""
    own = Counts(sum(i.canary.requests for i in intervals), sum(i.canary.errors for i in intervals))
    other = Counts(sum(i.baseline.requests for i in intervals), sum(i.baseline.errors for i in intervals))
    return {"canary": own, "baseline": other, "intervals": intervals}


@pytest.mark.parametrize(
    ("canary", "baseline", "at_end", "kind"),
    [
        (None, None, True, "unknown"),
        (Counts(0, 0), GOOD, True, "unknown"),
        (Counts(20, 0), None, False, "watching"),
        (Counts(299, 0), None, False, "watching"),
        (Counts(299, 0), None, True, "pass"),
        (Counts(298, 0), None, True, "inconclusive"),
        (Counts(2000, 10), None, True, "pass"),
        (Counts(300, 3), None, True, "inconclusive"),
        (Counts(20, 20), None, False, "fail"),
        (Counts(20, 20), None, True, "fail"),
        (Counts(20, 20), GOOD, False, "fail"),
        (Counts(100, 30), Counts(900, 270), False, "sick-environment"),
        (Counts(100, 30), Counts(900, 270), True, "sick-environment"),
        # Half of the traffic each: four errors more are not yet more than chance, and the baseline is not proven bad.
        (Counts(50, 6), Counts(50, 2), False, "watching"),
        (Counts(50, 6), Counts(50, 2), True, "sick-environment"),
    ],
)  # fmt: skip
def test_the_verdict(canary: Counts | None, baseline: Counts | None, at_end: bool, kind: str) -> None:
    assert judge(canary, baseline, threshold=0.01, at_end=at_end).kind == kind


def test_the_verdict_tells_its_reasons() -> None:
    found = judge(Counts(100, 0), None, threshold=0.01, at_end=True)
    assert (found.kind, found.more_requests) == ("inconclusive", 199)
    assert found.upper == pytest.approx(1 - 0.05**0.01)
    assert found.evidence < 1.0
    assert found.why == (
        "0 of 100 requests failed: neither proven above 1 % nor below it (at most 2.95 %); "
        "a pass needs 199 more without an error."
    )
    bad = judge(Counts(10**6, 10**6), None, threshold=0.001, at_end=False)
    assert math.isfinite(bad.evidence)
    assert bad.evidence > 1e290
    assert judge(Counts(9, 0), None, threshold=0.01, at_end=False).more_requests == 290


def test_an_outage_of_what_both_need_is_no_reason_to_roll_back() -> None:
    found = judge(**total(OUTAGE), threshold=0.01, at_end=False)
    assert found.kind == "sick-environment"
    assert "rollback would not heal" in found.why


def test_a_release_that_is_worse_than_a_baseline_in_an_outage_is_rolled_back() -> None:
    worse = tuple(Interval(Counts(100, 90), each.baseline) for each in OUTAGE)
    assert judge(**total(worse), threshold=0.01, at_end=False).kind == "fail"


def test_the_edge_of_an_outage_in_one_interval_is_no_reason_to_roll_back() -> None:
    """The canary was scraped a little later, so that it has more of the outage than the baseline."""
    edge = (Interval(Counts(100, 0), Counts(900, 1)), Interval(Counts(100, 30), Counts(900, 60)))
    assert judge(**total(edge), threshold=0.01, at_end=False).kind == "sick-environment"


def test_what_fails_while_nothing_else_is_asked_is_judged_by_itself() -> None:
    """At 100 % the baseline has counts of earlier, but nobody asks it any more."""
    both, alone = Interval(Counts(1000, 2), Counts(9000, 20)), Interval(Counts(300, 60), Counts(0, 0))
    assert judge(**total((both, alone)), threshold=0.01, at_end=False).kind == "fail"
    assert judge(**total((both,)), threshold=0.01, at_end=False).kind == "watching"


@given(st.integers(1, 3000), st.integers(0, 3000), st.sampled_from([0.001, 0.01, 0.1]), st.booleans())
def test_only_the_end_ends_a_watch_of_a_release_that_is_not_proven_bad(
    requests: int, errors: int, threshold: float, at_end: bool
) -> None:
    found = judge(Counts(requests, min(errors, requests)), None, threshold=threshold, at_end=at_end)
    assert (found.kind == "fail") == (found.evidence >= 100 * (1 - 1e-9))
    if found.kind != "fail":
        assert found.kind in ({"pass", "inconclusive"} if at_end else {"watching"})
    assert found.upper is not None
    if found.kind == "pass":
        assert found.upper < threshold
        assert found.more_requests == 0


@pytest.mark.parametrize(
    ("kind", "policy", "follows"),
    [
        ("pass", "hold", "promote"), ("fail", "warn", "rollback"), ("sick-environment", "rollback", "hold"),
        ("unknown", "warn", "hold"), ("unknown", "rollback", "hold"), ("watching", "warn", "hold"),
        ("inconclusive", "warn", "promote"), ("inconclusive", "hold", "hold"), ("inconclusive", "rollback", "rollback"),
    ],
)  # fmt: skip
def test_what_follows(kind: Kind, policy: Literal["warn", "hold", "rollback"], follows: str) -> None:
    assert consequence(Verdict(kind, "so"), policy) == follows
