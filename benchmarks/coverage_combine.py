#!/usr/bin/env python3
"""What one honest number costs: the kit's whole step against the coverage command line, by CPU and peak memory.

The kit proves, combines, judges and writes JSON, Cobertura XML, LCOV, its report and the summary (`scripts/ci-kit
coverage-combine combine`, with a plan and manifests). The peer runs `combine --keep`, `xml`, `lcov` and `json` of the
same release of coverage on the same Python, one after the other, quietly: nothing of it proves that everything arrived.
Both get the same data files (coverage_shards.py). CPU is user and system time of the process and its children, memory
the largest of them. HTML is left out on both sides.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import Options, interleaved, read_options, report, table
from coverage_costs import Bench, Case, Cost, command_line, job, kit, make, prepare, said, validation

SHARDS = (8, 32, 128)


@dataclass(frozen=True)
class Sizes:
    """How much work: files of the main comparison, of the growth, and rounds."""

    files: int
    growing: tuple[int, ...]
    rounds: int


QUICK, FULL = Sizes(500, (100, 500), 1), Sizes(2000, (200, 2000, 20_000), 2)


def compare(bench: Bench, sizes: Sizes) -> tuple[dict[str, Case], dict[str, list[Cost]]]:
    """Kit and command line in turn on every number of shards, with branches and without."""
    cases = {
        f"{mode} {shards}": make(bench, sizes.files, shards, branch=mode == "branch")
        for mode in ("branch", "line")
        for shards in SHARDS
    }
    found: dict[str, list[Cost]] = {}

    def run(who: Callable[[Bench, Case], Cost], name: str) -> Callable[[], float]:
        def once() -> float:
            spent = who(bench, cases[name.partition(" ")[2]])
            found.setdefault(name, []).append(spent)
            return spent.cpu

        return once

    contenders = {
        f"{label} {name}": run(who, f"{label} {name}")
        for name in cases
        for label, who in (("kit", kit), ("cli", command_line))
    }
    for case in cases.values():  # the command line is checked against what the kit wrote before
        kit(bench, case)
    interleaved(contenders, rounds=sizes.rounds, warm_up=0)
    return cases, found


def cpu(costs: Sequence[Cost]) -> float:
    """The median."""
    return statistics.median(each.cpu for each in costs)


def memory(costs: Sequence[Cost]) -> float:
    """The most that any round needed."""
    return max(each.memory for each in costs)


def measure(bench: Bench, sizes: Sizes) -> tuple[list[str], dict[str, float]]:
    """Tables and figures."""
    cases, found = compare(bench, sizes)
    rows, proving = [], {}
    for name, case in cases.items():
        ours, theirs = found[f"kit {name}"], found[f"cli {name}"]
        proving[name] = validation(bench, case)
        rows.append(
            [
                str(case.shards),
                case.mode,
                f"{cpu(ours):.1f} s",
                f"{cpu(theirs):.1f} s",
                f"{cpu(ours) / cpu(theirs):.3f}",
                f"{memory(ours):.0f} MB",
                f"{memory(theirs):.0f} MB",
                f"{100 * proving[name] / cpu(ours):.1f} %",
            ]
        )
    head = [
        "shards",
        "mode",
        "kit CPU",
        "command line CPU",
        "kit ÷ command line",
        "kit memory",
        "its memory",
        "validation",
    ]
    main = f"{sizes.files} files; validation is a part of the kit's CPU\n\n{table(head, rows)}"
    branch = {shards: found[f"kit branch {shards}"] for shards in SHARDS}
    peer = {shards: found[f"cli branch {shards}"] for shards in SHARDS}
    figures = {
        "cpu_vs_cli_32_branch": cpu(branch[32]) / cpu(peer[32]),
        "cpu_vs_cli_128_branch": cpu(branch[128]) / cpu(peer[128]),
        "memory_vs_cli": max(memory(branch[n]) / memory(peer[n]) for n in SHARDS),
        "validation_share": max(proving[f"branch {n}"] / cpu(branch[n]) for n in SHARDS),
        "growth_16x_shards": cpu(branch[128]) / (16 * cpu(branch[8])),
    }
    return [main, growth(bench, sizes), collecting(bench, cases["branch 32"], sizes.files)], figures


def growth(bench: Bench, sizes: Sizes) -> str:
    """The kit's cost by the number of files."""
    rows = []
    for files in sizes.growing:
        case = make(bench, files, 2, branch=True)
        spent = kit(bench, case)
        rows.append(
            [f"{files:,}", f"{spent.cpu:.1f} s", f"{1000 * spent.cpu / files:.1f} ms", f"{spent.memory:.0f} MB"]
        )
    return "Growth in files, 2 branch shards\n\n" + table(["files", "kit CPU", "CPU a file", "memory"], rows)


def collecting(bench: Bench, case: Case, files: int) -> str:
    """What a leg pays for the manifest and all, beside a job that does next to nothing and one of a minute."""
    least = job(bench, case, files)
    rows = [
        [what, f"{seconds:.1f} s", f"{1000 * case.collecting:.0f} ms", f"{100 * case.collecting / (seconds + case.collecting):.2f} %"]
        for what, seconds in (
            ("imports the files under coverage and calls a fifth of them once", least.cpu),
            ("tests for a minute", 60.0),
        )
    ]  # fmt: skip
    return "Collecting, in one leg\n\n" + table(["a job that", "CPU of the job", "collecting", "share"], rows)


def main() -> None:
    """Measure and report."""
    options: Options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory(prefix="ci-kit-benchmark-") as name:
        bench = prepare(Path(name).resolve())
        tables, figures = measure(bench, QUICK if options.quick else FULL)
        version = said(bench, ["-c", "import coverage; print(coverage.__version__)"])
    report("Coverage: combining", tables=tables, figures=figures, versions=f"coverage {version}", options=options)


if __name__ == "__main__":
    main()
