"""Prove each data file before it counts: its digest and size, SQLite's own check, and coverage's reading of it.

Each finds what the others miss. The file is copied first and only the copy is opened: what arrived stays as it is, and
nobody can exchange it between the check and the use.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from ci_kit.coverage_combine.delivery import Announced, Delivery, Manifest, Problem, rerun
from ci_kit.errors import InfrastructureFailure
from ci_kit.source_digest import read as read_sources

FILE_BYTES = 512_000_000
SOURCES_BYTES = 50_000_000
ALL_BYTES = 4_000_000_000
CHECK_SECONDS = 60.0
MEASURED_FILES = 200_000
# SQLite's own white space; a character that Python alone takes for it would be part of a name.
_COMMENT, _SPACE = re.compile(r"--[^\n]*"), re.compile(r"[ \t\n\f\r]+")
_Schema = Mapping[tuple[str, str, str], str]
# A file's column types bind nobody in SQLite, and one long set of bits would take minutes to read: 32 kB are 262,144 lines.
_IMPOSSIBLE = {
    "a file without a usable name": "file WHERE typeof(path) <> 'text' OR length(path) NOT BETWEEN 1 AND 4096",
    "lines that no source has": "line_bits WHERE typeof(numbits) <> 'blob' OR length(numbits) > 32768",
    "jumps that no source has": "arc WHERE typeof(fromno) <> 'integer' OR typeof(tono) <> 'integer' "
    "OR abs(fromno) > 10000000 OR abs(tono) > 10000000",
}


@dataclass(frozen=True)
class Proven:
    """A leg whose data can be used: `copies` are private copies, `measured` the names of the files in them.

    `sources` holds (name, digest) of what was measured, as it was there.
    """

    delivery: Delivery
    copies: tuple[Path, ...]
    measured: frozenset[str]
    bytes: int
    sources: tuple[tuple[str, str], ...] = ()


def prove(deliveries: Sequence[Delivery], scratch: Path) -> tuple[list[Proven], list[Problem]]:
    """Copy every data file into `scratch` and check it. A delivery is proven when all its files are."""
    proven: list[Proven] = []
    problems: list[Problem] = []
    budget = ALL_BYTES
    genuine = _genuine_schema(scratch)
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for index, delivery in enumerate(deliveries):
        if delivery.manifest is None:
            continue
        problems += _unannounced(delivery, delivery.manifest)
        copies: list[Path] = []
        measured: set[str] = set()
        for number, announced in enumerate(delivery.manifest.files):
            copy = scratch / f"leg{index}.file{number}"
            try:
                _copy(delivery.folder / "coverage" / announced.name, announced, copy, min(FILE_BYTES, budget))
                _check_database(copy, genuine)
                measured |= _read(copy, branch=delivery.manifest.branch)
            except (OSError, ValueError, sqlite3.Error, CoverageException) as error:
                reason = _reason(error, copy)
                problems.append(
                    Problem(f"the data file {announced.name} {reason}.", rerun(delivery.leg), str(delivery.leg))
                )
            budget -= announced.bytes
            copies.append(copy)
        sources: tuple[tuple[str, str], ...] = ()
        try:
            sources = _sources(delivery, delivery.manifest, scratch / f"leg{index}.sources", known)
        except (OSError, ValueError) as error:
            reason = _reason(error, scratch)
            problems.append(
                Problem(f"the list {delivery.manifest.sources.name} {reason}.", rerun(delivery.leg), str(delivery.leg))
            )
        size = sum(file.bytes for file in delivery.manifest.files)
        proven.append(Proven(delivery, tuple(copies), frozenset(measured), size, sources))
    return proven, problems


def _sources(
    delivery: Delivery, manifest: Manifest, copy: Path, known: dict[tuple[str, str], tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The leg's list; an entry that another leg has too is the same object, for the sake of memory."""
    _copy(delivery.folder / "coverage" / manifest.sources.name, manifest.sources, copy, SOURCES_BYTES)
    return tuple(known.setdefault(entry, entry) for entry in read_sources(copy.read_text(encoding="utf-8")))


def _unannounced(delivery: Delivery, manifest: Manifest) -> Iterator[Problem]:
    named = {file.name for file in manifest.files}
    for path in sorted((delivery.folder / "coverage").glob("coverage.*")):
        if path.name not in named:
            yield Problem(
                f"the data file {path.name!r} is not in its manifest: measuring did not end in order.",
                rerun(delivery.leg),
                str(delivery.leg),
            )


def _copy(path: Path, announced: Announced, copy: Path, limit: int) -> None:
    if announced.bytes > limit:
        raise ValueError(f"has {announced.bytes} bytes; at most {limit} are read")
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise ValueError("is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("is not a regular file")
    if found.st_size != announced.bytes:
        raise ValueError(f"has {found.st_size} bytes; its manifest says {announced.bytes}")
    digest = hashlib.sha256()
    with path.open("rb") as source, copy.open("wb") as target:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != announced.sha256:
        raise ValueError("was changed after it was measured: its SHA-256 is not the manifest's")


def _check_database(path: Path, genuine: _Schema) -> None:
    """Raise `ValueError` when SQLite finds damage, or anything but the tables of coverage data."""
    deadline = time.monotonic() + CHECK_SECONDS
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, FILE_BYTES)
        database.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        _check_schema(_schema_of(database), genuine)
        for (tracer,) in database.execute("SELECT tracer FROM tracer WHERE tracer <> '' LIMIT 1"):
            raise ValueError(f"was measured with the plugin {str(tracer)[:60]!r}, which the gate does not run")
        for (line,) in database.execute("PRAGMA quick_check(1)"):
            if line != "ok":
                raise ValueError(f"is damaged: {str(line).splitlines()[-1][:200]}")
        for what, condition in _IMPOSSIBLE.items():
            for (count,) in database.execute(f"SELECT count(*) FROM {condition}"):  # noqa: S608 - fixed texts
                if count:
                    raise ValueError(f"is not coverage data: it holds {what}")


def _genuine_schema(scratch: Path) -> _Schema:
    """What coverage itself creates: the same since its release 5.0, as the wrong version of a schema is refused."""
    path = scratch / "genuine"
    data = CoverageData(str(path))
    try:
        data.add_lines({"any.py": [1]})
        data.write()
    except CoverageException as error:
        raise InfrastructureFailure(
            f"coverage cannot write a data file in {scratch}: {error}.", next_step="Free some space and re-run the job."
        ) from error
    finally:
        data.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        return _schema_of(database)


def _schema_of(database: sqlite3.Connection) -> _Schema:
    rows = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    found = {(str(kind), str(name), str(table)): _plain(str(sql or "")) for kind, name, table, sql in rows}
    if len(found) != len(rows):
        raise ValueError("is not coverage data: it holds a table twice")
    return found


def _plain(sql: str) -> str:
    """Without comments and layout, which differ between coverage's releases.

    What is left of a genuine table has no quote, so text that looks like a comment inside one cannot pass for it.
    """
    return re.sub(r" ?([(),]) ?", r"\1", _SPACE.sub(" ", _COMMENT.sub(" ", sql)))


def _check_schema(found: _Schema, genuine: _Schema) -> None:
    """A view, a trigger, a generated column or an expression in a table would be evaluated as its maker likes."""
    for (kind, name, table), sql in found.items():
        if (kind, name, table) not in genuine:
            raise ValueError(f"is not coverage data: it holds the {kind[:20]} {name[:60]!r}")
        if sql != genuine[kind, name, table]:
            raise ValueError(f"is not coverage data: the {kind} {name!r} is not as coverage makes it")
    if lacking := genuine.keys() - found.keys():  # coverage takes an empty file for data that is still to come
        kind, name, _ = min(lacking, key=lambda each: (each[0] != "table", each))
        raise ValueError(f"is not coverage data: it lacks the {kind} {name!r}")


def _read(path: Path, *, branch: bool) -> set[str]:
    data = CoverageData(str(path))
    try:
        data.read()
        measured = data.measured_files()
        if len(measured) > MEASURED_FILES:
            raise ValueError(f"names {len(measured)} files; at most {MEASURED_FILES} are read")
        if measured and data.has_arcs() is not branch:
            holds, says = ("branches", "lines") if data.has_arcs() else ("lines", "branches")
            raise ValueError(f"holds {holds}; its manifest says {says}")
        return set(measured)
    finally:
        data.close()


def _reason(error: Exception, copy: Path) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, sqlite3.Error) and "interrupted" in str(error):
        return f"takes longer than {CHECK_SECONDS:g} s to check"
    if isinstance(error, sqlite3.Error):
        return f"is not a sound SQLite file: {error}"
    if isinstance(error, CoverageException):
        return f"cannot be read by coverage: {str(error).replace(repr(str(copy)), 'it')}"
    return str(error)
