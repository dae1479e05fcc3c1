"""The files of a checkout with digests of their content: no git history is needed to compare two commits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ci_kit.errors import KitError
from ci_kit.git import Git
from ci_kit.process import TAIL_BYTES, Runner

_SKIPPED = {"__pycache__", "node_modules", "venv", "build", "dist"}
OUTSIDE = ".."
"""Stands in a tree for all of the repository that is not below the project's folder."""


def read_tree(root: Path, runner: Runner) -> dict[str, str]:
    """Each file's POSIX path from `root` and a digest: what git tracks or would, without git the files themselves.

    A symbolic link counts with its target's name, a submodule with its commit. A file that is gone from the folder is
    left out. Of a project in a folder of a larger repository, what is committed beside it has one digest together, under
    `OUTSIDE`.
    """
    found = {}
    for name in _listed(root, runner):
        path = root / name
        digest = _submodule(root, name, runner) if path.is_dir() and not path.is_symlink() else _digest(path)
        if digest is not None:
            found[name] = digest
    if beside := _beside(root, runner):
        found[OUTSIDE] = hashlib.sha256(beside.encode()).hexdigest()[:24]
    return found


def _submodule(root: Path, name: str, runner: Runner) -> str | None:
    """The only folders that git lists are submodules; the commit that the checkout asks for says what is in one."""
    out = Git(root, runner).checked("ls-files", "--stage", "-z", "--", f":(literal){name}", what="git ls-files")
    mode, _, rest = out.partition(" ")
    return rest.partition(" ")[0][:24] if mode == "160000" else None


def _beside(root: Path, runner: Runner) -> str:
    """What git lists beside each folder on the way from the repository's top to `root`, each entry with its digest."""

    def git(*words: str) -> str:
        return Git(root, runner).checked("-c", "core.quotePath=false", *words, what=f"git {words[0]}")

    def level(folder: str) -> str:
        found = git("ls-tree", "-z", "--full-tree", f"HEAD:{folder}")
        # Of more than a runner keeps, the whole folder's digest must do, though it changes with the project itself.
        return found if len(found.encode()) < TAIL_BYTES // 2 else git("rev-parse", f"HEAD:{folder}")

    try:
        way = PurePosixPath(git("rev-parse", "--show-prefix").rstrip("\n")).parts
        levels = [level("/".join(way[:depth])) for depth in range(len(way))]
    except KitError:
        return ""
    entries = [
        (depth, entry)
        for depth, (found, own) in enumerate(zip(levels, way, strict=True))
        for entry in filter(None, found.split("\0"))
        if entry.partition("\t")[2] != own
    ]
    return "\0".join(f"{depth} {entry}" for depth, entry in entries)


def _listed(root: Path, runner: Runner) -> list[str]:
    try:
        names = set(_tracked(root, ".", runner))
    except KitError:
        names = set(_walk(root))
    return sorted(name for name in names if not name.startswith(".ci-kit/"))


def _tracked(root: Path, folder: str, runner: Runner) -> Iterator[str]:
    """A folder with more names than a runner keeps of a program's output is asked about piece by piece."""
    words = ("-c", "core.quotePath=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
    out = Git(root, runner).checked(*words, folder, what="git ls-files")
    if len(out.encode()) < TAIL_BYTES // 2:
        yield from filter(None, out.split("\0"))
        return
    for entry in os.scandir(root / folder):
        name = entry.name if folder == "." else f"{folder}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _tracked(root, name, runner)
        else:
            yield name


def _walk(root: Path) -> Iterator[str]:
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name == ".github" or not (name in _SKIPPED or name.startswith("."))]
        for name in files:
            yield (Path(folder) / name).relative_to(root).as_posix()


def _digest(path: Path) -> str | None:
    try:
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()  # noqa: PTH115 - as git has it
    except OSError:
        return None
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()[:24]
