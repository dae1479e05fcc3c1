"""Simulated suites with heavy tails, for the comparison of planners: how many tests a file has, how long each takes."""

from __future__ import annotations

import math
import random

Suite = dict[str, dict[str, float]]
"""File → node id → seconds, in collection order."""

NOISE = 0.4
UNKNOWN = 0.1


def suite(seed: int) -> Suite:
    """About 140 files (log-normal) of about 10 tests (log-normal, at most 2,000); seconds are log-normal.

    How far the files are apart, and the tests of one file, differs from suite to suite.
    """
    draw = random.Random(seed)  # noqa: S311 - the same suites every time
    between, within = draw.uniform(0.6, 1.6), draw.uniform(0.6, 1.4)
    made: Suite = {}
    for number in range(10 + int(draw.lognormvariate(math.log(140), 0.5))):
        path = f"tests/test_{number:04}.py"
        count = min(2000, 1 + int(draw.lognormvariate(math.log(10), 1.1)))
        scale = draw.lognormvariate(math.log(0.1), between)
        made[path] = {
            f"{path}::TestPart{at * 7 // count}::test_{at}": max(0.001, scale * draw.lognormvariate(0, within))
            for at in range(count)
        }
    return made


def measured(made: Suite, seed: int, runs: int) -> list[Suite]:
    """What `runs` runs measured, the last one first: every time off by a log-normal error, some tests in none of them."""
    draw = random.Random(seed * 7 + 1)  # noqa: S311 - the same records every time
    known = {path: {test: tests[test] for test in tests if draw.random() >= UNKNOWN} for path, tests in made.items()}
    return [
        {
            path: {test: seconds * draw.lognormvariate(0, NOISE) for test, seconds in tests.items()}
            for path, tests in known.items()
        }
        for _ in range(runs)
    ]


def bound(made: Suite, count: int) -> float:
    """No split ends earlier: the mean of the shards, or the longest test."""
    seconds = [each for tests in made.values() for each in tests.values()]
    return max(math.fsum(seconds) / count, *seconds)
