"""Evidence that an error rate is above a threshold, which may be looked at as often as one likes.

Under any rate p <= θ the likelihood ratio of an alternative q > θ against θ is a non-negative supermartingale: one request
multiplies it on average by p·q/θ + (1-p)·(1-q)/(1-θ), which grows with p and is 1 at p = θ. A weighted mean of several is
one as well, and by Ville's inequality (Ville 1939, Étude critique de la notion de collectif; Ramdas et al. 2023,
"Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38(4)) it reaches 1/alpha at any time at all
with a probability of at most alpha. The requests need not be independent: each one's probability of an error, given all before
it, must not exceed θ. docs/smoke-decision.md says why this mixture, and how fast it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

# The odds of neighbouring alternatives differ by this factor: no rate is further than its root from one of them.
STEP = 2.0
# The alternative nearest to the threshold is this much above it, in odds; the last one is where nearly all fails.
NEAREST = 1.5
FURTHEST = 0.999


@lru_cache(maxsize=64)
def alternatives(threshold: float) -> tuple[float, ...]:
    """The error rates that are held against `threshold` (a rate, 0 < θ < 1), the nearest first, all with one weight.

    Their odds are θ's times 1.5, 3, 6, … up to a rate of 0.999.
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"a threshold is above 0 and below 1, found {threshold}")
    odds = threshold / (1.0 - threshold) * NEAREST
    last = FURTHEST / (1.0 - FURTHEST)
    found = [odds]
    while found[-1] * STEP <= last:
        found.append(found[-1] * STEP)
    return tuple(each / (1.0 + each) for each in found)


def log_evidence(requests: int, errors: int, threshold: float) -> float:
    """The natural logarithm of E after `requests` of which `errors` failed; the order does not matter.

    E >= 1/alpha refutes "the rate is at most `threshold`" at the level alpha.
    """
    if not 0 <= errors <= requests:
        raise ValueError(f"expected 0 <= errors <= requests, found {errors} of {requests}")
    good = requests - errors
    return log_mean_exp(
        errors * math.log(q / threshold) + good * (math.log1p(-q) - math.log1p(-threshold))
        for q in alternatives(threshold)
    )


def log_mean_exp(logs: Iterable[float]) -> float:
    """The logarithm of the mean of numbers given by their logarithms, without leaving the range of a float."""
    values: Sequence[float] = tuple(logs)
    highest = max(values)
    if math.isinf(highest):
        return highest
    return highest + math.log(math.fsum(math.exp(each - highest) for each in values) / len(values))
