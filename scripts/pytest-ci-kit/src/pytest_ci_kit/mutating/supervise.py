"""Judge mutants with several workers: controls first, survivors again in a fresh process, within a budget."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, Deque, Dict, Optional, Set, Tuple

from pytest_ci_kit.mutating.asking import Asking
from pytest_ci_kit.mutating.controls import Controls, killer_of, told
from pytest_ci_kit.mutating.pool import Pool, Slot
from pytest_ci_kit.mutating.task import Task, tests_of

_MOST_TOGETHER = 24
_MOST_ATTEMPTS = 2
_CHOSEN = ("tests", "hinted", "likely", "first", "together")  # how a job narrows what is asked
_SAY_EVERY_SECONDS = 10.0


class ControlFailed(Exception):
    """Verdicts of this run could not be trusted; the message says why."""


class Supervisor:
    """One run. Verdicts go to a file as they come; the answer says how they were made."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._deadline = time.monotonic() + task["seconds"]
        self._queue: Deque[Dict[str, Any]] = deque(task["jobs"])
        self._trusted: Set[Tuple[str, int]] = {(kind, number) for kind, number in task["trusted"]}
        self._fork: bool = not task["unforkable"]
        self._why_fresh: str = task["unforkable"]
        self._checked: Set[str] = set()
        self._counts: Counter[str] = Counter()
        self._warm = True
        self._said = time.monotonic()
        self._asking = Asking(task)
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
        kind = self._kind(job)
        if kind != "fork" and kind not in self._checked:
            kind = self._checked_kind(kind, slot, job)
        tests = [number for number in tests_of(self._task, job) if number not in self._controls.distrusted]
        if not tests:
            self._verdict(job, "no-coverage", kind, {}, "every test that runs this code fails when it runs alone")
            return
        job = {**job, "tests": tests} if self._controls.distrusted else job
        job = {**job, **self._controls.limits(tests)}
        if kind == "fork" and job.get("together"):
            job = self._together(job)
        elif kind == "fork":
            job = self._asking.in_fork(job, tests)
        else:
            job = self._asking.in_start(job, tests)
        self._pool.give(slot, kind, job)

    def _kind(self, job: Dict[str, Any]) -> str:
        """Which worker does it."""
        if self._fork and job["how"] == "fork":
            return "fork"
        return "warm" if self._fork and self._warm and job["warm"] else "fresh"

    def _checked_kind(self, kind: str, slot: Slot, job: Dict[str, Any]) -> str:
        """The kind, when its first use shows that its verdicts can be trusted, or the next simpler one that does."""
        if kind == "warm":
            tests = self._controls.quickest(self._controls.with_tests(job)["tests"])
            if self._pool.one_does(slot, kind, self._controls.plain(tests)).get("status") != "passed":
                self._warm = False
                kind = "fresh"
                if kind in self._checked:
                    return kind
        why = self._controls.check_raise(kind, slot)
        if why:
            raise ControlFailed(why)
        self._checked.add(kind)
        return kind

    def _together(self, job: Dict[str, Any]) -> Dict[str, Any]:
        """The job and others like it as one."""
        able = (each for each in self._queue if each.get("together"))
        others = [each for each in able if self._controls.distrusted.isdisjoint(each["tests"])][: _MOST_TOGETHER - 1]
        gone = {each["id"] for each in others}
        self._queue = deque(each for each in self._queue if each["id"] not in gone)
        members = [job, *({**each, **self._controls.limits(each["tests"])} for each in others)]
        own = sum(self._task["tests"][number]["seconds"] for each in members for number in each["tests"])
        cpu, wall = (max(each[name] for each in members) for name in ("cpu", "wall"))
        return {"id": "together", "members": members, "cpu": cpu + 3 * own, "wall": wall + 6 * own}

    def _take(self, slot: Slot, found: Dict[str, Any]) -> None:
        job, kind, held = slot.job, slot.kind, slot.held
        slot.job = slot.held = None
        if job is None:
            return
        if held is not None:
            self._after_trust(slot, job, held, found)
            return
        if "members" in job:
            self._take_together(job, found)
            return
        status = found.get("status")
        if "unfit" in found:
            self._queue.appendleft(_fresh(job))
        elif status is None:
            self._retry(job, kind, found)
        elif status == "passed":
            self._passed(job, kind, found)
        elif status == "no-tests":
            self._verdict(job, "error", kind, found, found["why"])
        else:
            self._killed(slot, job, kind, found)

    def _passed(self, job: Dict[str, Any], kind: str, found: Dict[str, Any]) -> None:
        """No test that was asked has noticed it."""
        if job.get("hinted"):
            # The killer of last time notices nothing any more: everything is asked again.
            self._queue.appendleft(_whole(job))
        elif kind == "fork":
            self._queue.appendleft({**_fresh(job), "left": True})
        elif job.get("first"):
            self._queue.appendleft({**_whole(job), "left": False})
        else:
            self._asking.survived(job)
            self._verdict(job, "survived", kind, found, "")

    def _take_together(self, job: Dict[str, Any], found: Dict[str, Any]) -> None:
        """Those that were noticed; each of the others is tried alone."""
        answers = {each["id"]: each for each in found.get("found", ())}
        for member in job["members"]:
            each = answers.get(member["id"], {})
            number = killer_of(each, self._task) if each.get("status") == "failed" else None
            if number is None:
                self._queue.appendleft({name: value for name, value in member.items() if name != "together"})
            else:
                self._settle(member, "fork", each, number)

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

    def _after_trust(self, slot: Slot, job: Dict[str, Any], held: Dict[str, Any], found: Dict[str, Any]) -> None:
        kind, number = slot.kind, held["number"]
        if found.get("status") == "passed":
            self._trusted.add(held["key"])
            self._settle(job, kind, held, number)
        elif "status" not in found:
            self._retry(job, kind, found)
        elif kind == "warm":
            # It may be the process, not the test.
            self._warm = False
            self._queue.appendleft(_whole(job))
        elif number is None:
            self._verdict(job, "error", kind, held, f"without the mutant too: {told(found, self._task)}")
        elif kind == "fork" and self._controls.passes_alone(number, slot):
            self._fork, self._why_fresh = False, f"a test fails in a fork only: {told(found, self._task)}"
            self._queue.appendleft(_whole(job))
        else:
            self._controls.distrusted.add(number)
            self._queue.appendleft(_whole(job))

    def _settle(self, job: Dict[str, Any], kind: str, found: Dict[str, Any], number: Optional[int]) -> None:
        if number is not None:
            found = {**found, "killer": self._task["tests"][number]["id"]}
        self._asking.killed(job, number)
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


def _whole(job: Dict[str, Any]) -> Dict[str, Any]:
    """The same with all its tests."""
    return {name: value for name, value in job.items() if name not in _CHOSEN}


def _fresh(job: Dict[str, Any]) -> Dict[str, Any]:
    """The same in a fresh process, with all tests that code which runs at import can matter to."""
    return {**_whole(job), "how": "fresh", "set": job["fresh-set"]}
