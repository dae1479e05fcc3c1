"""Which tests are asked first: those that noticed changes nearby before, and the quick ones."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Optional, Tuple

from pytest_ci_kit.mutating.task import Task

_MOST_LIKELY = 3
_WORTH_A_FORK_SECONDS = 0.05  # of tests, before a few of them are asked in a fork of their own first
_WORTH_A_START_SECONDS = 0.3  # the same of a process of its own
_MOST_FIRST = 8
_START_SECONDS = 0.1  # what such a process costs


class Asking:
    """Learns from the verdicts of a run."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._kills: Counter[Tuple[str, str, int]] = Counter()
        self._survived = 0  # of the mutants that the likely killers did not notice
        self._noticed = 0

    def in_fork(self, job: Dict[str, Any], tests: List[int]) -> Dict[str, Any]:
        """The job with its likely killers, which are asked before all others, or alone.

        A survivor runs all its tests once more in a process of its own. Where most survive that may as well be done
        at once: to ask all in the fork too costs their time twice, and spares a start only for those that are noticed.
        """
        seconds = self._seconds(tests)
        if seconds < _WORTH_A_FORK_SECONDS or len(tests) <= _MOST_LIKELY:
            return job
        likely = self._ranked(job, tests)[:_MOST_LIKELY]
        survives = (self._survived + 1) / (self._survived + self._noticed + 2)
        more = self._seconds(self._task["sets"][job["fresh-set"]]) - seconds
        if survives * seconds > (1 - survives) * (_START_SECONDS + more / 2):
            return {**job, "tests": sorted(likely)}
        return {**job, "likely": likely}

    def in_start(self, job: Dict[str, Any], tests: List[int]) -> Dict[str, Any]:
        """The job for a process of its own: of many tests, a few are asked first."""
        many = self._seconds(tests) > _WORTH_A_START_SECONDS and len(tests) > 2 * _MOST_FIRST
        if "left" in job or "hinted" in job or not many:
            return job
        return {**job, "tests": sorted(self._ranked(job, tests)[:_MOST_FIRST]), "first": True}

    def survived(self, job: Dict[str, Any]) -> None:
        """A verdict."""
        self._survived += bool(job.get("left"))

    def killed(self, job: Dict[str, Any], number: Optional[int]) -> None:
        """A verdict; `number` is the killer's, None for a file that cannot be imported."""
        self._noticed += bool(job.get("left") or (job.get("likely") and number not in job["likely"]))
        if number is not None:
            self._kills[job["path"], job["function"], number] += 1
            self._kills[job["path"], "", number] += 1

    def _seconds(self, tests: List[int]) -> float:
        return float(sum(self._task["tests"][number]["seconds"] for number in tests))

    def _ranked(self, job: Dict[str, Any], tests: List[int]) -> List[int]:
        near = set(self._task["sets"][job["near"]])
        path, function, times = job["path"], job["function"], self._task["tests"]

        def rank(number: int) -> Tuple[int, int, bool, float]:
            here, file = self._kills[path, function, number], self._kills[path, "", number]
            return -here, -file, number not in near, times[number]["seconds"]

        return sorted(tests, key=rank)
