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
from typing import Any, Dict, Iterator, List

import pytest

from pytest_ci_kit.mutating.forking import Voice, run_forked
from pytest_ci_kit.mutating.line import Line, answer
from pytest_ci_kit.mutating.options import Unremembered, arguments
from pytest_ci_kit.mutating.session import Witness, shown
from pytest_ci_kit.mutating.task import Change, Task, Text, tests_of


class Fresh:
    """A process without anything of the project in it; each job imports the copy, patched, in a child."""

    def __init__(self, task: Task, line: Line, modules: List[str]) -> None:
        self._task = task
        self._line = line
        self._modules = modules
        self._stamp = 1_000_000_000

    def serve(self) -> None:
        """Answer jobs until there are no more."""
        if not self._task["exec"]:
            for name in self._modules:
                # Only what the suite imports anyway, and nothing of the project.
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            gc.collect()
            gc.freeze()
        self._line.answer(ready=True)
        while (job := self._line.next()) is not None:
            started = time.monotonic()
            with self._patched(Change.of(job)):
                ended = run_forked(
                    lambda voice, job=job: self._child(job, voice),  # type: ignore[misc]
                    cpu_seconds=job["cpu"] + self._task["start-seconds"],
                    wall_seconds=job["wall"] + 4 * self._task["start-seconds"],
                    folder=Path(self._task["temporary"]),
                )
            self._line.answer(**answer(job, ended, time.monotonic() - started))

    @contextlib.contextmanager
    def _patched(self, change: Change) -> Iterator[None]:
        path = Path(self._task["root"], change.path)
        before, raw = path.stat(), path.read_bytes()
        source = Text.read(path)
        path.write_bytes(change.applied(source.text).encode(source.encoding))
        # Compiled files are known by a time in whole seconds and a size: no two of these versions may share it.
        self._stamp += 1
        os.utime(path, (self._stamp, self._stamp))
        try:
            yield
        finally:
            path.write_bytes(raw)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _child(self, job: Dict[str, Any], voice: Voice) -> None:
        if self._task["exec"]:
            os.set_inheritable(voice.end, True)
            words = [sys.executable, "-m", "pytest_ci_kit.mutating", self._task["file"], "one", str(voice.end)]
            os.execv(  # noqa: S606 - this process becomes the next
                sys.executable, [*words, json.dumps({**job, "slot": self._task["slot"]})]
            )
        run_one(self._task, job, voice)


def run_one(task: Task, job: Dict[str, Any], voice: Voice) -> None:
    """Pytest from its start, with the chosen tests."""
    chooser = Chooser(task, job, voice)
    code = int(pytest.main(arguments(task, chooser.files, stop=True), plugins=[chooser, Unremembered()]))
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
