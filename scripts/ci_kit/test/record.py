"""Read what the plug-in wrote, and write the task that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.report import write_json
from ci_kit.share import PartSelection, Selection
from ci_kit.test.model import Outcome, Place, Record, Result
from ci_kit.test.stream import plain, printable

NO_MORE: Mapping[str, object] = MappingProxyType({})
STACKS_LIMIT = 40_000
UNSTABLE_SHOWN = 50


def write_task(folder: Path, root: Path, selection: Selection, more: Mapping[str, object] = NO_MORE) -> Path:
    """Write the plug-in's task, with `more` keys of it, and make its record folder."""
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
            "parts": {file: _part(part) for file, part in selection.parts.items()},
            **more,
        },
    )
    return path


def _part(part: PartSelection) -> dict[str, list[str] | None]:
    return {"mine": None if part.mine is None else sorted(part.mine), "others": sorted(part.others)}


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
    unstable, disagreement = _unstable({worker: data.get("collected", []) for worker, data in collections.items()})
    deselected = dict.fromkeys(printable(name) for data in collections.values() for name in data.get("deselected", ()))
    choice = next((_read(path) or {} for path in _named(record, "choice-*.json")), {})
    return Record(
        rootdir=session.get("rootdir"),
        collected=tuple(ids),
        deselected=tuple(name for name in deselected if name not in rows),
        not_selected=tuple(printable(name) for name in choice.get("not-selected", ()) if printable(name) not in rows),
        choice_note=str(choice.get("note", "")),
        places=rows,
        running=(running := dict(_running(record))),
        running_since=dict(_since(record, running)),
        order=dict(_orders(record)),
        stacks=dict(_stacks(record, running)),
        hung=dict(_hung(record)),
        unstable=unstable,
        disagreement=disagreement,
        not_shuffled=str((_read(record / "order.json") or {}).get("note", "")),
        cut=next((cut for path in _named(record, "cut-*.json") if (cut := _read(path))), {}),
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


def _since(record: Path, running: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """A process writes the file of its order when it starts a test."""
    for process, name in running.items():
        path = record / f"order-{process}.jsonl"
        if path.is_file():
            yield name, path.stat().st_mtime


def _orders(record: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path in _named(record, "order-*.jsonl"):
        names: dict[str, None] = {}
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    names[printable(str(json.loads(line)))] = None
                except ValueError:  # the last line of a process that was killed
                    continue
        yield path.stem.removeprefix("order-"), tuple(names)


def _stacks(record: Path, running: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for process, name in running.items():
        path = record / f"stacks-{process}.txt"
        if not path.is_file():
            continue
        with path.open("rb") as file:
            text = plain(file.read(STACKS_LIMIT).decode(errors="replace")).strip()
        if text:
            yield name, text


def _hung(record: Path) -> Iterator[tuple[str, float]]:
    for path in _named(record, "hung-*.json"):
        data = _read(path) or {}
        yield printable(data["id"]), float(data["seconds"])


def _unstable(collections: Mapping[str, Sequence[Sequence[Any]]]) -> tuple[tuple[str, ...], str | None]:
    """Ids that not every process has, or that stand in another order, and that in words."""
    lists = {worker: [printable(row[0]) for row in rows] for worker, rows in collections.items()}
    if len(lists) < 2:
        return (), None
    (first, reference), *others = lists.items()
    for worker, found in others:
        if found == reference:
            continue
        known, seen = dict.fromkeys(reference), dict.fromkeys(found)
        one, other = [name for name in known if name not in seen], [name for name in seen if name not in known]
        if not one and not other:
            moved = [name for name, there in zip(reference, found, strict=False) if name != there]
            return tuple(moved[:UNSTABLE_SHOWN]), (
                f"{first} and {worker} collected the same tests in different orders, from {moved[0]} on: it comes from "
                "something without an order, such as a set. Sort it."
            )
        names = tuple((one + other)[:UNSTABLE_SHOWN])
        both = " but ".join(f"{who} has {names_of[0]}" for who, names_of in ((first, one), (worker, other)) if names_of)
        return names, (
            f"{first} and {worker} collected different tests, {len(one) + len(other)} of them: {both}. A parameter whose "
            "name changes from process to process (time, random values, sets, ids of objects) needs a fixed id."
        )
    return (), None


def _conftest(data: dict[str, Any] | None) -> Result | None:
    if data is None:
        return None
    where = Place(printable(data["file"]), data["line"])
    message = plain(data["message"])
    return Result(where.file, Outcome.ERROR, 0.0, message=message, detail=message, place=where, at=where)
