"""The kit's own environment: a folder with the wheels of one set of locks, for one interpreter.

`requirements/runtime.txt` is what every room needs, `requirements/runtime-<room>.txt` what one room needs beside it. A
room whose own folder is not there also runs on one that holds more: a job installs once, at its first start.

A folder is built beside its place and renamed into it (`build`), so that it is there wholly or not at all. Its last
file lists every other file with its size: a folder that does not match its list is damaged and built again.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMON = "runtime.txt"
LIST = "ci-kit-files.txt"
POINTER = "python"  # scripts/ci-kit reads it


@dataclass(frozen=True)
class Interpreter:
    """What a wheel's choice depends on, and the path: two installations never share an environment."""

    executable: str
    tag: str
    version: str
    abi: str

    @classmethod
    def this(cls) -> Interpreter:
        """The interpreter that runs this."""
        tag = sys.implementation.cache_tag or "python"
        return cls(os.path.realpath(sys.executable), tag, sys.version, importlib.machinery.EXTENSION_SUFFIXES[0])


def locks_of(room: str, folder: Path) -> tuple[Path, ...]:
    """The locks in `folder` that a room needs; only the common one for what is no room's name."""
    own = folder / f"runtime-{room}.txt"
    return (folder / COMMON, own) if room.replace("-", "").isalpha() and own.is_file() else (folder / COMMON,)


def sets_of_locks(room: str, folder: Path) -> Iterator[tuple[Path, ...]]:
    """Every set of locks that a room can run on, its own first."""
    locks = locks_of(room, folder)
    yield locks
    if len(locks) == 1:
        yield from ((*locks, more) for more in sorted(folder.glob("runtime-*.txt")))


def folder_name(locks: Sequence[Path], interpreter: Interpreter) -> str:
    """The environment's folder name, for example `cpython-311-6fa1…`."""
    hashes = [hashlib.sha256(lock.read_bytes()).hexdigest() for lock in locks]
    facts = (*hashes, interpreter.executable, interpreter.version, interpreter.abi)
    return f"{interpreter.tag}-{hashlib.sha256(chr(0).join(facts).encode()).hexdigest()[:20]}"


def is_complete(folder: Path) -> bool:
    """Every file that the folder's list names is there with its size."""
    try:
        rows = (folder / LIST).read_text(encoding="utf-8").splitlines()
        pairs = (row.split(" ", 1) for row in rows)
        # Joined as text: this runs at every start, for some 150 files.
        return bool(rows) and all(os.stat(f"{folder}/{name}").st_size == int(size) for size, name in pairs)  # noqa: PTH116
    except (OSError, ValueError):
        return False


def write_list(folder: Path) -> None:
    """List the folder's files; written last, it says that the folder is complete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LIST)
    rows = [f"{path.stat().st_size} {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / LIST).write_text("".join(rows), encoding="utf-8")
