"""The task of the runner: each mutant with the tests to ask, in the order in which they are to be judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ci_kit.selective_mutation.budget import Limits, in_order
from ci_kit.selective_mutation.controls import Control
from ci_kit.selective_mutation.covering import Covering
from ci_kit.selective_mutation.mutants import Mutant

Job = dict[str, Any]
FEW = 3


class Sets:
    """Sets of tests, each once: thousands of mutants share a few hundred."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, tests: tuple[int, ...]) -> int:
        """The place of a set in `all`."""
        return self._numbers.setdefault(tests, len(self._numbers))

    def all(self) -> list[list[int]]:
        """All sets, by their numbers."""
        return [list(tests) for tests in self._numbers]


def task_of(
    mutants: Sequence[Mutant],
    killers: dict[str, str],
    covering: Covering,
    noop: Control,
    raises: Sequence[Control],
    limits: Limits,
    *,
    trusted: Sequence[tuple[str, int]] = (),
    slow: Collection[str] = (),
    workers: int = 1,
) -> dict[str, Any]:
    """What the runner needs beside folders and files. `killers` has the test that noticed a mutant the last time.

    `trusted` are tests (worker's kind, number) that were seen green alone, with the same files. `slow` are mutants that were
    stopped at their time limit.

    Several `workers` could disturb each other, so the no-op runs in all of them at once with every test that a fork may be asked
    to run. With one, a few of its own tests do: whatever notices a mutant must pass in a fork without it, and what survives is
    tried in a fresh process, so a suite that cannot be forked is found out either way.
    """
    sets = Sets()
    numbers = {test.id: number for number, test in enumerate(covering.tests)}
    jobs = [_job(mutant, covering, sets, numbers.get(killers.get(mutant.id, ""))) for mutant in in_order(mutants)]
    for job in jobs:
        # Others would have to wait for one that may need all its time.
        job["together"] = bool(job.get("hinted")) and job["how"] == "fork" and job["id"] not in slow
    needed = {number for job in jobs for number in _first_asked(job, sets)} if workers > 1 else set()
    few = sorted(noop.choice.direct, key=lambda number: covering.tests[number].seconds)[:FEW]
    control = {"set": sets.number(tuple(sorted(needed or few)))}
    forks = [job for job in jobs if job["how"] == "fork"]
    asked = {number for job in forks for number in (*sets.all()[job["set"]], *job.get("tests", ()))}
    files = sorted({covering.tests[number].file for number in asked | needed | set(noop.choice.direct)})
    return {
        "jobs": jobs,
        "noop": {**_control(noop, sets, "no-op"), **control},
        "raises": [_control(each, sets, f"failure {number}") for number, each in enumerate(raises)],
        "sets": sets.all(),
        "tests": [{"id": test.id, "file": test.file, "seconds": test.seconds} for test in covering.tests],
        "files": files if len(files) < len({test.file for test in covering.tests}) else [],
        "trusted": [list(each) for each in trusted],
        "unforkable": covering.unforkable,
        "exec": bool(covering.unforkable),
        "modules": covering.modules,
        "others": covering.others,
        "factor": limits.factor,
        "floor": limits.floor_seconds,
        "start-seconds": 2 * covering.start_seconds,
        "start-limit": 60 + 20 * covering.start_seconds,
    }


def _job(mutant: Mutant, covering: Covering, sets: Sets, killer: int | None) -> Job:
    choice = covering.choose(mutant)
    fork = bool(mutant.function and choice.direct)
    job = {
        "id": mutant.id,
        "path": mutant.path,
        "function": mutant.function,
        "start": mutant.start,
        "length": len(mutant.before),
        "after": mutant.after,
        "how": "fork" if fork else "fresh",
        "warm": fork and choice.direct == choice.all,  # it does not run at import
        "set": sets.number(choice.direct if fork else choice.all),
        "near": sets.number(choice.direct),
        "fresh-set": sets.number(choice.all),
    }
    if killer is not None and killer in choice.all:
        return {**job, "tests": [killer], "hinted": True}
    return job


def _first_asked(job: Job, sets: Sets) -> list[int]:
    """The tests that a fork may be asked to run: those that the control must find green.

    Those that are judged together are seen green before each of them.
    """
    if job["together"]:
        return []
    return list(job.get("tests") or (sets.all()[job["set"]] if job["how"] == "fork" else ()))


def _control(control: Control, sets: Sets, name: str) -> Job:
    return {
        "id": name,
        "path": control.path,
        "function": "",
        "start": control.start,
        "length": 0,
        "after": control.text,
        "how": "fork",
        "set": sets.number(control.choice.direct),
    }
