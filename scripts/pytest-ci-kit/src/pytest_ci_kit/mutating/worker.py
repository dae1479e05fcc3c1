"""One worker process: it reads jobs as lines of JSON, does each in a forked child, and answers with a line."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from pytest_ci_kit.mutating.collected import Forking
from pytest_ci_kit.mutating.fresh import Fresh
from pytest_ci_kit.mutating.held import Held
from pytest_ci_kit.mutating.line import Line
from pytest_ci_kit.mutating.options import Undisturbed, arguments
from pytest_ci_kit.mutating.processes import adopt_orphans, end_with_parent
from pytest_ci_kit.mutating.task import Task


def work(kind: str, task: Task, reading: int, writing: int, parent: int) -> None:
    """Answer jobs until the supervisor closes the pipe."""
    end_with_parent(parent)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor hears it and ends its workers
    line = Line(reading, writing)
    if kind == "fork":
        code = pytest.main(arguments(task, task["files"], stop=False), plugins=[Forking(task, line), Undisturbed()])
        line.answer(stopped=f"pytest ended with {int(code)} before the first mutant")
        return
    if kind == "start" or task["exec"]:
        Fresh(task, line).serve()
        return
    # What is installed may depend on what the project does before it imports it: only where no changed code runs by then.
    Held(task, line, [*task["modules"], *(task["others"] if kind == "warm" else ())]).serve()
    # In a process that is new again, each child starts pytest itself.
    words = [task["file"], "start", str(task["slot"]), str(reading), str(writing), str(parent)]
    os.execv(sys.executable, [sys.executable, "-m", "pytest_ci_kit.mutating", *words])  # noqa: S606
