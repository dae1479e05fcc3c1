"""What the runs of the default branch leave for later ones: scores, what survived, and how long mutants take.

One file, `records.json` (`ci-kit/mutation-records/1`). It comes from a cache, so it may be absent, old, cut off or hostile:
then it is as if there were none, with a note. Without it there is nothing to hold a run against, which is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.report import write_text
from ci_kit.selective_mutation.reading import read_json, reason

FOLDER = "mutation-history"
NAME = "records.json"
SCHEMA = "mutation-records"
MOST_RUNS = 50
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Held:
    """What a file is held to: its mutants with a say, those of them that were noticed, the ids of all others."""

    detected: int
    valid: int
    undetected: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FileRecord:
    """One file, mutated as a whole. `pending` mutants were not reached. `held` is from an earlier run where the score fell."""

    critical: bool
    own: Held
    pending: int = 0
    held: Held | None = None

    @property
    def reference(self) -> Held | None:
        """What the default branch must hold; None: nothing is known of the whole file yet."""
        return self.held or (None if self.pending else self.own)


@dataclass(frozen=True)
class RunRecord:
    """One run of the default branch. `fixed_seconds` is what it took beside the mutants themselves, in each of its jobs."""

    run: str
    attempt: int
    commit: str
    at: str
    detected: int
    valid: int
    seconds: float
    fixed_seconds: float
    files: Mapping[str, FileRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class Records:
    """`runs` oldest first. `costs` has by path and function the number of mutants and what they took in seconds."""

    runs: tuple[RunRecord, ...] = ()
    costs: Mapping[str, Mapping[str, tuple[int, float]]] = field(default_factory=dict)

    @property
    def newest(self) -> RunRecord | None:
        """The last run."""
        return self.runs[-1] if self.runs else None

    def with_run(self, run: RunRecord, costs: Mapping[str, Mapping[str, tuple[int, float]]]) -> Records:
        """With one more, in place of an earlier attempt of it. Costs of files that are gone are forgotten."""
        kept = [each for each in self.runs if each.run != run.run][-(MOST_RUNS - 1) :]
        known = {path: {**self.costs.get(path, {}), **costs.get(path, {})} for path in run.files}
        return Records((*kept, run), known)


def read_records(path: Path) -> tuple[Records, str]:
    """The records in a file, and why there are none to use (empty: there are)."""
    if not path.is_file():
        return Records(), "no earlier run has left a record: this is the first one, or the state was lost"
    try:
        return from_json(read_json(path, MOST_BYTES)), ""
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return Records(), f"what earlier runs left cannot be used ({reason(error)})"


def write_records(folder: Path, records: Records) -> Path:
    """Whole or not at all. What would be too large to be read again loses its oldest runs."""
    while True:
        text = json.dumps(to_json(records), ensure_ascii=False, separators=(",", ":")) + "\n"
        if len(text.encode()) <= MOST_BYTES or len(records.runs) <= 1:
            path = folder / NAME
            write_text(path, text)
            return path
        records = Records(records.runs[len(records.runs) // 2 :], records.costs)


def to_json(records: Records) -> dict[str, Any]:
    """What `from_json` reads."""
    return {
        "schema": f"ci-kit/{SCHEMA}/1",
        "runs": [
            {
                "run": run.run, "attempt": run.attempt, "commit": run.commit, "at": run.at,
                "detected": run.detected, "valid": run.valid,
                "seconds": round(run.seconds, 3), "fixed-seconds": round(run.fixed_seconds, 3),
                "files": {path: _file_as_json(file) for path, file in run.files.items()},
            }
            for run in records.runs
        ],
        "costs": {
            path: {name: [count, round(seconds, 3)] for name, (count, seconds) in functions.items()}
            for path, functions in records.costs.items()
        },
    }  # fmt: skip


def from_json(data: object) -> Records:
    """Raises `ValueError` for anything else than what `to_json` writes."""
    schema.check(data, schema.load(SCHEMA), what="records")
    if not isinstance(data, dict):  # the schema says object; this tells the type checker
        raise TypeError(data)
    runs = tuple(_run(each) for each in data["runs"])
    costs = {
        path: {name: _cost(found) for name, found in functions.items()} for path, functions in data["costs"].items()
    }
    # Half a character would break every later writer.
    "\n".join([*costs, *(name for each in costs.values() for name in each)]).encode()
    "\n".join(path for run in runs for path in run.files).encode()
    return Records(runs, costs)


def _file_as_json(file: FileRecord) -> dict[str, Any]:
    return {
        "critical": file.critical,
        **_held_as_json(file.own),
        "pending": file.pending,
        "held": None if file.held is None else _held_as_json(file.held),
    }


def _held_as_json(held: Held) -> dict[str, Any]:
    return {"detected": held.detected, "valid": held.valid, "undetected": _ids(held.undetected)}


def _ids(ids: Iterable[str]) -> str:
    """One text: a list of thousands would take the schema a second to read."""
    return " ".join(sorted(ids))


def _run(data: Mapping[str, Any]) -> RunRecord:
    if data["detected"] > data["valid"]:
        raise ValueError("more mutants were noticed than there are")
    return RunRecord(
        data["run"], data["attempt"], data["commit"], data["at"], data["detected"], data["valid"],
        data["seconds"], data["fixed-seconds"], {path: _file(found) for path, found in data["files"].items()},
    )  # fmt: skip


def _file(data: Mapping[str, Any]) -> FileRecord:
    held = None if data["held"] is None else _held(data["held"])
    return FileRecord(data["critical"], _held(data), data["pending"], held)


def _held(data: Mapping[str, Any]) -> Held:
    undetected = frozenset(data["undetected"].split())
    if data["detected"] + len(undetected) != data["valid"]:
        raise ValueError("the counts of a file contradict each other")
    return Held(data["detected"], data["valid"], undetected)


def _cost(data: list[float]) -> tuple[int, float]:
    count, seconds = data
    if count < 1 or count != int(count):
        raise ValueError("a number of mutants is none")
    return int(count), float(seconds)
