"""The hooks by which xdist asks for a scheduler, and what the controller and its workers leave for each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import pytest

from pytest_ci_kit.scheduling import KitScheduling

if TYPE_CHECKING:
    from pytest_ci_kit.record import Recorder, Task

_CANNOT_RERUN = {"KitScheduling", "LoadScopeScheduling"}


class Distribution:
    """Makes the kit's scheduler in the controller; tells it in every worker which tests `xdist_group` joins."""

    def __init__(self, task: Task, recorder: Recorder, config: pytest.Config) -> None:
        self._task = task
        self._recorder = recorder
        self._is_worker = hasattr(config, "workerinput")
        self._workers = 1
        self._scheduling: Optional[KitScheduling] = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Before xdist's own, which tells the controller that it may begin."""
        marks = group_marks(session.items) if self._is_worker else {}
        if marks:
            self._recorder.grouped(marks)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: List[Any]) -> None:
        """How many workers start."""
        self._workers = len(specs)

    @pytest.hookimpl(trylast=True, optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Optional[KitScheduling]:
        """Before xdist's own, behind the consumer's. `--dist each` runs every test on every worker: not ours."""
        if config.getoption("dist") == "each":
            return None
        self._scheduling = KitScheduling(
            config,
            workers=self._workers,
            scope=self._task.scope,
            durations=self._task.durations,
            marks_of=lambda worker: read_marks(self._task.record, worker),
            later=self._task.unaffected,
        )
        return self._scheduling

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, sched: Any) -> None:  # noqa: ANN401 - any scheduler of xdist
        """Keep pytest-rerunfailures from running a test again that killed its worker: it kills the next one too.

        xdist's own scope schedulers, which a consumer's plug-in may use, cannot do it at all and would end the run.
        """
        failures = getattr(sched.config, "failures_db", None)
        if failures is not None and any(kind.__name__ in _CANNOT_RERUN for kind in type(sched).__mro__):
            failures.set_test_reruns(crashitem, 0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Leave for the kit how well it went."""
        outcome = self._scheduling.outcome() if self._scheduling is not None else None
        if outcome is not None:
            self._recorder.scheduled(outcome)


def group_marks(items: List[pytest.Item]) -> Dict[str, str]:
    """The `xdist_group` of every test that has one; several are joined to one name, as xdist does.

    xdist itself puts the name into the node id, by a private attribute that pytest 9.2 no longer reads.
    """
    marks = {}
    for item in items:
        names = {str(_group_name(mark)) for mark in item.iter_markers("xdist_group")}
        if names:
            marks[item.nodeid] = "_".join(sorted(names))
    return marks


def _group_name(mark: pytest.Mark) -> object:
    return mark.args[0] if mark.args else mark.kwargs.get("name", "default")


def read_marks(record: Path, worker: str) -> Dict[str, str]:
    """What a worker left; nothing when none of its tests has the mark."""
    path = record / f"groups-{worker}.json"
    if not path.is_file():
        return {}
    found: Dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found
