"""Evidence that a canary fails more often than the baseline beside it, whatever happens to both.

Time is cut into intervals. Where K of an interval's requests failed, and the canary fares like the baseline, the number of
failures that fall on the canary is hypergeometric: the rate that both have in that interval, high or low, cancels out. An
alternative says that the canary's odds of failing are r > 1 times the baseline's; then the number has Fisher's noncentral
hypergeometric distribution (Fisher 1935, "The logic of inductive inference"). The ratio of the two probabilities grows with
the number, so for a canary that is no worse its mean is at most 1; the product over the intervals is a supermartingale, and
so is a mean over several r. Because each interval is compared with itself, a dependency that breaks while the canary gets
ever more of the traffic does not make the canary look worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from ci_kit.smoke_and_rollback.counts import Interval
from ci_kit.smoke_and_rollback.e_process import log_mean_exp

ODDS_RATIOS = tuple(2.0**power for power in range(1, 13))


def log_worse(intervals: Sequence[Interval], *, without_the_strongest: bool = False) -> float:
    """The natural logarithm of the evidence that the canary's odds of failing are above the baseline's.

    `without_the_strongest` leaves out the one interval that speaks most against the canary: where it is scraped a little
    later than the baseline, the interval in which both begin or cease to fail shows a difference that is none.
    """
    rows = [row for interval in intervals if (row := _row(interval)) is not None]
    totals = [math.fsum(column) for column in zip(*rows, strict=True)] if rows else [0.0] * len(ODDS_RATIOS)
    whole = log_mean_exp(totals)
    if not without_the_strongest:
        return whole
    left = (log_mean_exp(total - own for total, own in zip(totals, row, strict=True)) for row in rows)
    return min([whole, *left])


def _row(interval: Interval) -> tuple[float, ...] | None:
    canary, baseline = interval.canary, interval.baseline
    if not canary.requests or not baseline.requests or not canary.errors + baseline.errors:
        return None
    return _log_ratios(canary.requests, canary.errors, baseline.requests, baseline.errors)


@lru_cache(maxsize=4096)
def _log_ratios(requests: int, errors: int, others: int, other_errors: int) -> tuple[float, ...]:
    """For each r: r^errors over the mean of r^X, where X is hypergeometric, in logarithms."""
    failed = errors + other_errors
    first, last = max(0, failed - others), min(failed, requests)
    # The weight of X = x relative to that of X = first, by the ratio of neighbouring terms.
    weights = [0.0]
    for x in range(first, last):
        up = math.log(requests - x) + math.log(failed - x)
        down = math.log(x + 1) + math.log(others - failed + x + 1)
        weights.append(weights[-1] + up - down)
    whole = _log_sum(weights)
    return tuple(
        errors * math.log(ratio) - _log_sum([w + x * math.log(ratio) for x, w in enumerate(weights, first)]) + whole
        for ratio in ODDS_RATIOS
    )


def _log_sum(logs: Sequence[float]) -> float:
    return log_mean_exp(logs) + math.log(len(logs))
