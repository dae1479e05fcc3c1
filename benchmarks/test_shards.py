#!/usr/bin/env python3
"""How evenly tests are dealt to shards: the kit against pytest-split's two algorithms, hash and round-robin.

Simulated, so that shards of minutes are compared in seconds: the suites of shard_suites.py. A planner gets the recorded
times, the suite runs with the true ones; the ratio is the slowest shard ÷ max(sum / shards, longest test). With a perfect
record both are the same. With a noisy one, each measured time is off by 40 % (log-normal) and 10 % of the tests are
unknown. After five runs each planner has what it keeps of them: the kit's history the medians of all five, the file of
pytest-split the last run's times, which replace the earlier ones. After one run both have the same. To the kit unknown
tests are what a file holds beyond its record, as its sources say; to pytest-split they are items without a duration.
pytest-split is the real package, called as it calls itself.
"""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from zlib import crc32

from common import ROOT, Options, read_options, report, table
from shard_suites import Suite, bound, measured, suite

sys.path.append(str(ROOT / "scripts"))
from ci_kit.discovery import TestFile
from ci_kit.history_samples import SLOTS, typical
from ci_kit.share import Selection, select
from ci_kit.split import deal

PYTEST_SPLIT = "pytest-split==0.11.0"
SUITES = 60
COUNTS = (4, 8, 16, 32, 64)
RECORDS = ("perfect", "noisy, five runs", "noisy, one run")
Split = Callable[[Suite, Suite, int], list[list[tuple[str, str]]]]
"""The suite, the record and the number of shards; answers (file, id) of each shard."""


@dataclass(frozen=True)
class Item:
    """As much of a test as pytest-split looks at."""

    nodeid: str

    def __str__(self) -> str:
        return self.nodeid


@dataclass(frozen=True)
class Outcome:
    """Slowest shard ÷ lower bound; files opened, counted in each shard; shards without a test."""

    ratio: float
    visits: int
    empty: int


def kit(made: Suite, recorded: Suite, count: int) -> list[list[tuple[str, str]]]:
    """What each shard's plug-in would keep, by the selections of the plan."""
    files = [TestFile(path, len(tests)) for path, tests in made.items()]
    shares = deal(files, {path: tests for path, tests in recorded.items() if tests}, count)
    shards = []
    for index in range(count):
        selection = select(shares, index)
        shards.append([(path, test) for path in selection.mine for test in made[path] if keeps(selection, path, test)])
    return shards


def keeps(selection: Selection, path: str, test: str) -> bool:
    """As the plug-in decides inside a file of the shard."""
    part = selection.parts.get(path)
    return part is None or (test not in part.others if part.mine is None else test in part.mine)


def peer(algorithms: ModuleType, name: str) -> Split:
    """One of pytest-split's algorithms."""

    def split(made: Suite, recorded: Suite, count: int) -> list[list[tuple[str, str]]]:
        items = [Item(test) for tests in made.values() for test in tests]
        durations = {test: seconds for tests in recorded.values() for test, seconds in tests.items()}
        groups = algorithms.Algorithms[name].value(count, items, durations)
        return [[(item.nodeid.partition("::")[0], item.nodeid) for item in group.selected] for group in groups]

    return split


def by_hash(made: Suite, recorded: Suite, count: int) -> list[list[tuple[str, str]]]:
    """Each test by the hash of its id, as pytest-shard does."""
    del recorded
    return dealt(made, count, lambda _, test: crc32(test.encode()))


def round_robin(made: Suite, recorded: Suite, count: int) -> list[list[tuple[str, str]]]:
    """Each test to the next shard."""
    del recorded
    return dealt(made, count, lambda number, _: number)


def dealt(made: Suite, count: int, owner: Callable[[int, str], int]) -> list[list[tuple[str, str]]]:
    """Each test to the shard that `owner` says for its number and its id."""
    shards: list[list[tuple[str, str]]] = [[] for _ in range(count)]
    tests = [(path, test) for path, tests in made.items() for test in tests]
    for number, (path, test) in enumerate(tests):
        shards[owner(number, test) % count].append((path, test))
    return shards


def remembered(runs: list[Suite]) -> Suite:
    """What the kit's history makes of several runs, the last one first."""
    return {
        path: dict(
            zip(
                tests,
                typical([tuple((0.0, run[path][test], 0.0) for run in runs) for test in tests]),
                strict=True,
            )
        )
        for path, tests in runs[0].items()
    }


def measure(split: Split, made: Suite, recorded: Suite, count: int) -> Outcome:
    """Raises `RuntimeError` when a test is in no shard or in two."""
    shards = split(made, recorded, count)
    tests = sorted(test for shard in shards for test in shard)
    if tests != sorted((path, test) for path, known in made.items() for test in known):
        raise RuntimeError("a test is in no shard, or in two")
    slowest = max(sum(made[path][test] for path, test in shard) for shard in shards)
    visits = sum(len({path for path, _ in shard}) for shard in shards)
    return Outcome(slowest / bound(made, count), visits, sum(not shard for shard in shards))


def pytest_split(folder: Path) -> ModuleType:
    """The algorithms of the real package, from an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    pip: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        PYTEST_SPLIT,
    ]
    subprocess.run(pip, check=True, timeout=300)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.append(str(folder / "lib" / version / "site-packages"))
    return importlib.import_module("pytest_split.algorithms")


def compare(contenders: Mapping[str, Split], options: Options) -> tuple[list[str], dict[str, float]]:
    """Tables and figures."""
    suites = {seed: suite(seed) for seed in range(SUITES)}
    runs: dict[tuple[str, str, int], list[Outcome]] = {}
    for seed, made in suites.items():
        records = [("perfect", made, made)]
        for number in range(2 if options.quick else 6):
            errors = measured(made, seed + SUITES * number, SLOTS)
            records += [("noisy, five runs", remembered(errors), errors[0]), ("noisy, one run", errors[0], errors[0])]
        for record, history, last in records:
            for count in COUNTS:
                for name, split in contenders.items():
                    recorded = history if name == "kit" else last
                    runs.setdefault((name, record, count), []).append(measure(split, made, recorded, count))
    files = sum(map(len, suites.values())) // len(suites)
    tests = sum(len(known) for made in suites.values() for known in made.values()) // len(suites)
    tables = [
        f"{len(suites)} suites, {files} files and {tests} tests each on average.",
        *(f"Slowest shard ÷ lower bound, {record} record: median (p95)\n\n{_table(runs, record)}" for record in RECORDS),
        "Files opened over all shards, and shards without a test, perfect record: median\n\n" + _visits(runs),
    ]  # fmt: skip
    everything = {
        (name, record): [run for count in COUNTS for run in runs[name, record, count]]
        for name in contenders for record in RECORDS
    }  # fmt: skip
    figures = {"kit_median": _median(everything["kit", "perfect"]), "kit_p95": _p95(everything["kit", "perfect"])}
    for short, name in (("chunks", "duration_based_chunks"), ("least", "least_duration")):
        figures[f"{short}_median"] = _median(everything[name, "perfect"])
    for short, name in (("kit", "kit"), ("chunks", "duration_based_chunks"), ("least", "least_duration")):
        figures[f"{short}_noisy_median"] = _median(everything[name, "noisy, five runs"])
    opened = {name: sum(run.visits for run in everything[name, "perfect"]) for name in ("kit", "least_duration")}
    figures["file_visits_vs_least"] = opened["kit"] / opened["least_duration"]
    return tables, figures


def _median(runs: list[Outcome]) -> float:
    return statistics.median(run.ratio for run in runs)


def _p95(runs: list[Outcome]) -> float:
    return statistics.quantiles((run.ratio for run in runs), n=20)[-1]


def _table(runs: Mapping[tuple[str, str, int], list[Outcome]], record: str) -> str:
    names = list(dict.fromkeys(name for name, _, _ in runs))
    rows = [
        [name, *(f"{_median(found):.3f} ({_p95(found):.3f})" for found in (runs[name, record, c] for c in COUNTS))]
        for name in names
    ]
    return table(["", *(f"{count} shards" for count in COUNTS)], rows)


def _visits(runs: Mapping[tuple[str, str, int], list[Outcome]]) -> str:
    names = list(dict.fromkeys(name for name, _, _ in runs))
    rows = []
    for name in names:
        cells = []
        for count in COUNTS:
            found = runs[name, "perfect", count]
            visits = statistics.median(run.visits for run in found)
            cells.append(f"{visits:.0f}, {statistics.median(run.empty for run in found):.0f} empty")
        rows.append([name, *cells])
    return table(["", *(f"{count} shards" for count in COUNTS)], rows)


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        algorithms = pytest_split(Path(folder))
        contenders: dict[str, Split] = {
            "kit": kit,
            "least_duration": peer(algorithms, "least_duration"),
            "duration_based_chunks": peer(algorithms, "duration_based_chunks"),
            "hash": by_hash,
            "round-robin": round_robin,
        }
        tables, figures = compare(contenders, options)
    report("Shards: how evenly", tables=tables, figures=figures, versions=PYTEST_SPLIT, options=options)


if __name__ == "__main__":
    main()
