"""The consumer's suite in copies of its checkout: which folders are imported from, and the environment of its processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.process import Completed
from ci_kit.selective_mutation.cache import digest
from ci_kit.selective_mutation.copying import Tree
from ci_kit.tools import Tools
from ci_kit.uv import last_lines, without_kit

PLUGIN = Path("scripts", "pytest-ci-kit", "src")
PROBE = PLUGIN / "pytest_ci_kit" / "mutating" / "probe.py"
START_COVERAGE = Path("scripts", "pytest-ci-kit", "start-coverage")
PROBE_SECONDS = 60.0
# What another measurement, another run of pytest or a debugger left in the environment.
_NOT_THEIRS = ("COV_CORE_", "COVERAGE_", "PYTEST_", "CI_KIT_")


@dataclass(frozen=True)
class Suite:
    """What runs the tests: the project's folder, its interpreter, and pytest's arguments beside the project's own
    settings (`-m`, `--deselect`), and its `paths` (none: what the settings say). `environ` is what the tests see; secrets of the kit are taken out of it.
    `instead` are files (by POSIX path from the project's folder) that the copies have in place of the checkout's own.
    """

    project: Path
    python: Path
    arguments: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    instead: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Interpreter:
    """Where it looks for packages, and a digest of its version and of all that is installed in it."""

    path: tuple[str, ...]
    environment: str


def probe(suite: Suite, tools: Tools) -> Interpreter:
    """Ask the consumer's interpreter. Raises `CallerMistake` where it does not answer, or cannot fork."""
    argv = [str(suite.python), "-I", str(tools.kit_root / PROBE)]
    done = tools.runner.run(argv, env=_environ(suite), stream=False, timeout_seconds=PROBE_SECONDS)
    try:
        found = json.loads(done.output.strip().splitlines()[-1])
        path, parts = [str(entry) for entry in found["path"]], [found["version"], *found["installed"]]
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise CallerMistake(
            f"input python: {suite.python} does not run (exit code {done.code}):\n{last_lines(done.output)}\n",
            next_step="Give a Python 3.9 or newer that has pytest.",
        ) from error
    if not found.get("posix"):
        raise CallerMistake("mutants need a system that can fork.", next_step="Run this action on Linux or macOS.")
    return Interpreter(tuple(path), digest(*map(str, parts), *suite.arguments, *suite.paths))


class Copies:
    """Copies of the checkout and a folder for everything that a run writes. Leaving it removes all of it."""

    def __init__(self, suite: Suite, tree: Tree, interpreter: Interpreter, tools: Tools) -> None:
        self._suite = suite
        self._tree = tree
        self._interpreter = interpreter
        self._tools = tools
        self._stack = ExitStack()
        self.slots: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        # What a test leaves behind may be read-only; that must not hide the verdicts.
        folder = TemporaryDirectory(prefix="ci-kit-mutation-", ignore_cleanup_errors=True)
        self.folder = Path(self._stack.enter_context(folder)).resolve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def make(self, count: int) -> None:
        """Have at least so many copies."""
        for number in range(len(self.slots), count):
            top = self.folder / f"copy-{number}"
            project = self._tree.copy(top)
            for name, content in self._suite.instead.items():
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                (project / name).write_bytes(content)
            temporary = self.folder / f"temporary-{number}"
            temporary.mkdir()
            path = os.pathsep.join([*self._folders(top, project), str(self._tools.kit_root / PLUGIN), *self._theirs()])
            self.slots.append({"root": str(project), "temporary": str(temporary), "pythonpath": path})

    def folders(self) -> tuple[str, ...]:
        """Where the first copy's packages are imported from, as POSIX paths from the project's folder."""
        project = Path(self.slots[0]["root"])
        found = self._folders(self.folder / "copy-0", project)
        return tuple(os.path.relpath(entry, project).replace(os.sep, "/") for entry in found)

    def _folders(self, top: Path, project: Path) -> list[str]:
        """Editable installations and the job's PYTHONPATH name folders of the checkout: the copy's take their place."""
        entries = [*self._own_path(), *self._interpreter.path]
        inside = [Path(entry).relative_to(self._tree.top) for entry in entries if self._is_inside(entry)]
        found = [project / "src", *(top / entry for entry in inside), project]
        return list(dict.fromkeys(str(entry) for entry in found if entry.is_dir()))

    def _is_inside(self, entry: str) -> bool:
        return Path(entry).is_absolute() and Path(entry).is_relative_to(self._tree.top)

    def _own_path(self) -> list[str]:
        entries = self._suite.environ.get("PYTHONPATH", "").split(os.pathsep)
        return [str((self._suite.project / entry).resolve()) for entry in entries if entry]

    def _theirs(self) -> list[str]:
        return [entry for entry in self._own_path() if not self._is_inside(entry)]

    def write_task(self, task: Mapping[str, Any]) -> Path:
        """The task file, with what every task has."""
        file = self.folder / "task.json"
        own: dict[str, Any] = {
            "file": str(file),
            "folder": str(self.folder),
            "slots": self.slots,
            "arguments": self._suite.arguments,
        }
        own["default-paths"] = self._suite.paths
        file.write_text(json.dumps({**own, **task}), encoding="utf-8")
        return file

    def run(self, verb: str, task: Path, *, timeout_seconds: float) -> Completed:
        """Run a verb of `pytest_ci_kit.mutating` in the first copy."""
        env = _environ(self._suite)
        env |= {"PYTHONPATH": self.slots[0]["pythonpath"], "TMPDIR": self.slots[0]["temporary"]}
        # The same order of sets and dictionaries in every process, so that all of them collect the same tests.
        env.setdefault("PYTHONHASHSEED", "0")
        argv = [str(self._suite.python), "-m", "pytest_ci_kit.mutating", str(task), verb]
        root = Path(self.slots[0]["root"])
        return self._tools.runner.run(argv, cwd=root, env=env, stream=verb == "judge", timeout_seconds=timeout_seconds)


def _environ(suite: Suite) -> dict[str, str]:
    kept = without_kit(suite.environ)
    return {name: value for name, value in kept.items() if not name.startswith(_NOT_THEIRS) and name != "PYTHONHOME"}


def read_answer(path: Path, done: Completed, what: str) -> dict[str, Any]:
    """The answer that a verb wrote. Raises `InfrastructureFailure` with the end of its output where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = "took too long" if done.timed_out else f"ended with exit code {done.code}"
        last = "\n".join(done.output.strip().splitlines()[-15:])
        raise InfrastructureFailure(f"{what} {why}:\n{last}\n", next_step="Its own output above says why.") from error
    if not isinstance(found, dict):
        raise InfrastructureFailure(f"{what} left no answer.", next_step="Please report it.")
    return found


def named(tests: Sequence[Sequence[str]]) -> str:
    """A few tests with what they said, for a message."""
    return "; ".join(f"{name}: {why}" if why else str(name) for name, why in tests[:5])
