"""The controls: what must hold before a verdict is believed, and which tests are no witnesses."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

from pytest_ci_kit.mutating.pool import Pool, Slot
from pytest_ci_kit.mutating.task import Task, tests_of

_FEW = 3
_CAUGHT = ("failed", "crashed", "timeout")


class Controls:
    """`distrusted` are the numbers of tests that fail alone, without any mutant; `notes` is what people are to know."""

    def __init__(self, task: Task, pool: Pool) -> None:
        self._task = task
        self._pool = pool
        self.distrusted: Set[int] = set()
        self.notes: List[str] = []

    def check(self, kind: str) -> str:
        """Why verdicts of this kind of process could not be trusted; empty where they can."""
        while failed := self._noop(kind):
            number = killer_of(failed, self._task) if failed.get("killer") else None
            if number is None or self.passes_alone(number, self._pool.slots[0]):
                return f"a mutant that changes nothing did not survive in a {kind} process: {told(failed, self._task)}"
            # It depends on other tests; that says nothing about forks or mutants.
            self.distrusted.add(number)
        return self.check_raise(kind, self._pool.slots[0])

    def _noop(self, kind: str) -> Optional[Dict[str, Any]]:
        """How the no-op failed; None when it survived in all slots at once."""
        job = {**self.with_tests(self._task["noop"]), "force": True}
        failed = [found for found in self._pool.all_do(kind, job) if found.get("status") != "passed"]
        if failed and len(self._pool.slots) > 1:
            alone = self._pool.one_does(self._pool.only(1), kind, job)
            if alone.get("status") == "passed":
                self.notes.append(f"two workers at a time disturb each other ({told(failed[0], self._task)})")
                return None
            self._pool.restore()
            return alone
        return failed[0] if failed else None

    def passes_alone(self, number: int, slot: Slot) -> bool:
        """Whether a test does so in a process of its own, without any mutant."""
        found = self._pool.one_does(slot, "fresh", self.plain([number]))
        return found.get("status") == "passed"

    def quickest(self, tests: List[int]) -> List[int]:
        """A few of these, in their order."""
        return sorted(sorted(tests, key=lambda number: self._task["tests"][number]["seconds"])[:_FEW])

    def plain(self, tests: List[int]) -> Dict[str, Any]:
        """A job that changes nothing at all."""
        nothing = {"id": "plain", "plain": True, "tests": tests, "length": 0, "after": ""}
        return {**self._task["noop"], **self.limits(tests), **nothing}

    def with_tests(self, job: Dict[str, Any]) -> Dict[str, Any]:
        """The job with its limits, and without the tests that are no witnesses."""
        tests = [number for number in tests_of(self._task, job) if number not in self.distrusted]
        return {**job, **self.limits(tests), "tests": tests}

    def check_raise(self, kind: str, slot: Slot) -> str:
        """Why a forced failure is not caught; empty where it is."""
        for job in self._task["raises"]:
            if self._pool.one_does(slot, kind, self.with_tests(job)).get("status") in _CAUGHT:
                return ""
        return f"a forced failure was not noticed in a {kind} process"

    def limits(self, tests: List[int]) -> Dict[str, float]:
        """Processor time ends what loops, and does not depend on what else the machine does; the clock ends what waits."""
        own = self._task["factor"] * sum(self._task["tests"][number]["seconds"] for number in tests)
        return {"cpu": own + self._task["floor"], "wall": 3 * own + 10 * self._task["floor"]}


def killer_of(found: Dict[str, Any], task: Task) -> Optional[int]:
    """The number of the test that failed, or that ran when the process ended."""
    ran = [number for number in found.get("ran", ()) if number >= 0]
    if found["killer"] is None:
        return ran[-1] if ran else None
    names = {task["tests"][number]["id"]: number for number in ran}
    return names.get(found["killer"])


def told(found: Dict[str, Any], task: Task) -> str:
    """How a job ended, for a person."""
    ran = [number for number in found.get("ran", ()) if number >= 0]
    running = task["tests"][ran[-1]]["id"] if ran else ""
    said = (found.get("killer") or running, found.get("status"), found.get("why") or found.get("unfit") or "")
    return " ".join(str(word) for word in (*said, found.get("stopped", "")) if word)
