"""The side of ci-kit that runs inside pytest. Without `--ci-kit-task` it does nothing.

Imports only pytest and the standard library: it runs in the consumer's interpreter, Python 3.9 or newer.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Generator, List, Optional

import pytest

from pytest_ci_kit.agreement import Agreement
from pytest_ci_kit.capture import bound_capture
from pytest_ci_kit.choice import Choice
from pytest_ci_kit.distribution import Distribution
from pytest_ci_kit.footprints import Footprints
from pytest_ci_kit.order import Order
from pytest_ci_kit.real_time import keep_real_time
from pytest_ci_kit.record import Recorder, Selector, Task, save_coverage, shorten
from pytest_ci_kit.reruns import ask_without_delay
from pytest_ci_kit.watchdog import Guard

__all__: List[str] = []
pytest_plugins = ("pytest_ci_kit.fixtures",)
_NAME = "ci-kit-task"
_CHOICE = "ci-kit-choice"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ci-kit-task FILE`: what this run is to do and where it records it."""
    parser.getgroup("ci-kit").addoption("--ci-kit-task", metavar="FILE", help="The task written by `ci-kit test run`.")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, None]:
    """Record the `conftest.py` that raises: pytest itself only prints it, and answers "usage error"."""
    path = getattr(early_config.known_args_namespace, "ci_kit_task", None)
    if path:
        _trace(Task.read(Path(path)), early_config)
    outcome = yield
    if path and outcome.excinfo is not None:
        error = outcome.excinfo[1]
        broken = getattr(error, "path", None)
        if broken is not None:
            cause = getattr(error, "cause", None) or error.excinfo[1]  # pytest 8 and newer, and before
            Recorder(Task.read(Path(path)), early_config).conftest_failed(Path(str(broken)), cause)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start recording."""
    path: Optional[str] = config.getoption("--ci-kit-task", default=None)
    if path:
        keep_real_time()
        task = Task.read(Path(path))
        recorder = Recorder(task, config)
        choice = Choice(task.unaffected, task.environments, only=task.only)
        task = replace(task, unaffected=choice.unaffected)
        if task.exact is None:
            config.pluginmanager.register(choice, _CHOICE)
        bound_capture(config)
        config.pluginmanager.register(_Shard(task, recorder, config), _NAME)
        config.pluginmanager.register(Distribution(task, recorder, config), "ci-kit-distribution")
        config.pluginmanager.register(Order(task.seed, task.exact, config), "ci-kit-order")
        config.pluginmanager.register(Agreement(), "ci-kit-agreement")
        config.pluginmanager.register(Guard(recorder, task.test_seconds, config), "ci-kit-guard")


def _trace(task: Task, config: pytest.Config) -> None:
    """Begin to record what tests depend on, before the project's first import; a controller runs no tests."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if (
        task.record_map
        and task.exact is None
        and (worker or not getattr(config.known_args_namespace, "numprocesses", 0))
    ):
        config.pluginmanager.register(Footprints(task.root, task.record, worker or "main"), "ci-kit-footprints")


class _Shard:
    """One process of a run: the controller, a worker, or the only one."""

    def __init__(self, task: Task, recorder: Recorder, config: pytest.Config) -> None:
        self._selector = Selector(task)
        self._recorder = recorder
        self._is_worker = hasattr(config, "workerinput")
        self._runs_tests = False
        if not self._is_worker:
            self._recorder.session_starts()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """A file that is named as an argument is never asked about, so it is taken out of the arguments."""
        config = session.config
        here = config.invocation_params.dir
        config.args = [arg for arg in config.args if self._selector.runs_argument(here, str(arg))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Optional[bool]:
        """Never import what another shard runs."""
        return True if self._selector.skips(collection_path) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> None:
        """What was collected in spite of that belongs to its own shard: an `__init__.py` with tests, parts of a cut file."""
        items[:] = [item for item in items if self._selector.keeps(item.path, item.nodeid)]
        self._recorder.cut(self._selector)

    def pytest_deselected(self, items: List[pytest.Item]) -> None:
        """`-m`, `-k` and the consumer's own hooks."""
        self._recorder.deselected.extend(item.nodeid for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Never called in a controller: it does not collect."""
        self._recorder.collected(session.items)
        choice = session.config.pluginmanager.get_plugin(_CHOICE)
        if choice is not None and (choice.left_out or choice.note):
            self._recorder.chosen(choice.left_out, choice.note)
        order = session.config.pluginmanager.get_plugin("ci-kit-order")
        if order is not None and order.note:
            self._recorder.ordered_by(order.note)
        ask_without_delay(session.config)
        self._runs_tests = True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say what is running, for the case that nobody comes back from it. A controller hears it of its workers."""
        if self._runs_tests:
            self._recorder.running(nodeid)
            self._recorder.started(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        """Nothing is running."""
        if self._runs_tests:
            self._recorder.running("")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, None]:
        """A test that prints 100 MB must not fill reports, logs and the wire between worker and controller."""
        outcome = yield
        report = outcome.get_result()
        report.sections = [(title, shorten(content)) for title, content in report.sections]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """A worker that leaves threads behind is killed after ten seconds; its measurement is safe by then."""
        if self._is_worker:
            save_coverage()
