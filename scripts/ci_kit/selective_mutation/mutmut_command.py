"""The mutants of a file by what mutmut documents alone: `mutmut run`, `results`, `apply`, in a project of one file.

Slow (one process a mutant) and with less: only what mutmut itself would run, under the one operator name `mutmut`. It
needs mutmut with all that it requires, as `pip install mutmut` brings it; the room's own lock has only its operators.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.errors import InfrastructureFailure
from ci_kit.process import Completed, Runner
from ci_kit.selective_mutation.change import CannotMutate, Change, narrowed

NAME = re.compile(r"^\s+(target\.\S+): ", re.MULTILINE)
FILE = "target.py"
SETTINGS = f"[mutmut]\nsource_paths = {FILE}\nuse_git_change_detection = false\n"
# The suite of the small project reaches nothing: mutmut stops after it has made the mutants, which is all that counts.
TEST = "def test_nothing():\n    pass\n"


@dataclass(frozen=True)
class MutmutCommand:
    """Asks `command` (for example `["mutmut"]`); `environ` is its whole environment."""

    command: Sequence[str]
    runner: Runner
    environ: Mapping[str, str] = field(repr=False)
    limit_seconds: float = 120.0

    def __call__(self, path: str, text: str) -> list[Change]:
        """Every mutant that mutmut would run, from the file's top.

        Raises `CannotMutate` for a file that mutmut skips, `InfrastructureFailure` where the command does not work.
        """
        if "\r" in text:
            raise CannotMutate("its command line does not keep the line ends of Windows")
        with tempfile.TemporaryDirectory(prefix="ci-kit-mutmut-") as folder:
            project = Path(folder)
            (project / "setup.cfg").write_text(SETTINGS, encoding="utf-8")
            (project / "test_nothing.py").write_text(TEST, encoding="utf-8")
            (project / FILE).write_text(text, encoding="utf-8")
            made = self._run(project, "run")
            if not (project / "mutants" / FILE).is_file():
                raise self._failure(made, path)
            return list(self._mutants(project, path, text))

    def _mutants(self, project: Path, path: str, text: str) -> Iterator[Change]:
        listed = self._run(project, "results", "--all", "true")
        if listed.code != 0:
            raise self._failure(listed, path)
        for name in NAME.findall(listed.output):
            done = self._run(project, "apply", name)
            mutated = (project / FILE).read_text(encoding="utf-8")
            if done.code != 0 or mutated == text:
                raise self._failure(done, path)
            yield narrowed(text, Change(0, len(text), mutated, "mutmut"))
            (project / FILE).write_text(text, encoding="utf-8")

    def _run(self, project: Path, *arguments: str) -> Completed:
        env = {**self.environ, "PYTHONUTF8": "1"}
        argv = [*self.command, *arguments]
        return self.runner.run(argv, timeout_seconds=self.limit_seconds, cwd=project, env=env, stream=False)

    def _failure(self, done: Completed, path: str) -> InfrastructureFailure:
        return InfrastructureFailure(
            f"{' '.join(self.command)} does not make mutants:\n{done.output[-2000:]}\n",
            next_step="Install mutmut as its documentation says, with all that it requires.",
            file=path,
        )
