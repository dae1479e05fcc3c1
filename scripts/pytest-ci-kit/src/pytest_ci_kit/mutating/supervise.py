"""Judge mutants with several workers: controls first, survivors again in a fresh process, within a budget."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, Deque, Dict, List, Optional, Set, Tuple

from pytest_ci_kit.mutating.controls import Controls, killer_of, told
from pytest_ci_kit.mutating.pool import Pool, Slot
from pytest_ci_kit.mutating.task import Task, tests_of

_MOST_LIKELY = 3
_WORTH_A_FORK_SECONDS = 0.05  # what a second fork must be able to save
_MOST_ATTEMPTS = 2
_SAY_EVERY_SECONDS = 10.0


class ControlFailed(Exception):
    """Verdicts of this run could not be trusted; the message says why."""


class Supervisor:
    """One run. Verdicts go to a file as they come; the answer says how they were made."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._deadline = time.monotonic() + task["seconds"]
        self._queue: Deque[Dict[str, Any]] = deque(task["jobs"])
        self._kills: Counter[Tuple[str, str, int]] = Counter()
        self._trusted: Set[Tuple[str, int]] = {(kind, number) for kind, number in task["trusted"]}
        self._fork: bool = not task["unforkable"]
        self._why_fresh: str = task["unforkable"]
        self._checked: Set[str] = set()
        self._counts: Counter[str] = Counter()
        self._said = time.monotonic()
        self._pool = Pool(task)
        self._controls = Controls(task, self._pool)

    def run(self) -> None:
        """Judge all jobs, or as many as there is time for, and write the answer."""
        error = ""
        try:
            with self._pool, Path(self._task["verdicts"]).open("a", encoding="utf-8") as self._out:
                self._control()
                self._judge()
        except ControlFailed as failed:
            error = str(failed)
        answer = {
            "error": error,
            "fork": self._fork,
            "why-fresh": self._why_fresh,
            "workers": len(self._pool.slots),
            "distrusted": [self._task["tests"][number]["id"] for number in sorted(self._controls.distrusted)],
            "trusted": sorted(self._trusted),
            "notes": self._controls.notes,
        }
        Path(self._task["answer"]).write_text(json.dumps(answer), encoding="utf-8")

    def _control(self) -> None:
        """A no-op survives everywhere at once, a forced failure is caught; otherwise in fresh processes, or not at all."""
        if self._fork and any(job["how"] == "fork" for job in self._task["jobs"]):
            why = self._controls.check("fork")
            if why:
                self._fork, self._why_fresh = False, why
        if not self._fork and self._queue:
            why = self._controls.check("fresh")
            if why:
                raise ControlFailed(why)
            self._checked.add("fresh")

    def _judge(self) -> None:
        while True:
            if time.monotonic() >= self._deadline:
                return
            for slot in self._pool.slots:
                if slot.job is None and self._queue:
                    self._give(slot, self._queue.popleft())
            if not any(slot.job for slot in self._pool.slots):
                return
            for slot, found in self._pool.answers(self._deadline):
                self._take(slot, found)
            self._progress()

    def _give(self, slot: Slot, job: Dict[str, Any]) -> None:
        kind = "fork" if job["how"] == "fork" else "warm" if job["warm"] else "fresh"
        kind = kind if self._fork else "fresh"
        if kind != "fork" and kind not in self._checked:
            why = self._controls.check_raise(kind, slot)
            if why:
                raise ControlFailed(why)
            self._checked.add(kind)
        tests = [number for number in tests_of(self._task, job) if number not in self._controls.distrusted]
        if not tests:
            self._verdict(job, "no-coverage", kind, {}, "every test that runs this code fails when it runs alone")
            return
        job = {**job, "tests": tests} if self._controls.distrusted else job
        job = {**job, **self._controls.limits(tests)}
        self._pool.give(slot, kind, {**job, "likely": self._likely(job, tests)} if kind == "fork" else job)

    def _likely(self, job: Dict[str, Any], tests: List[int]) -> List[int]:
        """Tests that noticed changes of this function or this file before; at first, the quickest."""
        times = self._task["tests"]
        if sum(times[number]["seconds"] for number in tests) < _WORTH_A_FORK_SECONDS or len(tests) <= _MOST_LIKELY:
            return []
        hints = set(job.get("hints", ()))
        path, function = job["path"], job["function"]

        def rank(number: int) -> Tuple[bool, int, int, float]:
            here, near = self._kills[path, function, number], self._kills[path, "", number]
            return number not in hints, -here, -near, times[number]["seconds"]

        return sorted(tests, key=rank)[:_MOST_LIKELY]

    def _take(self, slot: Slot, found: Dict[str, Any]) -> None:
        job, kind, held = slot.job, slot.kind, slot.held
        slot.job = slot.held = None
        if job is None:
            return
        if held is not None:
            self._after_trust(job, kind, held, found)
            return
        status = found.get("status")
        if "unfit" in found:
            self._queue.appendleft(_fresh(job))
        elif status is None:
            self._retry(job, kind, found)
        elif status == "passed" and job.get("hinted"):
            # The killer of last time notices nothing any more: everything is asked again.
            self._queue.appendleft({name: value for name, value in job.items() if name not in ("tests", "hinted")})
        elif status == "passed" and kind == "fork":
            self._queue.appendleft(_fresh(job))
        elif status == "passed":
            self._verdict(job, "survived", kind, found, "")
        elif status == "no-tests":
            self._verdict(job, "error", kind, found, found["why"])
        else:
            self._killed(slot, job, kind, found)

    def _killed(self, slot: Slot, job: Dict[str, Any], kind: str, found: Dict[str, Any]) -> None:
        number = killer_of(found, self._task)
        # A test that fails alone, without any mutant, is no witness; nor is a file that cannot be imported.
        tests = tests_of(self._task, job) if number is None else [number]
        key = (kind, -1 - job["set"] if number is None else number)
        if key in self._trusted:
            self._settle(job, kind, found, number)
            return
        self._pool.give(slot, kind, self._controls.plain(tests))
        slot.job, slot.held = job, {**found, "number": number, "key": key}

    def _after_trust(self, job: Dict[str, Any], kind: str, held: Dict[str, Any], found: Dict[str, Any]) -> None:
        number = held["number"]
        if found.get("status") == "passed":
            self._trusted.add(held["key"])
            self._settle(job, kind, held, number)
        elif "status" in found and number is None:
            self._verdict(job, "error", kind, held, f"without the mutant too: {told(found, self._task)}")
        elif "status" in found:
            self._controls.distrusted.add(number)
            self._queue.appendleft(job)
        else:
            self._retry(job, kind, found)

    def _settle(self, job: Dict[str, Any], kind: str, found: Dict[str, Any], number: Optional[int]) -> None:
        if number is not None:
            found = {**found, "killer": self._task["tests"][number]["id"]}
            self._kills[job["path"], job["function"], number] += 1
            self._kills[job["path"], "", number] += 1
        timeout = found["status"] == "timeout"
        self._verdict(job, "timeout" if timeout else "killed", kind, found, found.get("why", ""))

    def _retry(self, job: Dict[str, Any], kind: str, found: Dict[str, Any]) -> None:
        attempts = job.get("attempts", 0) + 1
        if attempts >= _MOST_ATTEMPTS:
            self._verdict(job, "error", kind, found, found.get("stopped", "the worker ended"))
        else:
            self._queue.appendleft({**job, "attempts": attempts})

    def _verdict(self, job: Dict[str, Any], status: str, kind: str, found: Dict[str, Any], detail: str) -> None:
        ran = [self._task["tests"][number]["id"] for number in found.get("ran", ()) if number >= 0]
        line = {
            "mutant": job["id"],
            "status": status,
            "tests": ran,
            "killer": found.get("killer") if status in ("killed", "timeout") else None,
            "seconds": round(found.get("seconds", 0.0), 4),
            "how": "fork" if kind == "fork" else "fresh",
            "detail": detail,
        }
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()
        self._counts[status] += 1

    def _progress(self) -> None:
        if time.monotonic() - self._said > _SAY_EVERY_SECONDS:
            self._said = time.monotonic()
            done = sum(self._counts.values())
            print(
                f"{done} of {len(self._task['jobs'])} mutants judged, {self._counts['survived']} survived", flush=True
            )


def _fresh(job: Dict[str, Any]) -> Dict[str, Any]:
    """The same in a fresh process, with all tests that code which runs at import can matter to."""
    kept = {name: value for name, value in job.items() if name not in ("tests", "hinted", "likely")}
    return {**kept, "how": "fresh", "set": job["fresh-set"]}
