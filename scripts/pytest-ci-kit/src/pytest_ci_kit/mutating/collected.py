"""The worker that has collected the suite once, and puts mutated code into the living functions of each child."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from pathlib import Path
from types import CodeType
from typing import Any, Callable, Dict, List, Tuple

import pytest

from pytest_ci_kit.mutating.codes import Living, Unfit, differences
from pytest_ci_kit.mutating.forking import Ended, Voice, run_forked
from pytest_ci_kit.mutating.line import Line, answer
from pytest_ci_kit.mutating.session import Mute, run_items
from pytest_ci_kit.mutating.task import Change, Task, Text, tests_of


class Forking:
    """The plug-in that takes the place of running the tests."""

    def __init__(self, task: Task, line: Line) -> None:
        self._task = task
        self._line = line
        self._texts: Dict[str, str] = {}
        self._numbers = {test["id"]: number for number, test in enumerate(task["tests"])}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Serve jobs instead. The supervisor ends this process when there are no more."""
        items = {item.nodeid: item for item in session.items}
        self._session = session
        self._items = [items.get(test["id"]) for test in self._task["tests"]]
        self._living = Living(str(Path(self._task["root"], path)) for path in self._task["targets"])
        gc.collect()
        gc.freeze()
        self._line.answer(ready=True)
        while (job := self._line.next()) is not None:
            if "members" in job:
                self._line.answer(id=job["id"], found=self._judged_together(job))
                continue
            try:
                self._line.answer(**self._judged(job))
            except (Unfit, SyntaxError, ValueError) as error:
                self._line.answer(id=job["id"], unfit=str(error))
        os._exit(0)

    def _judged_together(self, job: Dict[str, Any]) -> List[Dict[str, Any]]:
        """The answers for the members that could be judged one after the other in one child.

        Before each of them its tests must pass there without it, so what the ones before left behind is no matter.
        """
        ready = []
        for member in job["members"]:
            with contextlib.suppress(Unfit, SyntaxError, ValueError):
                ready.append((member, *self._codes(member), self._chosen(tests_of(self._task, member))))

        def child(voice: Voice) -> None:
            for member, codes, outermost, items in ready:
                voice.say(member=member["id"])
                if not run_items(self._session, items, Mute(), self._numbers):
                    return
                changed = self._living.replace(codes, outermost)
                run_items(self._session, items, voice, self._numbers)
                self._living.restore(codes, changed)

        started = time.monotonic()
        ended = run_forked(
            child, cpu_seconds=job["cpu"], wall_seconds=job["wall"], folder=Path(self._task["temporary"])
        )
        seconds = (time.monotonic() - started) / max(1, len(ready))
        parts: Dict[str, List[Dict[str, Any]]] = {}
        for words in ended.said:
            if "member" in words:
                part = parts.setdefault(words["member"], [])
            elif parts:
                part.append(words)
        found = []
        for member, *_ in ready:
            said = parts.get(member["id"], [])
            if any("failed" in words or "done" in words for words in said):
                found.append(answer(member, Ended(said, timed_out=False, code=0, seconds=seconds), seconds))
        return found

    def _judged(self, job: Dict[str, Any]) -> Dict[str, Any]:
        """The answer; raises `Unfit`, or what the compiler raises, for a change that cannot be made here."""
        started = time.monotonic()
        codes, outermost = ({}, []) if job.get("plain") else self._codes(job)
        found: Dict[str, Any] = {}
        ran: List[int] = []
        for part in self._parts(job):
            child = self._child(self._chosen(part), codes, outermost)
            ended = run_forked(
                child, cpu_seconds=job["cpu"], wall_seconds=job["wall"], folder=Path(self._task["temporary"])
            )
            found = answer(job, ended, time.monotonic() - started)
            ran += found.get("ran", [])
            if found.get("status") != "passed":
                break
        return {**found, "ran": ran}

    def _chosen(self, tests: List[int]) -> List[pytest.Item]:
        items = [self._items[number] for number in tests]
        chosen = [item for item in items if item is not None]
        if len(chosen) < len(items):
            raise Unfit("the suite was collected differently")
        return chosen

    def _child(
        self, items: List[pytest.Item], codes: Dict[CodeType, CodeType], outermost: List[CodeType]
    ) -> Callable[[Voice], None]:
        def child(voice: Voice) -> None:
            try:
                self._living.replace(codes, outermost)
            except (Unfit, ValueError) as error:
                voice.say(unfit=str(error))
                return
            run_items(self._session, items, voice, self._numbers)

        return child

    def _parts(self, job: Dict[str, Any]) -> List[List[int]]:
        """The likely killers, then all others: each a plain selection, in the order of the collection."""
        tests, likely = tests_of(self._task, job), set(job.get("likely", ()))
        if not likely:
            return [tests]
        return [[number for number in tests if (number in likely) is first] for first in (True, False)]

    def _codes(self, job: Dict[str, Any]) -> Tuple[Dict[CodeType, CodeType], List[CodeType]]:
        change = Change.of(job)
        if change.path not in self._texts:
            self._texts[change.path] = Text.read(Path(self._task["root"], change.path)).text
        text = self._texts[change.path]
        name = str(Path(self._task["root"], change.path))
        return differences(text, change.applied(text), name, change.lines(text), force=bool(job.get("force")))
