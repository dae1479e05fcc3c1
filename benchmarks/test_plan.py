#!/usr/bin/env python3
"""What a plan costs: the history read, the files found, the tests dealt to shards, the plan written.

A real tree of files and a real history.json with the last five times of each test, of 10,000, 100,000 and 1,000,000 tests,
50 a file on average and heavy-tailed as those of shard_suites.py. The time is that of everything that grows with the
tests; starting Python (a tenth of a second) is not in it. Up to 4,000 files the plan also looks into each known file for
tests with new names, which costs the smaller trees more; the last column is the time without finding the files.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common import ROOT, read_options, report, table

sys.path.append(str(ROOT / "scripts"))
from ci_kit.config import Config, Tier
from ci_kit.github import Event
from ci_kit.history import FileTimes, History, Run, TierHistory, TierRun, read_history, write_history
from ci_kit.history_samples import pack
from ci_kit.pipeline.planning import make_plan
from ci_kit.plan import read_plan, write_plan
from ci_kit.project import Project
from ci_kit.shard_count import Terms, overhead_seconds
from ci_kit.tier_plan import find_tier

LEAST = 10_000
FACTORS = (1, 10, 100)
PER_FILE = 50
TIER = Tier("tests", ("tests",), max_shards=64)
EVENT = Event("push", "c" * 40, "refs/heads/main", "o/r", "1", 1, "w", "plan", Path(), "")
RUNS = 5
FIND = "find the files"


@dataclass
class Timed:
    """Seconds of each step of one plan, the size of what was read and written, and what was decided."""

    steps: dict[str, float] = field(default_factory=dict)
    history_bytes: int = 0
    plan_bytes: int = 0
    shards: int = 0
    cut: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        started = time.perf_counter()
        yield
        self.steps[name] = time.perf_counter() - started

    @property
    def seconds(self) -> float:
        """All steps."""
        return sum(self.steps.values())


def consumer(folder: Path, tests: int) -> Path:
    """A tree of files with so many tests, and their history beside it."""
    draw = random.Random(tests)  # noqa: S311 - the same suite every time
    files: dict[str, FileTimes] = {}
    left, number = tests, 0
    while left:
        count = min(left, 5000, 1 + int(draw.lognormvariate(math.log(PER_FILE) - 0.6, 1.1)))
        path = f"tests/part_{number // 200:03}/test_{number:05}.py"
        scale = draw.lognormvariate(math.log(0.05), 1.0)
        seconds = [max(0.001, round(scale * draw.lognormvariate(0, 1.0), 4)) for _ in range(count)]
        times = pack([((0.0, each, 0.0),) * RUNS for each in seconds])
        files[path] = FileTimes(f"{path}::", [f"TestPart{at // 20}::test_{at}" for at in range(count)], seconds, times)
        source = folder / path
        source.parent.mkdir(parents=True, exist_ok=True)
        body = (f"class TestPart{at}:\n" + methods(at * 20, min(count, at * 20 + 20)) for at in range(-(-count // 20)))
        source.write_text("".join(body), encoding="utf-8")
        left, number = left - count, number + 1
    total = sum(sum(times.seconds) for times in files.values())
    run = Run(
        "1",
        1,
        "c" * 40,
        "2026-01-01T00:00:00+00:00",
        "default-branch",
        300.0,
        {"tests": TierRun(tests, 0, 0, total, 120.0)},
    )
    write_history(folder, History((run,), {TIER.name: TierHistory(files)}))
    return folder


def methods(first: int, behind: int) -> str:
    """Test methods by number."""
    return "".join(f"    def test_{at}(self): pass\n" for at in range(first, behind))


def plan(folder: Path, tests: int) -> Timed:
    """One plan, as the verb makes it; raises `RuntimeError` when it does not hold every test once."""
    timed = Timed(history_bytes=(folder / "history.json").stat().st_size)
    with timed.step("read the history"):
        history, note = read_history(folder / "history.json")
        recorded = history.durations(TIER.name)
    with timed.step(FIND):
        found = find_tier(folder, TIER, recorded)
    with timed.step("deal"):
        terms = Terms(overhead_seconds=overhead_seconds(history.runs), speed=2.0)
        made = make_plan(Config(tiers=(TIER,)), Project(), EVENT, name="ci", found=[found], terms=terms)
    with timed.step("write the plan"):
        path = write_plan(folder, made)
    if note is not None:
        raise RuntimeError(note)
    shares = read_plan(path).tiers[0].shards
    held = sum(len(recorded[file]) for share in shares for file in share.files)
    held += sum(len(part.ids) for share in shares for part in share.parts)
    if held != tests:
        raise RuntimeError(f"the plan holds {held} of {tests} tests")
    timed.plan_bytes, timed.shards = path.stat().st_size, len(shares)
    timed.cut = len({part.file for share in shares for part in share.parts})
    return timed


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    rounds = 3 if options.quick else 7
    measured: dict[int, list[Timed]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for factor in FACTORS:
            root = consumer(Path(folder) / str(factor), LEAST * factor)
            measured[factor] = [plan(root, LEAST * factor) for _ in range(rounds)]
    rows = []
    for factor, runs in measured.items():
        last = runs[-1]
        steps = [f"{_median(lambda run, name=name: run.steps[name], runs):.3f} s" for name in last.steps]  # type: ignore[misc]
        sizes = [f"{last.history_bytes / 1e6:.1f} MB", f"{last.plan_bytes / 1e6:.2f} MB"]
        whole = f"{_median(lambda run: run.seconds, runs):.3f} s"
        rest = f"{_median(lambda run: run.seconds - run.steps[FIND], runs):.3f} s"
        rows.append([f"{LEAST * factor:,} ({factor}x)", *steps, whole, *sizes, str(last.shards), str(last.cut), rest])
    header = [
        "tests",
        *measured[1][0].steps,
        "all",
        "history.json",
        "plan.json",
        "shards",
        "files cut",
        "all but files",
    ]
    least, most = (_median(lambda run: run.seconds, measured[factor]) for factor in (1, 100))
    figures = {"plan_1m_seconds": most, "growth_100x": most / (100 * least)}
    report(
        "Plan: how fast",
        tables=[table(header, rows)],
        figures=figures,
        versions=f"{rounds} rounds, medians",
        options=options,
    )


def _median(of: Callable[[Timed], float], runs: list[Timed]) -> float:
    return statistics.median(map(of, runs))


if __name__ == "__main__":
    main()
