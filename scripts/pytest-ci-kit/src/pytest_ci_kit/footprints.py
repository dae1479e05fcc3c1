"""Record what every test depends on: the functions it runs, the files it reads, the folders it lists.

Fixtures that several tests share run once; what they did counts for every test that uses them. What runs outside of tests
(imports, collection) is recorded apart. `ci-kit` makes the map out of it (`ci_kit.affected_map`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, FrozenSet, Generator, Iterable, List, Optional, Set, Tuple

import pytest

from pytest_ci_kit.surrounding import environment
from pytest_ci_kit.tracing import Spot, Tracer, tracer

READ, LISTED, PROCESS = -1, -2, -3
"""In the place of a line: the file was read as data, the folder was listed, another process was started."""
_STARTS = frozenset(
    ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn")
)
_LISTS = frozenset(("os.listdir", "os.scandir", "glob.glob"))
_READS = frozenset(("open", "sqlite3.connect"))
_FOREIGN = ("site-packages", "dist-packages", "node_modules")
_PROCESSES = "<process>"


class Naming:
    """The project's names: POSIX paths from its root, None for what is not the project's own."""

    def __init__(self, root: Path) -> None:
        self._roots = sorted({f"{folder}{os.sep}" for folder in (root, root.resolve())}, key=len)

    def __call__(self, filename: str) -> Optional[str]:
        """For a file name as code objects and the file system calls have it."""
        for root in self._roots:
            if filename.startswith(root):
                parts = filename[len(root) :].replace(os.sep, "/").split("/")
                return None if any(part in _FOREIGN for part in parts) else "/".join(parts)
        if "multiprocessing" in filename and os.path.basename(filename).startswith("popen_"):  # noqa: PTH119
            return _PROCESSES
        return None


class Footprints:
    """A plug-in for one process that runs tests. Begins with its making."""

    def __init__(self, root: Path, folder: Path, worker: str) -> None:
        self._root, self._folder, self._worker = root, folder, worker
        self._naming = Naming(root)
        self._early = sorted(self._loaded())
        self._tracer: Tracer = tracer(self._naming)
        self._events: Set[Spot] = set()
        self._behind: Dict[str, str] = {}
        self._outside: Set[Spot] = set()
        self._current: Set[Spot] = set()
        self._shared: Dict[str, Set[Spot]] = {}
        self._ended: Optional[List[str]] = None
        self._tests: Dict[str, Tuple[str, FrozenSet[Spot], FrozenSet[str]]] = {}
        self._uncertain: Dict[str, str] = {}
        self._used: FrozenSet[str] = frozenset()
        self._works = self._tracer.start()
        if self._works:
            sys.addaudithook(self._audit)

    # What happens

    def _audit(self, event: str, args: Tuple[Any, ...]) -> None:
        if not self._works:
            return
        if event in _READS:
            self._note(args[0], READ)
        elif event in _LISTS:
            self._note(args[0] if args and args[0] is not None else ".", LISTED)
        elif event in _STARTS:
            self._events.add(("", PROCESS))

    def _note(self, path: object, kind: int) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or path.endswith((".pyc", ".so")):
            return
        if sys._getframe(2).f_code.co_filename.startswith("<frozen importlib"):  # noqa: SLF001 - what imports is traced
            return
        try:
            full = os.path.abspath(path)  # noqa: PTH100 - called for every file that is opened
        except OSError:  # the current folder is gone
            return
        end = os.sep if kind == LISTED else ""
        name = self._naming(full + end)
        if name is not None and name != _PROCESSES:
            if name not in self._behind:
                self._behind[name] = self._naming(os.path.realpath(full) + end) or name
            # Behind a symbolic link is another file, and a change may be to either.
            self._events.update(((name, kind), (self._behind[name], kind)))

    def _cut(self) -> Set[Spot]:
        found = self._tracer.cut()
        events, self._events = self._events, set()
        return found | events

    # pytest's hooks

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """All until now were imports and collection."""
        if self._works:
            self._outside |= self._cut()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """What ran since the test before counts for this test."""
        self._current, self._used = set(), frozenset()
        yield
        if self._works:
            if self._tracer.is_lost():
                self._uncertain[item.nodeid] = "it uses a profiler, so it could not be traced"
            spots = frozenset(self._current | self._cut())
            if not isinstance(item, pytest.Function):  # a doctest or a custom item is made of its file's text
                spots |= {(self._name(item.path), READ)}
            self._tests[item.nodeid] = (self._name(item.path), spots, self._used)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, None]:  # noqa: ANN401
        """A shared fixture's own footprint."""
        shared = self._works and fixturedef.scope != "function"
        if shared:
            before = self._cut()
            self._current |= before
        yield
        if shared:
            spots = self._cut()
            self._current |= spots
            mine = self._shared.setdefault(fixturedef.argname, set())
            mine |= spots
            if "request" in fixturedef.argnames:  # it may have asked for fixtures that were ready
                for other in list(self._shared.values()):
                    mine |= other

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:  # noqa: ANN401
        """A shared fixture was torn down."""
        if self._ended is not None and fixturedef.scope != "function":
            self._ended.append(fixturedef.argname)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: Optional[pytest.Item]) -> Generator[None, Any, None]:
        """The tear-down of shared fixtures runs with whichever test comes last."""
        request = getattr(item, "_request", None)  # knows also what was asked for by name while the test ran
        self._used = frozenset(getattr(request, "fixturenames", None) or getattr(item, "fixturenames", None) or ())
        ends = self._works and (nextitem is None or nextitem.parent is not item.parent)
        if ends:
            self._current |= self._cut()
            self._ended = []
        yield
        if ends:
            spots = self._cut()
            self._current |= spots
            for name in self._ended or ():
                self._shared.setdefault(name, set()).update(spots)
            self._ended = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test that did not pass would have run further on is unknown."""
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            self._uncertain[report.nodeid] = "it did not pass when the map was recorded"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write what was found."""
        if self._works:
            self._works = False
            self._tracer.stop()
        elif not self._tests:
            self._uncertain[""] = "another tool holds Python's monitoring, so nothing could be traced"
        data = self._data()
        path = self._folder / f"footprints-{self._worker}-{os.getpid()}.json"
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
        partial.replace(path)

    # What is written

    def _data(self) -> Dict[str, Any]:
        spots: Dict[Spot, int] = {}
        rows: List[Any] = []
        for test, (file, own, used) in self._tests.items():
            whole = own.union(*(self._shared[name] for name in used if name in self._shared))
            rows.append([test, file, sorted(spots.setdefault(spot, len(spots)) for spot in whole)])
        outside = sorted(spots.setdefault(spot, len(spots)) for spot in self._outside)
        return {
            "python": ".".join(map(str, sys.version_info[:2])),
            "environment": environment(),
            "spots": [list(spot) for spot in spots],
            "tests": rows,
            "outside": outside,
            "uncertain": self._uncertain,
            "early": self._early,
            "loaded": sorted(self._loaded()),
            "copies": sorted(self._copies()),
        }

    def _loaded(self) -> Iterable[str]:
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            name = self._naming(file) if isinstance(file, str) else None
            if name is not None and name != _PROCESSES:
                yield name

    def _copies(self) -> Iterable[str]:
        """Modules that were imported from somewhere else although the project has them: an installed copy of it."""
        for module in list(sys.modules.values()):
            file, package = getattr(module, "__file__", None), getattr(module, "__name__", "")
            if isinstance(file, str) and self._naming(file) is None and package:
                tail = Path(*package.split("."))
                for base in (self._root / "src", self._root):
                    if (base / tail / "__init__.py").is_file() or (base / tail).with_suffix(".py").is_file():
                        yield package

    def _name(self, path: Path) -> str:
        return self._naming(str(path)) or Path(path).as_posix()
