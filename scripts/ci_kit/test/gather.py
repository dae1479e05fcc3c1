"""Coverage data after the run: what is whole is announced in the manifest, what is broken is left out and said."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci_kit import source_digest
from ci_kit.report import write_text

DATA_NAME = "coverage"
_NAME = re.compile(r"coverage\.[A-Za-z0-9_.+-]{1,240}")


@dataclass(frozen=True)
class DataFile:
    """A file beside the manifest, as the manifest announces it."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Gathered:
    """The announced data files, how many were broken, and the list of the digests of the sources that they measured."""

    files: tuple[DataFile, ...]
    sources: DataFile
    broken: int = 0


def gather(folder: Path, root: Path) -> Gathered:
    """Take stock of coverage's data files in `folder`; broken ones and SQLite's journals are removed.

    The sources that they name, relative to `root`, are listed with their digests.

    A process that is killed while it writes leaves half a file; a process that measured nothing may leave an empty one.
    """
    good: list[DataFile] = []
    broken = 0
    measured: set[str] = set()
    for path in sorted(folder.glob(f"{DATA_NAME}.*")):
        if path.name.endswith("-journal"):
            continue
        names = _measured(path)
        if names is None:
            broken += path.stat().st_size > 0
            path.unlink()
        else:
            good.append(_announced(path, len(good)))
            measured |= names
    for path in folder.glob(f"{DATA_NAME}.*-journal"):
        path.unlink(missing_ok=True)
    sources = folder / source_digest.NAME
    write_text(sources, source_digest.written(measured, root))
    return Gathered(tuple(good), _data_file(sources), broken)


def _measured(path: Path) -> set[str] | None:
    """The files that the data names; None when the data is not whole."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
            if not {"coverage_schema", "file"} <= tables or _first(database.execute("pragma quick_check(1)")) != "ok":
                return None
            # Written last of what a file needs before it can be read.
            if next(database.execute("select 1 from coverage_schema, meta"), None) is None:
                return None
            return {str(name) for (name,) in database.execute("select path from file")}
    except sqlite3.Error:
        return None


def _first(rows: Iterable[tuple[str]]) -> str:
    return next((value for (value,) in rows), "")


def _announced(path: Path, number: int) -> DataFile:
    if not _NAME.fullmatch(path.name):
        # A host name may hold characters that artifacts refuse.
        path = path.rename(path.with_name(f"{DATA_NAME}.process{number}"))
    return _data_file(path)


def _data_file(path: Path) -> DataFile:
    raw = path.read_bytes()
    return DataFile(path.name, hashlib.sha256(raw).hexdigest(), len(raw))
