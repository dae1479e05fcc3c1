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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import Options, interleaved, read_options, report, table
from coverage_costs import Bench, Case, Cost, command_line, job, kit, make, prepare, said, validation

SHARDS = (8, 32, 128)


@dataclass(frozen=True)
class Sizes:
    """How much work by mode: files, numbers of shards, those that the peer runs on too; the files of the growth; rounds.

    The command line costs more for each file the more files there are, so its figures are of 2,000 in either run.
    """

    files: Mapping[str, int]
    shards: Mapping[str, tuple[int, ...]]
    peer: Mapping[str, tuple[int, ...]]
    growing: tuple[int, ...]
    rounds: int


QUICK = Sizes(
    {"branch": 2000, "line": 500},
    {"branch": SHARDS, "line": (32,)},
    {"branch": (32, 128), "line": (32,)},
    (100, 1000),
    1,
)
FULL = Sizes(
    {"branch": 2000, "line": 2000},
    {"branch": SHARDS, "line": SHARDS},
    {"branch": SHARDS, "line": SHARDS},
    (200, 2000, 20_000),
    2,
)


def compare(bench: Bench, sizes: Sizes) -> tuple[dict[str, Case], dict[str, list[Cost]]]:
    """Kit and command line in turn on every number of shards, with branches and without."""
    cases = {
        f"{mode} {shards}": make(bench, files, shards, branch=mode == "branch")
        for mode, files in sizes.files.items()
        for shards in sizes.shards[mode]
    }
    found: dict[str, list[Cost]] = {}

    def run(who: Callable[[Bench, Case], Cost], name: str) -> Callable[[], float]:
        def once() -> float:
            spent = who(bench, cases[name.partition(" ")[2]])
            found.setdefault(name, []).append(spent)
            return spent.cpu

        return once

    contenders = {}
    for name, case in cases.items():  # the kit first: the command line is checked against what it wrote
        contenders[f"kit {name}"] = run(kit, f"kit {name}")
        if case.shards in sizes.peer[case.mode]:
            contenders[f"cli {name}"] = run(command_line, f"cli {name}")
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
    proving = {name: validation(bench, case) for name, case in cases.items()}
    head = ["files", "shards", "mode", "kit CPU", "validation", "kit memory", "command line CPU", "its memory", "kit ÷ command line"]  # fmt: skip
    rows = [
        [
            str(sizes.files[case.mode]),
            str(case.shards),
            case.mode,
            f"{cpu(found[f'kit {name}']):.1f} s",
            f"{proving[name]:.2f} s",
            f"{memory(found[f'kit {name}']):.0f} MB",
            *_beside(found[f"kit {name}"], found.get(f"cli {name}")),
        ]
        for name, case in cases.items()
    ]
    ours = {shards: found[f"kit branch {shards}"] for shards in SHARDS}
    theirs = {shards: found[f"cli branch {shards}"] for shards in sizes.peer["branch"]}
    figures = {
        "cpu_vs_cli_32_branch": cpu(ours[32]) / cpu(theirs[32]),
        "cpu_vs_cli_128_branch": cpu(ours[128]) / cpu(theirs[128]),
        "memory_vs_cli": max(memory(ours[shards]) / memory(costs) for shards, costs in theirs.items()),
        "validation_share": max(proving[f"branch {shards}"] / cpu(ours[shards]) for shards in SHARDS),
        "growth_16x_shards": cpu(ours[128]) / (16 * cpu(ours[8])),
    }
    main_table = "The whole step; validation is a part of the kit's CPU\n\n" + table(head, rows)
    return [main_table, growth(bench, sizes), collecting(bench, cases["branch 32"], sizes.files["branch"])], figures


def _beside(ours: Sequence[Cost], theirs: Sequence[Cost] | None) -> list[str]:
    if theirs is None:
        return ["", "", ""]
    return [f"{cpu(theirs):.1f} s", f"{memory(theirs):.0f} MB", f"{cpu(ours) / cpu(theirs):.3f}"]


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
