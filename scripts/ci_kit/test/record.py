"""Read what the plug-in wrote, and write the task that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.plan import Selection
from ci_kit.report import write_json
from ci_kit.test.model import Outcome, Place, Record, Result
from ci_kit.test.stream import plain, printable


def write_task(folder: Path, root: Path, selection: Selection) -> Path:
    """Write the plug-in's task and make its record folder."""
    record = folder / "record"
    record.mkdir(parents=True, exist_ok=True)
    path = folder / "task.json"
    write_json(
        path,
        {
            "root": str(root),
            "record": str(record),
            "mine": sorted(selection.mine),
            "others": sorted(selection.others),
            "owns-unplanned": selection.owns_unplanned,
        },
    )
    return path


def read_record(folder: Path) -> Record:
    """Everything in the record folder, whichever of its files there are.

    Workers collect the same tests; the first one's order is kept, and a disagreement is put in words.
    """
    record = folder / "record"
    session = _read(record / "session.json") or {}
    collections = {
        path.stem.removeprefix("collection-"): _read(path) or {} for path in _named(record, "collection-*.json")
    }
    rows: dict[str, Place] = {}
    ids: list[str] = []
    for data in collections.values():
        for name, file, line in data.get("collected", ()):
            if printable(name) not in rows:
                ids.append(printable(name))
            rows.setdefault(printable(name), Place(printable(file), line))
    deselected = dict.fromkeys(printable(name) for data in collections.values() for name in data.get("deselected", ()))
    return Record(
        rootdir=session.get("rootdir"),
        collected=tuple(ids),
        deselected=tuple(name for name in deselected if name not in rows),
        places=rows,
        running=dict(_running(record)),
        disagreement=_disagreement(collections),
        conftest=_conftest(_read(record / "conftest.json")),
    )


def _named(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InfrastructureFailure(
            f"{path.name}, written by the plug-in pytest_ci_kit, cannot be read: {error}.",
            next_step="Check the space on the disk and run it again.",
        ) from error
    return data if isinstance(data, dict) else None


def _running(record: Path) -> Iterator[tuple[str, str]]:
    for path in _named(record, "running-*.txt"):
        name = path.read_text(encoding="utf-8", errors="replace")
        if name:
            yield path.stem.removeprefix("running-"), name


def _disagreement(collections: dict[str, dict[str, Any]]) -> str | None:
    sets = {worker: {row[0] for row in data.get("collected", ())} for worker, data in collections.items()}
    if len(sets) < 2:
        return None
    (first, reference), *others = sets.items()
    for worker, found in others:
        if difference := sorted(reference ^ found):
            return (
                f"{first} and {worker} collected different tests, {len(difference)} of them, such as "
                f"{printable(difference[0])}: its name changes from process to process (sets, time, random values)."
            )
    return None


def _conftest(data: dict[str, Any] | None) -> Result | None:
    if data is None:
        return None
    where = Place(printable(data["file"]), data["line"])
    message = plain(data["message"])
    return Result(where.file, Outcome.ERROR, 0.0, message=message, detail=message, place=where, at=where)
