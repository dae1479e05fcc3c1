"""A copy of the checkout to work on: what git tracks, what is new, and what a build left beside the sources."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ci_kit.errors import CallerMistake
from ci_kit.process import TAIL_BYTES
from ci_kit.tools import Tools

GIT_SECONDS = 120.0
# Ignored files that an import needs: a generated `_version.py`, an extension that was built in place.
_BUILT = (".py", ".so", ".pyd", ".pyi")
_NEVER = {".git", "__pycache__", "node_modules", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


@dataclass(frozen=True)
class Tree:
    """The files to copy. `top` is the repository's folder, `inside` the project's folder in it (POSIX, `.` for itself).

    `names` are POSIX paths from `top`.
    """

    top: Path
    inside: str
    names: tuple[str, ...]

    def copy(self, target: Path) -> Path:
        """Make a copy at `target`, which must not exist; answers the project's folder in it. Links stay links."""
        made: set[Path] = set()
        for name in self.names:
            place = target / name
            if place.parent not in made:
                place.parent.mkdir(parents=True, exist_ok=True)
                made.add(place.parent)
            shutil.copy2(self.top / name, place, follow_symlinks=False)
        project = target / self.inside
        project.mkdir(parents=True, exist_ok=True)
        return project

    def digests(self) -> Mapping[str, str]:
        """SHA-256 of each file (of a link: of where it leads), by its path from `top`."""
        return {name: _digest(self.top / name) for name in self.names}


def read_tree(project: Path, tools: Tools) -> Tree:
    """What is in the checkout that holds `project`; without git, every file below it that no tool made.

    Raises `CallerMistake` where there is no such folder.
    """
    project = project.resolve()
    if not project.is_dir():
        raise CallerMistake(f"there is no folder {project}.", next_step="Correct the path.")
    found = _git(project, tools, "rev-parse", "--show-toplevel")
    if found is None:
        return Tree(project, ".", tuple(sorted(_plain(project))))
    top = Path(found.rstrip("\n"))
    names = {
        *_listed(top, ".", tools, "--cached", "--recurse-submodules"),
        *_listed(top, ".", tools, "--others", "--exclude-standard"),
    }
    names |= set(_built(top, names))
    there = (name for name in names if (top / name).is_symlink() or (top / name).is_file())
    return Tree(top, project.relative_to(top).as_posix(), tuple(sorted(there)))


def project_files(project: Path, tools: Tools) -> list[str]:
    """The names of the project's files, from its folder."""
    tree = read_tree(project, tools)
    prefix = "" if tree.inside == "." else f"{tree.inside}/"
    return [name.removeprefix(prefix) for name in tree.names if name.startswith(prefix)]


def _listed(top: Path, folder: str, tools: Tools, *options: str) -> Iterator[str]:
    """A folder with more names than a runner keeps of a program's output is asked about piece by piece."""
    out = _git(top, tools, "ls-files", "-z", *options, "--", f":(literal){folder}") or ""
    if len(out.encode()) < TAIL_BYTES // 2:
        yield from filter(None, out.split("\0"))
        return
    for entry in os.scandir(top / folder):
        if entry.name != ".git":
            name = entry.name if folder == "." else f"{folder}/{entry.name}"
            yield from _listed(top, name, tools, *options)


def _built(top: Path, names: set[str]) -> Iterator[str]:
    """Files that a build left beside the sources, ignored by git."""
    for folder in {str(PurePosixPath(name).parent) for name in names if name.endswith(".py")}:
        if (top / folder).is_dir():
            for entry in os.scandir(top / folder):
                if entry.name.endswith(_BUILT) and entry.is_file():
                    yield entry.name if folder == "." else f"{folder}/{entry.name}"


def _git(folder: Path, tools: Tools, *words: str) -> str | None:
    """What git prints, whole; None where it does not succeed or is not there."""
    if shutil.which("git", path=tools.environ.get("PATH")) is None:
        return None
    done = tools.runner.run(["git", *words], cwd=folder, env=tools.environ, stream=False, timeout_seconds=GIT_SECONDS)
    return done.output if done.code == 0 else None


def _plain(project: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(project):
        here = Path(folder)
        folders[:] = [name for name in folders if name not in _NEVER and not (here / name / "pyvenv.cfg").exists()]
        yield from ((here / name).relative_to(project).as_posix() for name in files)


def _digest(path: Path) -> str:
    data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
    return hashlib.sha256(data).hexdigest()
