"""Run the suite once, unmutated: is it green, which tests cover which lines, how long does each take, can it be forked."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Generator, Iterator, List, Optional, Set, Tuple

import coverage
import pytest

from pytest_ci_kit.mutating.forkable import open_sockets, why_not_forked
from pytest_ci_kit.mutating.options import Undisturbed, arguments
from pytest_ci_kit.mutating.session import shown
from pytest_ci_kit.mutating.task import Task

CONTEXT = "CI_KIT_MUTATING_TEST"  # the context of what a test starts as a process of its own
_KNOWN_WARNINGS = ("no-data-collected", "module-not-imported", "module-not-measured", "already-imported", "no-ctracer")
_MOST_SAID = 20
_OUR_OWN = frozenset({"coverage", "pytest_ci_kit", "sitecustomize"})


class Covering:
    """The plug-in. A context is `t<number of the test>`, or `s<number of a scope>` while a shared fixture is set up."""

    def __init__(self, measuring: coverage.Coverage, sockets: Set[int], only: Optional[List[str]]) -> None:
        self._measuring = measuring
        self._only = None if only is None else set(only)
        self.collected: List[str] = []
        self._sockets = sockets
        self._context = ""
        self._numbers: Dict[str, int] = {}
        self.scopes: Dict[str, int] = {}
        self.tests: List[Dict[str, Any]] = []
        self.failed: List[Tuple[str, str]] = []
        self.unforkable = ""
        self.modules: List[str] = []
        self.others: List[str] = []
        self.start_seconds = 0.0

    @contextmanager
    def within(self, context: str) -> Iterator[None]:
        """What runs meanwhile is of that context."""
        before = self._context
        self._switch(context)
        try:
            yield
        finally:
            self._switch(before)

    def _switch(self, context: str) -> None:
        if context != self._context:
            self._context = context
            os.environ[CONTEXT] = context
            self._measuring.switch_context(context)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> Generator[None, Any, None]:
        """After everybody else has chosen: of these, only what was asked for runs."""
        yield
        self.collected = [item.nodeid for item in items]
        if self._only is not None:
            items[:] = [item for item in items if item.nodeid in self._only]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Everything is imported, and nothing ran."""
        for item in session.items:
            self._numbers.setdefault(item.nodeid, len(self.tests))
            self.tests.append({"id": item.nodeid, "file": _relative(item.path), "seconds": 0.0})
        self.unforkable = why_not_forked(self._sockets)
        self.start_seconds = time.process_time()
        self.modules = [name for name in sys.modules if name.partition(".")[0] in _stdlib()]
        plugins = {_package(plugin) for plugin in session.config.pluginmanager.get_plugins()}
        installed = [name for name, module in list(sys.modules.items()) if _is_installed(module)]
        self.others = [name for name in installed if name.partition(".")[0] not in plugins | _OUR_OWN]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported."""
        if report.failed:
            self.failed.append((report.nodeid, shown(report)))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Set-up and tear-down included."""
        with self.within(f"t{self._numbers.get(item.nodeid, -1)}"):
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: object, request: pytest.FixtureRequest) -> Generator[None, Any, None]:
        """What several tests share is set up in the first of them, and matters to all below the same node."""
        if getattr(fixturedef, "scope", "function") == "function":
            yield
            return
        with self.within(f"s{self.scopes.setdefault(request.node.nodeid, len(self.scopes))}"):
            yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The time of all phases; the first failure."""
        number = self._numbers.get(report.nodeid)
        if number is not None:
            self.tests[number]["seconds"] += report.duration
        if report.failed:
            self.failed.append((report.nodeid, shown(report)))


def run(task: Task) -> None:
    """Write the answer to `task["answer"]`, whatever pytest's exit code is."""
    root = Path(task["root"])
    paths = {path: os.path.realpath(root / path) for path in task["targets"]}
    measuring = coverage.Coverage(config_file=_settings(task, list(paths.values())))
    measuring.start()
    os.environ["COVERAGE_PROCESS_START"] = str(task["rc"])
    os.environ["PYTHONPATH"] = os.pathsep.join([task["start-coverage"], os.environ.get("PYTHONPATH", "")])
    plugin = Covering(measuring, open_sockets(), task["only"])
    with _imports_are_of_no_test(plugin, set(paths.values())):
        code = int(pytest.main(arguments(task, task["paths"], stop=False), plugins=[plugin, Undisturbed()]))
    measuring.stop()
    measuring.save()
    measuring.combine(strict=False)
    data = measuring.get_data()
    data.set_query_contexts(None)
    answer = {
        "exit": code,
        "failed": plugin.failed[:_MOST_SAID],
        "tests": plugin.tests,
        "collected": plugin.collected,
        "scopes": list(plugin.scopes),
        "unforkable": plugin.unforkable,
        "modules": plugin.modules,
        "others": plugin.others,
        "start-seconds": plugin.start_seconds,
        "lines": {path: _bitmaps(data.contexts_by_lineno(name)) for path, name in paths.items()},
        "foreign": {path: where for path in paths if (where := _elsewhere(path, paths[path], task["folders"]))},
    }
    Path(task["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def _settings(task: Task, files: List[str]) -> str:
    """Coverage.py's settings of this run and of the processes that tests start; the consumer's own do not count."""
    if find_spec("coverage.tracer") is not None:
        os.environ["COVERAGE_CORE"] = "ctrace"  # sys.monitoring knows no contexts
    settings = {
        "data_file": task["data"],
        "parallel": "true",
        "sigterm": "true",
        "concurrency": "thread,multiprocessing",
        "context": "${" + CONTEXT + "-}",
        "disable_warnings": ",".join(_KNOWN_WARNINGS),
        # A pattern, and `$` begins a variable.
        "include": "".join("\n    " + re.sub(r"[][*?,$]", "?", name) for name in files),
    }
    if coverage.version_info >= (7, 10):
        settings["patch"] = "_exit"
    text = "".join(f"{name} = {value}\n" for name, value in settings.items())
    Path(task["rc"]).write_text(f"[run]\n{text}", encoding="utf-8")
    return str(task["rc"])


@contextmanager
def _imports_are_of_no_test(plugin: Covering, targets: Set[str]) -> Iterator[None]:
    """A module that a test imports is imported once, but every other test would import it too."""
    loader = importlib.machinery.SourceFileLoader
    plain = loader.exec_module

    def exec_module(self: importlib.machinery.SourceFileLoader, module: ModuleType) -> None:
        if os.path.realpath(self.path) not in targets:
            plain(self, module)
            return
        with plugin.within(""):
            plain(self, module)

    loader.exec_module = exec_module  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        loader.exec_module = plain  # type: ignore[method-assign]


def _bitmaps(contexts: Dict[int, List[str]]) -> Dict[str, str]:
    """Context → the lines it ran, as the bits of a hexadecimal number."""
    bits: Dict[str, int] = {}
    for line, names in contexts.items():
        for name in names:
            # A process of its own has `t3` or, in a forked one, `t3|t3`.
            short = name.rpartition("|")[2] or name.partition("|")[0]
            bits[short] = bits.get(short, 0) | 1 << line
    return {name: f"{value:x}" for name, value in bits.items()}


def _elsewhere(path: str, wanted: str, folders: List[str]) -> Optional[str]:
    """Another file that the tests import under the name of this one."""
    for folder in folders:
        prefix = "" if folder == "." else f"{folder}/"
        if not path.startswith(prefix):
            continue
        name = path[len(prefix) :].rpartition(".")[0].replace("/", ".")
        if name.endswith(".__init__"):
            name = name.rpartition(".")[0]
        found = getattr(sys.modules.get(name), "__file__", None)
        if found and os.path.realpath(found) != wanted:
            return str(found)
    return None


def _relative(path: Path) -> str:
    return os.path.relpath(path).replace(os.sep, "/")


def _stdlib() -> Set[str]:
    return set(getattr(sys, "stdlib_module_names", ()))


def _package(plugin: object) -> str:
    """Pytest rewrites the assertions of plug-ins as it imports them, so nobody else may do it."""
    return str(getattr(plugin, "__name__", type(plugin).__module__)).partition(".")[0]


def _is_installed(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    return f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}dist-packages{os.sep}" in file
