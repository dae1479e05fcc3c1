"""Decide how many shards a tier gets, from a target time, and what they cost in billed minutes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci_kit.history import Run
from ci_kit.split import Work, longest_seconds

OVERHEAD_SECONDS = 30.0
"""Of a job beside its tests, while no run was recorded: starting, check-out, set-up, upload."""
LEAST_OVERHEAD, MOST_OVERHEAD = 5.0, 300.0
JOBS_IN_A_ROW = 3
"""Plan, test, gate: they follow each other, and what a run takes beside its tests is spread over them."""
EFFICIENCY = 0.8
"""Of one more worker on the same machine."""


@dataclass(frozen=True)
class Terms:
    """What a tier's shards are chosen by.

    A job should take at most `target_seconds`, of which `overhead_seconds` are not tests; a job runs `speed` seconds of
    tests in a second; a tier gets at most `most` shards.
    """

    target_seconds: float = 180.0
    overhead_seconds: float = OVERHEAD_SECONDS
    speed: float = 1.0
    most: int = 16

    def job_seconds(self, test_seconds: float, longest: float = 0.0) -> float:
        """How long a job takes with so much to run; it cannot be faster than its `longest` test."""
        return self.overhead_seconds + max(test_seconds / self.speed, longest)


def speed_of(workers: int) -> float:
    """Seconds of tests that so many workers of one machine run in a second."""
    return 1.0 + EFFICIENCY * (max(workers, 1) - 1)


def overhead_seconds(runs: Iterable[Run]) -> float:
    """What one job takes beside its tests, from the runs whose wall time is known."""
    beside = [
        run.wall_seconds - max(tier.slowest_seconds for tier in run.tiers.values())
        for run in runs
        if run.wall_seconds is not None and run.tiers
    ]
    if not beside:
        return OVERHEAD_SECONDS
    return min(max(statistics.median(beside) / JOBS_IN_A_ROW, LEAST_OVERHEAD), MOST_OVERHEAD)


def billed_minutes(job_seconds: float) -> int:
    """GitHub rounds the time of each job up to a whole minute."""
    return max(1, math.ceil(job_seconds / 60))


def choose_count(found: Sequence[Work], terms: Terms) -> int:
    """How many shards meet the target at the least cost, and of those that cost the same the fastest.

    When none does, as many as help: no shard is to spend more on its overhead than on tests, and more shards than the
    longest test or the number of things to deal allow are of no use.
    """
    total, longest = sum(work.seconds for work in found), longest_seconds(found)
    pieces = sum(max(1, len(work.recorded)) for work in found)
    useful = math.ceil(total / longest) if longest > 0 else 1
    worth = math.ceil(total / terms.speed / max(terms.overhead_seconds, 1.0))
    most = max(1, min(terms.most, pieces, useful, worth))
    times = {count: terms.job_seconds(total / count, longest) for count in range(1, most + 1)}
    meeting = [count for count, seconds in times.items() if seconds <= terms.target_seconds]
    return min(meeting, key=lambda count: (count * billed_minutes(times[count]), times[count]), default=most)
