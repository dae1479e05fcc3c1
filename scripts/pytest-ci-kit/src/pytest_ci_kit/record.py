"""What a process of a test run selects and writes down."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

if TYPE_CHECKING:
    import pytest

SECTION_LIMIT = 256 * 1024


@dataclass(frozen=True)
class Part:
    """What runs here of a file that is cut: the ids in `mine`; with `mine` None whatever is not in `others`."""

    mine: Optional[FrozenSet[str]]
    others: FrozenSet[str]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Part:
        """One entry of the task's parts."""
        mine = data.get("mine")
        return cls(None if mine is None else frozenset(mine), frozenset(data.get("others") or ()))


class Tally:
    """How many ids, and a sum over their hashes: two equal tallies are of the same ids, in whatever order and parts."""

    def __init__(self) -> None:
        self.tests = 0
        self.sum = 0

    @property
    def shown(self) -> Dict[str, Any]:
        """As in the report; the sum as 16 hexadecimal digits, because JSON's numbers are not whole everywhere."""
        return {"tests": self.tests, "sum": f"{self.sum:016x}"}

    def add(self, node_id: str) -> None:
        """Count one id."""
        digest = hashlib.sha256(node_id.encode("utf-8", "backslashreplace")).digest()
        self.tests += 1
        self.sum = (self.sum + int.from_bytes(digest[:8], "big")) % 2**64


@dataclass(frozen=True)
class Task:
    """What `ci-kit test run` wants. `mine` and `others` are POSIX paths from `root`.

    A file in `parts` is cut: of its tests only some run here.
    `seed` None keeps the order as it is. `exact` is every id to run, in this order. `test_seconds` limits each test.
    `scope` is what stays together on one xdist worker, `durations` the known seconds of tests by id. The tests in
    `unaffected` run after all others, with `only` not at all, where the environment is one of `environments`.
    `record_map`: write down what every test depends on.
    """

    root: Path
    record: Path
    mine: FrozenSet[str]
    others: FrozenSet[str]
    owns_unplanned: bool
    parts: Mapping[str, Part] = field(default_factory=dict)
    seed: Optional[int] = None
    exact: Optional[Tuple[str, ...]] = None
    test_seconds: Optional[float] = None
    scope: str = "auto"
    durations: Mapping[str, float] = field(default_factory=dict)
    unaffected: FrozenSet[str] = frozenset()
    environments: FrozenSet[str] = frozenset()
    only: bool = False
    record_map: bool = False

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read the file that the option names."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            root=Path(data["root"]),
            record=Path(data["record"]),
            mine=frozenset(data["mine"]),
            others=frozenset(data["others"]),
            owns_unplanned=bool(data["owns-unplanned"]),
            parts={file: Part.read(part) for file, part in (data.get("parts") or {}).items()},
            seed=data.get("seed"),
            exact=None if data.get("exact") is None else tuple(data["exact"]),
            test_seconds=data.get("test-timeout"),
            scope=data.get("scope", "auto"),
            durations=data.get("durations") or {},
            unaffected=frozenset(data.get("unaffected") or ()),
            environments=frozenset(data.get("environments") or ()),
            only=bool(data.get("only")),
            record_map=bool(data.get("record-map")),
        )


class Selector:
    """What this shard runs: its own files and parts of files; the first shard also what the plan did not foresee.

    `left` counts, for each file of which this shard runs the rest, the tests that are left to other shards; `kept`, for
    each other cut file, the tests that are kept. Over all shards these must be the same tests (`Tally`).
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self.left: Dict[str, Tally] = {name: Tally() for name, part in task.parts.items() if part.mine is None}
        self.kept: Dict[str, Tally] = {name: Tally() for name, part in task.parts.items() if part.mine is not None}
        self._roots = sorted({f"{folder}{os.sep}" for folder in (task.root, task.root.resolve())}, key=len)
        self._folders = frozenset(p.as_posix() for name in task.mine for p in Path(name).parents)

    def runs(self, path: Path) -> bool:
        """Whether the tests of the file `path` run here."""
        name = self._name(path)
        return name in self._task.mine or (self._task.owns_unplanned and name not in self._task.others)

    def keeps(self, path: Path, node_id: str) -> bool:
        """Whether the test `node_id`, collected from the file `path`, runs here."""
        name = self._name(path)
        part = self._task.parts.get(name)
        if part is None:
            return self.runs(path)
        if part.mine is None:
            if node_id not in part.others:
                return True
            self.left[name].add(node_id)
            return False
        if node_id in part.mine:
            self.kept[name].add(node_id)
            return True
        return False

    def skips(self, path: Path) -> bool:
        """Whether collection can leave `path` out; a package stays visible where its `__init__.py` is asked about."""
        if path.name == "__init__.py":
            return False
        if path.is_dir():
            return not self._task.owns_unplanned and self._name(path) not in self._folders
        return not self.runs(path)

    def runs_argument(self, here: Path, argument: str) -> bool:
        """Whether an argument of pytest may name something that runs here; only a file can be told apart."""
        path = Path(os.path.normpath(here / argument.partition("::")[0]))
        return not path.is_file() or self.runs(path)

    def _name(self, path: Path) -> str:
        text = str(path)
        for root in self._roots:
            if text.startswith(root):
                return Path(text[len(root) :]).as_posix()
        return Path(text).as_posix()


class Recorder:
    """Writes one file a process and topic into the record folder; the kit reads them after pytest, however it ends."""

    def __init__(self, task: Task, config: pytest.Config) -> None:
        self._task = task
        self._config = config
        self._worker: str = getattr(config, "workerinput", {}).get("workerid", "main")
        self._running: Optional[int] = None
        self._started: Optional[int] = None
        self.deselected: List[str] = []

    def session_starts(self) -> None:
        """Where node ids count from."""
        self._write("session.json", {"rootdir": str(self._config.rootpath)})

    def grouped(self, marks: Mapping[str, str]) -> None:
        """The `xdist_group` of the tests that have one; the controller reads it."""
        self._write(f"groups-{self._worker}.json", marks)

    def scheduled(self, outcome: Mapping[str, object]) -> None:
        """How well the workers were used."""
        self._write("schedule.json", outcome)

    def conftest_failed(self, path: Path, error: BaseException) -> None:
        """`path` could not be imported."""
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        trace = error.__traceback__
        while trace is not None:
            if Path(trace.tb_frame.f_code.co_filename) == path:
                line = trace.tb_lineno
            trace = trace.tb_next
        self._write(
            "conftest.json",
            {"file": self._relative(path), "line": line, "message": f"{type(error).__name__}: {error}"},
        )

    def collected(self, items: Iterable[pytest.Item]) -> None:
        """Every test of this process, with its place, and what was deselected."""
        rows = []
        for item in items:
            line = item.location[1]
            rows.append([item.nodeid, self._relative(item.path), None if line is None else line + 1])
        self._write(f"collection-{self._worker}.json", {"collected": rows, "deselected": self.deselected})

    def cut(self, selector: Selector) -> None:
        """Of the files that are cut over shards, what was left to the others and what was kept."""
        tallies = {
            "left": {name: tally.shown for name, tally in selector.left.items()},
            "kept": {name: tally.shown for name, tally in selector.kept.items()},
        }
        if any(tallies.values()):
            self._write(f"cut-{self._worker}.json", tallies)

    def running(self, nodeid: str) -> None:
        """Overwrite one small file, without buffering: it must survive a process that is killed."""
        if self._running is None:
            name = self._task.record / f"running-{self._worker}.txt"
            self._running = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.ftruncate(self._running, 0)
        os.lseek(self._running, 0, os.SEEK_SET)
        os.write(self._running, nodeid.encode("utf-8", "backslashreplace"))

    def started(self, nodeid: str) -> None:
        """Append the id: the order in which this process starts its tests."""
        if self._started is None:
            self._started = os.open(self.path("order", "jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(self._started, json.dumps(nodeid).encode() + b"\n")

    def hung(self, nodeid: str, seconds: float) -> None:
        """The test did not come back within its time limit."""
        self._write(f"hung-{self._worker}.json", {"id": nodeid, "seconds": seconds})

    def chosen(self, left_out: Iterable[str], note: str) -> None:
        """The tests that the change cannot reach and that do not run therefore; and why the map was not used."""
        self._write(f"choice-{self._worker}.json", {"not-selected": list(left_out), "note": note})

    def ordered_by(self, note: str) -> None:
        """Why the tests were not shuffled."""
        self._write("order.json", {"note": note})

    def path(self, topic: str, suffix: str) -> Path:
        """This process's file on a topic."""
        return self._task.record / f"{topic}-{self._worker}.{suffix}"

    def _relative(self, path: Path) -> str:
        try:
            return path.relative_to(self._task.root).as_posix()
        except ValueError:
            return path.as_posix()

    def _write(self, name: str, data: object) -> None:
        path = self._task.record / name
        partial = path.with_name(f".{name}.{os.getpid()}")
        partial.write_text(json.dumps(data), encoding="utf-8")
        partial.replace(path)


def shorten(text: str) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= SECTION_LIMIT:
        return text
    half = SECTION_LIMIT // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[ci-kit left out {left_out} characters here]\n{text[-half:]}"


def save_coverage() -> None:
    """Write what coverage.py has measured in this process so far, when it measures."""
    module = sys.modules.get("coverage")
    current = module.Coverage.current() if module is not None else None
    if current is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            current.save()
