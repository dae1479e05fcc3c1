"""The worker in which pytest has begun: its plug-ins are imported, and nothing of the project.

Each of its children goes on from there: it loads the `conftest.py` files and the patched copy, collects and runs. That is
what a new process would do from this point on, without an interpreter's and pytest's start.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Dict, Generator, Iterable, List, Optional

import pytest

from pytest_ci_kit.mutating.forking import Voice, end_after, end_broken, fork
from pytest_ci_kit.mutating.fresh import Chooser, Patched, limits, preload
from pytest_ci_kit.mutating.line import Line, answer
from pytest_ci_kit.mutating.options import Undisturbed, arguments
from pytest_ci_kit.mutating.task import Task


class Held:
    """The plug-in that holds pytest where it would load the first `conftest.py`, and lets children go on.

    `modules` are imported before, in a process that all children share.
    """

    def __init__(self, task: Task, line: Line, modules: Iterable[str]) -> None:
        self._task = task
        self._line = line
        self._modules = list(modules)
        self._patched = Patched(task)
        self._voice: Optional[Voice] = None
        self._files: List[str] = []

    def serve(self) -> str:
        """Answer jobs until there are no more; returns why it cannot, if anything of the project is imported too early."""
        # No paths: the first `conftest.py` files are those of the whole suite.
        words = arguments(self._task, [], stop=True)
        try:
            code = int(pytest.main(words, plugins=[self, Undisturbed()]))
        except _TooEarly as early:
            return str(early)
        except BaseException as error:
            if self._voice is None:
                raise
            end_broken(self._voice, error)
        if self._voice is not None:
            end_after(lambda voice: voice.say(code=code), self._voice)
        return f"pytest ended with {code} before its first conftest.py"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> Generator[None, Any, None]:
        """Before every other plug-in's part in it, and before output is captured."""
        preload(self._modules)
        if name := _of_project(self._task["root"]):
            raise _TooEarly(f"{name} is imported before any conftest.py")
        self._line.answer(ready=True)
        job = self._job_of_child()
        if job is None or self._voice is None:
            os._exit(0)
        chooser = Chooser(self._task, job, self._voice)
        self._files = chooser.files
        early_config.pluginmanager.register(chooser, "ci-kit-mutating-chooser")
        yield

    def _job_of_child(self) -> Optional[Dict[str, Any]]:
        """In a child, its job; in this process nothing, when there are no more."""
        while (job := self._line.next()) is not None:
            started = time.monotonic()
            with self._patched.by(job):
                found = fork(**limits(self._task, job))
                if isinstance(found, Voice):
                    self._voice = found
                    return job
            self._line.answer(**answer(job, found, time.monotonic() - started))
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Only the files of the chosen tests are collected."""
        if self._files:
            config.args = list(self._files)


class _TooEarly(Exception):
    """Something of the project is in the process that all children would share."""


def _of_project(root: str) -> str:
    """The name of a module that is from below `root`; empty where there is none."""
    here = os.path.realpath(root) + os.sep
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and os.path.realpath(file).startswith(here):
            return name
    return ""
