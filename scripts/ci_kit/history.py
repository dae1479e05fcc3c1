"""What earlier runs of the default branch tell: how long each test takes, and which tests were flaky or failed.

One file, `history.json` (`ci-kit/history/1`). It comes from a cache, so it may be absent, old, cut off or hostile: then
it is as if there were none, with a note. Losing it costs speed, never correctness. Its size grows with the tests, not
with the runs: times of the last five runs, events of the last twenty.

Built to be read fast: columns for each file, no object a test. Merging a run into it is `ci_kit.history_merge`.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.history_samples import FLOOR_SECONDS, Slots, unpack
from ci_kit.report import write_text

NAME = "history.json"
MOST_RUNS = 20
MOST_BYTES = 1_000_000_000
MOST_SECONDS = 1e6
_COLUMNS = {"prefix", "ids", "seconds", "times"}


@dataclass(frozen=True)
class TierRun:
    """One tier of one run: tests, those that failed and were flaky, the tests' seconds added up, the slowest job's."""

    tests: int
    failed: int
    flaky: int
    test_seconds: float
    slowest_seconds: float


@dataclass(frozen=True)
class Run:
    """One run that the history has heard of. `wall_seconds` None: not known, as in a re-run of failed jobs."""

    id: str
    attempt: int
    commit: str
    at: str
    event: str
    wall_seconds: float | None
    tiers: Mapping[str, TierRun] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the run in the ledger."""
        return f"{self.id}-{self.attempt}"


@dataclass(frozen=True)
class FileTimes:
    """The tests of one file in collection order: the ends of their ids behind `prefix`, their usual seconds.

    `times` are the recorded ones, as `history_samples.pack` makes them.
    """

    prefix: str
    names: Sequence[str]
    seconds: Sequence[float]
    times: str

    @property
    def ids(self) -> list[str]:
        """The whole ids."""
        return [f"{self.prefix}{name}" for name in self.names]

    def recorded(self) -> list[Slots]:
        """The recorded times, a test an entry; none of any test when they cannot be read."""
        try:
            return unpack(self.times, len(self.names))
        except ValueError:
            return [()] * len(self.names)


@dataclass(frozen=True)
class Ledger:
    """How often a test was flaky and failed in the last `runs` runs of its tier."""

    runs: int
    flaky: int
    failed: int


@dataclass(frozen=True)
class Events:
    """The keys of the runs in which a test was flaky, and in which it failed."""

    flaky: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class TierHistory:
    """One tier: times by file, events by test id."""

    files: Mapping[str, FileTimes] = field(default_factory=dict)
    events: Mapping[str, Events] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """All that is remembered; empty is a good history too. `runs` are the last `MOST_RUNS`, oldest first.

    `coverage` is packed, for `history_coverage_pack.read_records`.
    """

    runs: tuple[Run, ...] = ()
    tiers: Mapping[str, TierHistory] = field(default_factory=dict)
    coverage: str = ""

    def durations(self, tier: str) -> dict[str, dict[str, float]]:
        """For each file (as in the plan) its test ids in collection order, with seconds, never below the floor."""
        return {
            file: dict(zip(times.ids, times.seconds, strict=True))
            for file, times in self.tiers.get(tier, TierHistory()).files.items()
        }

    def ledger(self, tier: str) -> dict[str, Ledger]:
        """The tests of the tier that were flaky or failed lately."""
        runs = sum(tier in run.tiers for run in self.runs)
        events = self.tiers.get(tier, TierHistory()).events
        return {test: Ledger(runs, len(found.flaky), len(found.failed)) for test, found in events.items()}


def newest(folder: Path, beside: Path) -> Path:
    """Where the newest history is: restored by this job below `folder`, else the one that came with the plan `beside` it.

    A run of the default branch restores it once more in its last job: by then, other runs may have written theirs.
    """
    restored = folder / "history" / NAME
    return restored if restored.is_file() else beside.with_name(NAME)


def read_history(path: Path | None) -> tuple[History, str | None]:
    """The history in `path`, or an empty one and a note that says why."""
    if path is None or not path.is_file():
        return History(), "There is no history yet."
    collecting = gc.isenabled()
    gc.disable()  # nothing in it is garbage, and looking for some takes longer than reading it
    try:
        return _read(path), None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        why = str(error)[:200] or type(error).__name__
        return History(), f"The history cannot be used, so this run does without it: {why}."
    finally:
        if collecting:
            gc.enable()


def write_history(folder: Path, history: History) -> Path:
    """Write `history.json` into `folder`, whole or not at all."""
    path = folder / NAME
    write_text(path, json.dumps(_as_json(history), ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def _read(path: Path) -> History:
    if path.is_symlink() or path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it is a link or larger than {MOST_BYTES // 1_000_000} MB")
    data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    schema.check(_outer(data), schema.load("history"), what="history")
    return History(
        runs=tuple(_run(run) for run in data["runs"]),
        tiers={name: _tier(tier) for name, tier in data["tiers"].items()},
        coverage=data.get("coverage", ""),
    )


def _outer(data: object) -> object:
    """The data without its columns: a walk through them would take minutes, and `_file` holds them to more."""
    if not isinstance(data, dict) or not isinstance(data.get("tiers"), dict):
        return data
    tiers = {
        name: {**tier, "files": {}} if isinstance(tier, dict) and isinstance(tier.get("files"), dict) else tier
        for name, tier in data["tiers"].items()
    }
    return {**data, "tiers": tiers}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _run(data: Mapping[str, Any]) -> Run:
    return Run(
        id=data["run"],
        attempt=data["attempt"],
        commit=data["commit"],
        at=data["at"],
        event=data["event"],
        wall_seconds=data["wall"],
        tiers={
            name: TierRun(tier["tests"], tier["failed"], tier["flaky"], tier["seconds"], tier["slowest"])
            for name, tier in data["tiers"].items()
        },
    )


def _tier(data: Mapping[str, Any]) -> TierHistory:
    events = {test: Events(tuple(found[0]), tuple(found[1])) for test, found in data["events"].items()}
    "\n".join(events).encode()  # half a character would break every later writer
    return TierHistory({file: _file(file, columns) for file, columns in data["files"].items()}, events)


def _file(file: str, columns: object) -> FileTimes:
    """Hold the columns against what they must be, a whole column at a time: the schema would take minutes."""
    if not isinstance(columns, dict) or columns.keys() != _COLUMNS:
        raise ValueError(f"{file}: expected the columns {', '.join(sorted(_COLUMNS))}")
    prefix, names, seconds, times = (columns[key] for key in ("prefix", "ids", "seconds", "times"))
    if not isinstance(names, list) or not isinstance(seconds, list) or len(names) != len(seconds) or not names:
        raise ValueError(f"{file}: expected two lists of one length")
    if not isinstance(prefix, str) or not isinstance(times, str) or set(map(type, names)) != {str}:
        raise ValueError(f"{file}: expected text")
    if not set(map(type, seconds)) <= {int, float} or not FLOOR_SECONDS <= min(seconds) <= max(seconds) <= MOST_SECONDS:
        raise ValueError(f"{file}: expected seconds from {FLOOR_SECONDS} to {MOST_SECONDS:.0f}")
    if len(set(names)) != len(names):
        raise ValueError(f"{file}: a test stands twice")
    "\n".join([file, prefix, *names]).encode()
    return FileTimes(prefix, names, seconds, times)


def _as_json(history: History) -> dict[str, Any]:
    return {
        "schema": "ci-kit/history/1",
        "runs": [_run_as_json(run) for run in history.runs],
        "tiers": {
            name: {
                "files": {file: _columns(times) for file, times in tier.files.items()},
                "events": {test: [list(found.flaky), list(found.failed)] for test, found in tier.events.items()},
            }
            for name, tier in history.tiers.items()
        },
        **({"coverage": history.coverage} if history.coverage else {}),
    }


def _run_as_json(run: Run) -> dict[str, Any]:
    tiers = {
        name: {
            "tests": tier.tests,
            "failed": tier.failed,
            "flaky": tier.flaky,
            "seconds": round(tier.test_seconds, 3),
            "slowest": round(tier.slowest_seconds, 3),
        }
        for name, tier in run.tiers.items()
    }
    wall = None if run.wall_seconds is None else round(run.wall_seconds, 3)
    return {
        "run": run.id, "attempt": run.attempt, "commit": run.commit, "at": run.at, "event": run.event, "wall": wall,
        "tiers": tiers,
    }  # fmt: skip


def _columns(times: FileTimes) -> dict[str, Any]:
    return {"prefix": times.prefix, "ids": list(times.names), "seconds": list(times.seconds), "times": times.times}


def trend(history: History) -> Iterator[tuple[str, float, int]]:
    """For each run, oldest first: its commit, the seconds of all its tests, and how many were flaky."""
    for run in history.runs:
        tiers = run.tiers.values()
        yield run.commit, sum(tier.test_seconds for tier in tiers), sum(tier.flaky for tier in tiers)
