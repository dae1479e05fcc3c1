"""The laws behind the decision: what may be promised of E, of the comparison and of the bound, checked by exact enumeration."""

from __future__ import annotations

import math
from itertools import product

import pytest
from ci_kit.smoke_and_rollback.clopper_pearson import at_most, more_requests, upper_bound
from ci_kit.smoke_and_rollback.comparison import log_worse
from ci_kit.smoke_and_rollback.counts import Counts, Interval
from ci_kit.smoke_and_rollback.e_process import alternatives, log_evidence, log_mean_exp
from hypothesis import given
from hypothesis import strategies as st

thresholds = st.floats(1e-4, 0.6)
shares = st.floats(0.0, 1.0)
confidences = st.floats(0.5, 0.999)


def binomial(requests: int, errors: int, rate: float) -> float:
    return math.comb(requests, errors) * rate**errors * (1.0 - rate) ** (requests - errors)


def counts(most: int) -> st.SearchStrategy[Counts]:
    return st.integers(1, most).flatmap(lambda n: st.builds(Counts, st.just(n), st.integers(0, n)))


@given(thresholds, shares, st.integers(0, 60))
def test_on_average_the_evidence_of_a_good_release_is_at_most_one(
    threshold: float, share: float, requests: int
) -> None:
    rate = threshold * share
    mean = math.fsum(
        binomial(requests, errors, rate) * math.exp(log_evidence(requests, errors, threshold))
        for errors in range(requests + 1)
    )
    assert mean <= 1.0 + 1e-9
    if share == 1.0:
        assert mean == pytest.approx(1.0)


@given(counts(100_000), thresholds, shares)
def test_no_next_request_raises_the_evidence_of_a_good_release_on_average(
    seen: Counts, threshold: float, share: float
) -> None:
    """Whatever happened so far: the supermartingale itself, in ratios because the numbers leave the range of a float."""
    rate = threshold * share
    now = log_evidence(seen.requests, seen.errors, threshold)
    bad = math.exp(log_evidence(seen.requests + 1, seen.errors + 1, threshold) - now)
    good = math.exp(log_evidence(seen.requests + 1, seen.errors, threshold) - now)
    assert rate * bad + (1.0 - rate) * good <= 1.0 + 1e-7


def ever_above(threshold: float, rate: float, alpha: float, requests: int) -> float:
    """The exact probability that E reaches 1/alpha at one of the first requests, looked at after every single one."""
    still, crossed = {0: 1.0}, 0.0
    for number in range(1, requests + 1):
        following: dict[int, float] = {}
        for errors, chance in still.items():
            for failed, weight in ((0, 1.0 - rate), (1, rate)):
                following[errors + failed] = following.get(errors + failed, 0.0) + chance * weight
        above = {k for k in following if log_evidence(number, k, threshold) >= -math.log(alpha)}
        crossed += math.fsum(following[k] for k in above)
        still = {k: chance for k, chance in following.items() if k not in above}
    return crossed


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("threshold", [0.001, 0.01, 0.2])
def test_looking_after_every_request_does_not_raise_the_share_of_false_alarms(threshold: float, alpha: float) -> None:
    """Ville's inequality, at the rate where it is hardest to keep."""
    at_the_threshold = ever_above(threshold, threshold, alpha, 400)
    assert 0.0 < ever_above(threshold, threshold / 2, alpha, 400) < at_the_threshold <= alpha


@given(counts(10_000), thresholds)
def test_an_error_speaks_against_a_release_and_a_good_answer_for_it(seen: Counts, threshold: float) -> None:
    now = log_evidence(seen.requests, seen.errors, threshold)
    assert log_evidence(seen.requests + 1, seen.errors + 1, threshold) > now
    assert log_evidence(seen.requests + 1, seen.errors, threshold) < now


@pytest.mark.parametrize(
    ("threshold", "rate", "requests"), [(0.01, 1.0, 2), (0.01, 0.5, 10), (0.001, 0.1, 60), (0.01, 0.03, 1600)]
)
def test_a_release_far_above_the_threshold_is_soon_proven_bad(threshold: float, rate: float, requests: int) -> None:
    assert log_evidence(requests, round(requests * rate), threshold) >= math.log(100)


@given(thresholds)
def test_the_alternatives_rise_from_just_above_the_threshold_to_nearly_everything(threshold: float) -> None:
    found = alternatives(threshold)
    assert found == tuple(sorted(set(found)))
    assert threshold < found[0] < 1.5 * threshold + 1e-12
    assert 0.99 < found[-1] < 1.0


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, math.nan])
def test_what_is_no_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        log_evidence(1, 0, threshold)
    with pytest.raises(ValueError, match="threshold"):
        more_requests(1, 0, threshold)


def test_impossible_counts_are_refused() -> None:
    for requests, errors in ((1, 2), (-1, 0), (3, -1)):
        with pytest.raises(ValueError, match="errors <= requests"):
            log_evidence(requests, errors, 0.1)
        with pytest.raises(ValueError, match="errors <= requests"):
            upper_bound(requests, errors)
        with pytest.raises(ValueError, match="errors <= requests"):
            Counts(requests, errors)
    with pytest.raises(ValueError, match="confidence"):
        upper_bound(1, 0, 1.0)


def test_sums_of_exponentials_stay_in_range() -> None:
    assert log_mean_exp([-5000.0, -5000.0]) == -5000.0
    assert log_mean_exp([5000.0, 0.0]) == pytest.approx(5000.0 - math.log(2))
    assert log_mean_exp([-math.inf, -math.inf]) == -math.inf
    assert math.isfinite(log_evidence(10**9, 10**9, 1e-4))


def worse_rates(base: float, odds_ratio: float) -> float:
    odds = base / (1.0 - base) * odds_ratio
    return odds / (1.0 + odds)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.floats(0.001, 0.999), shares), min_size=1, max_size=2)
)
def test_on_average_a_canary_that_is_no_worse_gives_no_evidence_whatever_befalls_both(
    times: list[tuple[int, int, float, float]],
) -> None:
    """Each interval has a rate of its own, as in an outage, and a share of the traffic of its own."""
    mean = 0.0
    for drawn in product(*(product(range(own + 1), range(other + 1)) for own, other, _, _ in times)):
        chance = 1.0
        intervals = []
        for (own, other, rate, share), (failed, other_failed) in zip(times, drawn, strict=True):
            chance *= binomial(own, failed, worse_rates(rate, share)) * binomial(other, other_failed, rate)
            intervals.append(Interval(Counts(own, failed), Counts(other, other_failed)))
        mean += chance * math.exp(log_worse(intervals))
    assert mean <= 1.0 + 1e-9


@given(st.lists(st.builds(Interval, counts(40), counts(40)), max_size=4))
def test_without_its_strongest_interval_the_comparison_says_no_more(intervals: list[Interval]) -> None:
    assert log_worse(intervals, without_the_strongest=True) <= log_worse(intervals)


@given(counts(200), counts(200))
def test_an_error_of_the_canary_speaks_against_it_and_one_of_the_baseline_for_it(own: Counts, other: Counts) -> None:
    here = log_worse([Interval(own, other)])
    if own.errors < own.requests:
        assert log_worse([Interval(Counts(own.requests, own.errors + 1), other)]) >= here - 1e-9
    if other.errors < other.requests:
        assert log_worse([Interval(own, Counts(other.requests, other.errors + 1))]) <= here + 1e-9


def test_a_growing_share_of_the_traffic_in_an_outage_is_no_evidence() -> None:
    """By the sums alone the canary looks four times as bad; in each interval both failed alike."""
    intervals = [
        Interval(Counts(100, 0), Counts(900, 0)),
        Interval(Counts(500, 150), Counts(500, 150)),
        Interval(Counts(900, 270), Counts(100, 30)),
    ]
    assert log_worse(intervals) < 0.0
    assert log_worse([Interval(Counts(1500, 420), Counts(1500, 180))]) > math.log(1e6)


def test_a_broken_canary_beside_a_good_baseline_is_proven_worse_at_once() -> None:
    broken = [Interval(Counts(20, 20), Counts(180, 0))]
    assert log_worse(broken) > math.log(1e6)
    assert log_worse(broken, without_the_strongest=True) == pytest.approx(0.0)
    assert log_worse(broken * 2, without_the_strongest=True) > math.log(1e6)
    assert log_worse([Interval(Counts(0, 0), Counts(9, 9)), Interval(Counts(9, 9), Counts(0, 0))]) == 0.0


@given(st.integers(1, 60), shares, confidences)
def test_the_bound_is_too_low_in_no_more_cases_than_promised(requests: int, rate: float, confidence: float) -> None:
    too_low = math.fsum(
        binomial(requests, errors, rate)
        for errors in range(requests + 1)
        if upper_bound(requests, errors, confidence) < rate
    )
    assert too_low <= 1.0 - confidence + 1e-9


@given(counts(100_000), confidences)
def test_the_bound_rises_with_errors_and_falls_with_good_answers(seen: Counts, confidence: float) -> None:
    here = upper_bound(seen.requests, seen.errors, confidence)
    assert seen.errors / seen.requests <= here <= 1.0
    assert upper_bound(seen.requests + 1, seen.errors, confidence) < here or seen.errors == seen.requests
    if seen.errors < seen.requests:
        assert upper_bound(seen.requests, seen.errors + 1, confidence) > here


@given(counts(300), st.floats(0.001, 0.999))
def test_the_distribution_is_that_of_the_sum_of_its_terms(seen: Counts, rate: float) -> None:
    exact = math.fsum(binomial(seen.requests, k, rate) for k in range(seen.errors + 1))
    assert at_most(seen.requests, seen.errors, rate) == pytest.approx(exact, abs=1e-10)


@given(counts(2000), st.floats(0.001, 0.5))
def test_a_pass_needs_exactly_so_many_more_good_answers(seen: Counts, threshold: float) -> None:
    missing = more_requests(seen.requests, seen.errors, threshold)
    assert missing is not None
    assert upper_bound(seen.requests + missing, seen.errors) < threshold
    if missing:
        assert upper_bound(seen.requests + missing - 1, seen.errors) >= threshold


def test_the_numbers_that_everybody_can_check() -> None:
    assert more_requests(0, 0, 0.01) == 299
    assert more_requests(0, 0, 0.001) == 2995
    assert more_requests(0, 0, 1e-13) is None
    assert upper_bound(0, 0) == upper_bound(7, 7) == 1.0
    # Table of Clopper and Pearson's 95 % one-sided limits: 1 of 100, 5 of 20.
    assert upper_bound(100, 1) == pytest.approx(0.04656, abs=5e-6)
    assert upper_bound(20, 5) == pytest.approx(0.4556, abs=5e-5)
