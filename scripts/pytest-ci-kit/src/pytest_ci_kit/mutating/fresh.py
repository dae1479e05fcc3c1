"""The worker in which nothing of the project is: each of its children imports all of it anew, from the patched copy."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

import pytest

from pytest_ci_kit.mutating.forking import Voice, run_forked
from pytest_ci_kit.mutating.line import Line, answer
from pytest_ci_kit.mutating.options import Undisturbed, arguments
from pytest_ci_kit.mutating.session import Witness, shown
from pytest_ci_kit.mutating.task import Change, Task, Text, tests_of


class Fresh:
    """A process without anything of the project in it; each job imports the copy, patched, in a child."""

    def __init__(self, task: Task, line: Line) -> None:
        self._task = task
        self._line = line
        self._patched = Patched(task)

    def serve(self) -> None:
        """Answer jobs until there are no more."""
        if not self._task["exec"]:
            preload(self._task["modules"])
        self._line.answer(ready=True)
        while (job := self._line.next()) is not None:
            started = time.monotonic()
            with self._patched.by(job):
                ended = run_forked(
                    lambda voice, job=job: self._child(job, voice),  # type: ignore[misc]
                    **limits(self._task, job),
                )
            self._line.answer(**answer(job, ended, time.monotonic() - started))

    def _child(self, job: Dict[str, Any], voice: Voice) -> None:
        if self._task["exec"]:
            os.set_inheritable(voice.end, True)
            words = [sys.executable, "-m", "pytest_ci_kit.mutating", self._task["file"], "one", str(voice.end)]
            os.execv(  # noqa: S606 - this process becomes the next
                sys.executable, [*words, json.dumps({**job, "slot": self._task["slot"]})]
            )
        run_one(self._task, job, voice)


def preload(modules: Iterable[str]) -> None:
    """Import what the suite imports anyway, and nothing of the project."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def limits(task: Task, job: Dict[str, Any]) -> Dict[str, Any]:
    """What a child may take that starts pytest or a part of it."""
    return {
        "cpu_seconds": job["cpu"] + task["start-seconds"],
        "wall_seconds": job["wall"] + 4 * task["start-seconds"],
        "folder": Path(task["temporary"]),
    }


class Patched:
    """A file of the copy, changed for the time of one job."""

    def __init__(self, task: Task) -> None:
        self._root = task["root"]
        self._stamp = 1_000_000_000

    @contextlib.contextmanager
    def by(self, job: Dict[str, Any]) -> Iterator[None]:
        """The file is as it was afterwards; a child that leaves here keeps the change."""
        owner = os.getpid()
        change = Change.of(job)
        path = Path(self._root, change.path)
        before, raw = path.stat(), path.read_bytes()
        source = Text.read(path)
        path.write_bytes(change.applied(source.text).encode(source.encoding))
        # Compiled files are known by a time in whole seconds and a size: no two of these versions may share it.
        self._stamp += 1
        os.utime(path, (self._stamp, self._stamp))
        try:
            yield
        finally:
            if os.getpid() == owner:
                path.write_bytes(raw)
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def run_one(task: Task, job: Dict[str, Any], voice: Voice) -> None:
    """Pytest from its start, with the chosen tests."""
    chooser = Chooser(task, job, voice)
    code = int(pytest.main(arguments(task, chooser.files, stop=True), plugins=[chooser, Undisturbed()]))
    voice.say(code=code)


class Chooser(Witness):
    """The plug-in that keeps the chosen tests, and those that no unmutated run knows."""

    def __init__(self, task: Task, job: Dict[str, Any], voice: Voice) -> None:
        tests = task["tests"]
        super().__init__(voice, {test["id"]: number for number, test in enumerate(tests)})
        wanted = tests_of(task, job)
        self._wanted = {tests[number]["id"] for number in wanted}
        everything = len(wanted) == len(tests)
        self.files = [] if everything else sorted({tests[number]["file"] for number in wanted})

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> None:
        """Names that come from mutated code differ; such a test is run."""
        items[:] = [item for item in items if item.nodeid in self._wanted or item.nodeid not in self._numbers]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported any more."""
        if report.failed and not self.failed:
            self.failed = True
            self._voice.say(failed=report.nodeid, why=shown(report))
