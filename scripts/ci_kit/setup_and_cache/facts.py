"""Read what a project's folder says about its dependencies. Reading only; `choose` decides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.project import read_pyproject

LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock")
REQUIREMENTS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "requirements_dev.txt",
    "requirements_test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/base.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
)
CONSTRAINTS = ("constraints.txt", "requirements/constraints.txt")


@dataclass(frozen=True)
class Facts:
    """A project's folder. Paths are relative to it and in POSIX form; a workspace's lock may be above it (`../uv.lock`).

    `digests` has the SHA-256 of every file that says what is installed, the files that requirements include too.
    """

    locks: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    unhashed: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pyproject: Mapping[str, Any] = field(default_factory=dict)
    has_setup_py: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)

    def table(self, *names: str) -> Mapping[str, Any]:
        """A table of `pyproject.toml`, empty when it is absent or something else."""
        found: Any = self.pyproject
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def read_facts(folder: Path, checkout: Path) -> Facts:
    """Look at `folder`, and for a workspace's `uv.lock` also above it, up to `checkout`.

    Raises `CallerMistake` for files that cannot be read.
    """
    locks = {name: name for name in LOCKS if (folder / name).is_file()}
    if "uv.lock" not in locks and (above := _workspace_lock(folder, checkout)):
        locks["uv.lock"] = above
    requirements = tuple(name for name in REQUIREMENTS if (folder / name).is_file())
    constraints = tuple(name for name in CONSTRAINTS if (folder / name).is_file())
    included = {path for name in (*requirements, *constraints) for path in _with_includes(folder, name)}
    files = [*locks.values(), *sorted(included)]
    if (folder / "setup.py").is_file():
        files += [name for name in ("setup.py", "setup.cfg") if (folder / name).is_file()]
    return Facts(
        locks=locks,
        requirements=requirements,
        unhashed=tuple(name for name in requirements if not _is_hashed(folder, name)),
        constraints=constraints,
        pyproject=read_pyproject(folder),
        has_setup_py=(folder / "setup.py").is_file(),
        digests={name: hashlib.sha256(_bytes(folder, name)).hexdigest() for name in files},
    )


def _workspace_lock(folder: Path, checkout: Path) -> str | None:
    """The `uv.lock` of the uv workspace that `folder` belongs to; uv itself finds the workspace the same way."""
    if not (folder / "pyproject.toml").is_file() or not folder.is_relative_to(checkout):
        return None
    up = "../"
    for parent in folder.parents:
        if not parent.is_relative_to(checkout):
            return None
        tool = read_pyproject(parent).get("tool")
        uv = tool.get("uv") if isinstance(tool, dict) else None
        if (parent / "uv.lock").is_file() and isinstance(uv, dict) and "workspace" in uv:
            return f"{up}uv.lock"
        up += "../"
    return None


def _with_includes(folder: Path, name: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """A requirements file and the local ones that it includes by `-r` or `-c`."""
    yield name
    for line in _bytes(folder, name).decode("utf-8", errors="replace").splitlines():
        match = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]*([^\s#]+)", line)
        if match and "://" not in match[1]:
            inner = (Path(name).parent / match[1]).as_posix()
            if inner not in seen and (folder / inner).is_file():
                yield from _with_includes(folder, inner, seen | {name, inner})


def _is_hashed(folder: Path, name: str) -> bool:
    return b"--hash=" in _bytes(folder, name)


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise CallerMistake(
            f"cannot be read: {error.strerror or error}.", next_step="Make the file readable.", file=name
        ) from error
