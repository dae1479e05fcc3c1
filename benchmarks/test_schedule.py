#!/usr/bin/env python3
"""How near to the least possible time xdist's workers get: the kit's scheduler against xdist's own, on real runs.

Sleeping tests leave the processor free, so that two cores bear eight workers. The figures are of heavy-tailed suites: by
Zipf's law one module holds about two fifths, more than a worker's fair share at four workers, so what never cuts a module
cannot reach the bound there; a second table shows milder suites, where nearly nothing is cut. Durations are log-normal.
All schedulers run the same suites, in turn.
A ratio is the makespan ÷ max(sum of the sleeps / workers, longest sleep): it also holds what pytest and xdist cost.
The kit knows durations from one recorded run before, as in a second run on a default branch; the row without history
is its first run. `load` and `worksteal` scatter modules, the others do not: see how often a module is set up.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import Options, read_options, report, table
from schedule_runs import (
    KIT,
    KIT_NEW,
    PEERS,
    PLUGIN,
    Suite,
    Timed,
    environment,
    pareto,
    run,
    sleeping_suite,
    versions,
    zipf,
)

REAL = "networkx==3.4.2"
REAL_PARTS = ("centrality", "community", "approximation", "flow")
WORKERS = (2, 4, 8)
CONTENDERS = (KIT, KIT_NEW, *PEERS)
Runs = Mapping[tuple[str, int], list[tuple[float, Timed]]]


def sleeping(python: Path, folder: Path, options: Options) -> tuple[list[str], dict[str, float]]:
    """Every contender on every suite and number of workers; tables of ratios, one of the suites, the figures."""
    seeds, total = (2, 16.0) if options.quick else (6, 40.0)
    numbers = range(1, seeds + 1)
    steep = [sleeping_suite(folder / f"zipf-{seed}", seed, total, zipf) for seed in numbers]
    mild = [sleeping_suite(folder / f"pareto-{seed}", seed, total, pareto) for seed in numbers[: (seeds + 1) // 2]]
    runs = _runs(python, steep, WORKERS)
    figures = {f"{name}_n{workers}": _median(runs, name, workers) for name, workers in _asked()}
    milder = _ratios("Milder suites", _runs(python, mild, (4,)), (4,))
    return [_ratios("Heavy-tailed suites", runs, WORKERS), milder, _suites(steep, mild)], figures


def _runs(python: Path, suites: Sequence[Suite], numbers: Sequence[int]) -> Runs:
    runs: dict[tuple[str, int], list[tuple[float, Timed]]] = {}
    for number, suite in enumerate(suites):
        recorded = run(python, suite, "worksteal", 8, {}).durations
        for workers in numbers:
            for contender in CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]:
                timed = run(python, suite, contender, workers, recorded)
                runs.setdefault((contender, workers), []).append((timed.makespan / suite.bound(workers), timed))
    return runs


def _asked() -> list[tuple[str, int]]:
    return [(KIT, 2), (KIT, 4), (KIT, 8), *((name, 4) for name in PEERS)]


def _median(runs: Runs, name: str, workers: int) -> float:
    return statistics.median(ratio for ratio, _ in runs[name, workers])


def _ratios(title: str, runs: Runs, numbers: Sequence[int]) -> str:
    rows = []
    for name in CONTENDERS:
        cells = []
        for workers in numbers:
            found = [ratio for ratio, _ in runs[name, workers]]
            cells.append(f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})")
        starts = statistics.mean(timed.module_starts for _, timed in runs[name, 4])
        rows.append([name, *cells, f"{starts:.2f}"])
    header = ["makespan ÷ lower bound", *(f"{n} workers" for n in numbers), "workers that a module visits, of 4"]
    return f"{title}, sleeping tests, median (least to most) of {len(runs[KIT, 4])}:\n\n{table(header, rows)}"


def _suites(steep: Sequence[Suite], mild: Sequence[Suite]) -> str:
    rows = []
    for kind, suite in (*(("heavy-tailed", suite) for suite in steep), *(("milder", suite) for suite in mild)):
        modules: dict[str, float] = {}
        for test, seconds in suite.seconds.items():
            file = test.partition("::")[0]
            modules[file] = modules.get(file, 0.0) + seconds
        total = sum(modules.values())
        shares = (f"{most / total:.0%}" for most in (max(modules.values()), max(suite.seconds.values())))
        rows.append([kind, str(len(suite.seconds)), str(len(modules)), f"{total:.1f} s", *shares])
    return table(["suite", "tests", "modules", "sleeps", "largest module", "longest test"], rows)


def real(folder: Path, options: Options) -> tuple[str, str]:
    """A CPU-bound suite that nobody here wrote, on as many workers as there are cores; a table, and the versions."""
    python = environment(folder / "real", REAL)
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
    site = next((folder / "real" / "lib").glob("python3*/site-packages"))
    suite = Suite(site, tuple(f"networkx/algorithms/{part}" for part in REAL_PARTS), {})
    (site / "networkx" / "algorithms" / "conftest.py").write_text(
        (folder / "zipf-1" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    recorded = run(python, suite, "worksteal", workers, {}).durations
    found: dict[str, list[tuple[float, Timed]]] = {name: [] for name in CONTENDERS}
    for number in range(1 if options.quick else 5):
        for name in CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]:
            timed = run(python, suite, name, workers, recorded)
            taken = timed.durations.values()
            found[name].append((timed.makespan / max(sum(taken) / workers, *taken), timed))
    rows = [
        [
            name,
            f"{statistics.median(timed.makespan for _, timed in runs):.2f} s",
            f"{statistics.median(ratio for ratio, _ in runs):.3f}",
            f"{statistics.mean(timed.module_starts for _, timed in runs):.2f}",
        ]
        for name, runs in found.items()
    ]
    header = ["CPU-bound", "makespan", "÷ bound of its own durations", "workers that a module visits"]
    title = f"{REAL}, {' '.join(REAL_PARTS)}, {len(recorded)} tests on {workers} workers:"
    return f"{title}\n\n{table(header, rows)}", versions(python, "networkx")


def controller(python: Path, options: Options) -> tuple[str, dict[str, float]]:
    """Processor seconds of the bookkeeping alone."""
    sizes = {
        KIT: (2_000, 20_000, 200_000),
        "loadfile": (2_000, 20_000),
        "loadscope": (2_000, 20_000),
        "load": (2_000, 20_000),
    }
    rounds = 3 if options.quick else 5
    rows = []
    took: dict[tuple[str, int], float] = {}
    for name, counts in sizes.items():
        for count in counts:
            took[name, count] = statistics.median(
                _bookkeeping(python, name, count) for _ in range(rounds if name == KIT else 1)
            )
        cells = [f"{took[name, count]:.3f} s" if (name, count) in took else "not run" for count in sizes[KIT]]
        rows.append([name, *cells, f"{took[name, 20_000] / (10 * took[name, 2_000]):.2f}"])
    header = ["controller, 4 workers", *(f"{count:,} tests" for count in sizes[KIT]), "growth, 20,000 against 2,000"]
    return table(header, rows), {"controller_20k_seconds": took[KIT, 20_000]}


def _bookkeeping(python: Path, name: str, count: int) -> float:
    script = Path(__file__).with_name("schedule_controller.py")
    done = subprocess.run(
        [python, script, name, str(count)], capture_output=True, text=True, check=True, timeout=600,
        env={**os.environ, "PYTHONPATH": str(PLUGIN)},
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    """Measure and report."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory(prefix="ci-kit-benchmark-") as name:
        folder = Path(name)
        python = environment(folder / "environment")
        bookkeeping, of_controller = controller(python, options)
        tables, figures = sleeping(python, folder, options)
        cpu, real_versions = real(folder, options)
        report(
            "Scheduling on one machine",
            tables=[*tables, cpu, bookkeeping],
            figures=figures | of_controller,
            versions=f"{versions(python, 'pytest', 'pytest-xdist')}, {real_versions}",
            options=options,
        )


if __name__ == "__main__":
    main()
