"""An upper bound of an error rate that is too low in at most the promised share of cases, for every rate and every number.

The one-sided bound of Clopper and Pearson ("The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26(4), 1934): the rate at which so few errors, or fewer, would be seen with a probability of exactly
1 - confidence. It holds for one look at a moment that was fixed before, not for looking until it is low enough.
"""

from __future__ import annotations

import math

TERMS = 100_000
TINY = 1e-300
PRECISION = 1e-15
MOST_REQUESTS = 10**12


def upper_bound(requests: int, errors: int, confidence: float = 0.95) -> float:
    """The highest rate that fits `errors` of `requests`; 1.0 when nothing was asked, or when everything failed."""
    _check(requests, errors, confidence)
    if errors == requests:
        return 1.0
    if errors == 0:
        return -math.expm1(math.log1p(-confidence) / requests)
    low, high = errors / requests, 1.0
    # Halved until no float is left between them; the upper end is never too low.
    while low < (middle := (low + high) / 2.0) < high:
        if at_most(requests, errors, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def more_requests(requests: int, errors: int, threshold: float, confidence: float = 0.95) -> int | None:
    """How many more requests, all without an error, bring the bound under `threshold`; 0 when it is there.

    None when that would be more than 10¹² of them.
    """
    _check(requests, errors, confidence)
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"a threshold is above 0 and below 1, found {threshold}")

    def enough(total: int) -> bool:
        # The same as a bound below the threshold, without searching for the bound.
        return at_most(total, errors, threshold) < 1.0 - confidence

    if enough(requests):
        return 0
    low, high = requests, max(1, 2 * requests)
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_REQUESTS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high - requests


def at_most(requests: int, errors: int, rate: float) -> float:
    """The probability of `errors` or fewer in `requests` at an error rate of `rate`, which is above 0 and below 1."""
    if errors >= requests:
        return 1.0
    return _incomplete_beta(requests - errors, errors + 1, 1.0 - rate, rate)


def _check(requests: int, errors: int, confidence: float) -> None:
    if not 0 <= errors <= requests:
        raise ValueError(f"expected 0 <= errors <= requests, found {errors} of {requests}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence is above 0 and below 1, found {confidence}")


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b), where `rest` = 1 - x; NIST DLMF 8.17.4, 8.17.8 and 8.17.22."""
    # The fraction converges fast below the mean only; above it, the symmetry I_x(a, b) = 1 - I_(1-x)(b, a) helps.
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _below_mean(b, a, rest, x)
    return _below_mean(a, b, x, rest)


def _below_mean(a: float, b: float, x: float, rest: float) -> float:
    front = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / a * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, by the method of Lentz with the changes of Thompson and Barnett (1986)."""
    c = 1.0
    d = 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            value *= d * c
        if abs(d * c - 1.0) < PRECISION:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
