#!/usr/bin/env python3
"""Which tests a change cannot reach, and whether one of them would have failed: real histories replayed.

Every commit's suite is recorded, then the commit after it is applied whole, hunk by hunk, and hunk by hunk with a fault
injected by mutation into its lines. Each of these changes is run with the full suite: every test that passed before and
fails now must be selected, whether it is known to the map or new. Documentation alone is not replayed: it would only flatter.

By default the histories are successive releases of three projects from the package index; `--repo DIR` replays the newest
commits of a local clone instead, whose tests must run in the Python given with `--python` (default: a new environment).
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common import Options, read_options, report, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from affected_faults import Change, faults, hunks
from affected_history import PROJECTS, History, changed, environment, from_clone, from_releases, lay, text_at
from affected_runs import Suite, affected, record, run_suite
from ci_kit.affected_map import AffectedMap

AT_ONCE = 2
QUICK, FULL = 36, 132
FAULTS_A_HUNK = 2
LIMIT_SECONDS = 300.0
_CODE = (".py", ".pyi", ".toml", ".cfg", ".ini", ".txt", ".json", ".csv", ".yml", ".yaml")


@dataclass(frozen=True)
class Outcome:
    """What came of one change."""

    project: str
    change: Change
    tests: int
    skipped: int
    failed: int
    missed: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Base:
    """A recorded commit and the changes to the next one."""

    root: Path
    known: AffectedMap
    suite: Suite
    changes: Sequence[Change]


def changes_between(
    history: History, before: str, after: str, loaded: frozenset[str], chance: random.Random
) -> Iterator[Change]:
    """The whole commit, then single hunks of what is no documentation, without and with faults in what tests load."""
    files = changed(history, before, after)
    yield Change("commit", f"{len(files)} files", {file: text_at(history, after, file) for file in files})
    single = [
        file for file in files if file.endswith(_CODE) and not file.startswith("docs/") and ".egg-info/" not in file
    ]
    chance.shuffle(single)
    for file in single:
        old, new = text_at(history, before, file), text_at(history, after, file)
        if old is None or new is None:
            yield Change("file", file, {file: new})
            continue
        for text, lines in hunks(old, new):
            place = f"{file}:{lines.start}"
            yield Change("hunk", place, {file: text})
            for name, mutant in faults(text, lines, chance, FAULTS_A_HUNK) if file in loaded else ():
                yield Change("fault", f"{place} {name}", {file: mutant})


def spread_out(found: Sequence[Change], most: int, chance: random.Random) -> list[Change]:
    """At most `most`: the whole commit, about two thirds faults, the rest hunks; chosen by chance."""
    whole = [change for change in found if change.kind == "commit"]
    small = [change for change in found if change.kind in ("hunk", "file")]
    broken = [change for change in found if change.kind == "fault"]
    chance.shuffle(small)
    chance.shuffle(broken)
    room = most - len(whole)
    kept = broken[: max(2 * room // 3, room - len(small))]
    return (whole + kept + small[: room - len(kept)])[:most]


def bases(history: History, python: Path, folder: Path, most: int, chance: random.Random) -> Iterator[Base]:
    """Each commit that has one after it, recorded."""
    steps = list(zip(history.commits, history.commits[1:], strict=False))
    for number, ((before, name), (after, _)) in enumerate(steps):
        left = most // len(steps) + (number < most % len(steps))
        root = lay(history, before, folder / f"{history.name}-{name}")
        known, suite = record(root, python, folder / f"{history.name}-{name}-record", limit=LIMIT_SECONDS)
        found = list(changes_between(history, before, after, known.loaded, chance))
        yield Base(root, known, suite, spread_out(found, left, chance))


def replay(project: str, base: Base, change: Change, python: Path, folder: Path) -> Outcome | None:
    """Apply, select, run everything, compare; None for a change that makes the suite hang."""
    root = folder / base.root.name
    shutil.copytree(base.root, root, symlinks=True)
    for file, text in change.files.items():
        path = root / file
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    found = affected(root, base.known)
    suite = run_suite(root, python, folder / "run", limit=20 + 6 * base.suite.seconds)
    shutil.rmtree(folder)
    if suite is None:
        return None
    broken = {test for test in base.suite.outcomes if test.partition("::")[0] in suite.broken_files}
    failing = (suite.failed | broken) - base.suite.failed
    skipped = frozenset() if found.all else found.unaffected & base.suite.outcomes.keys()
    total = len(suite.outcomes.keys() | base.suite.outcomes.keys())
    return Outcome(
        project, change, total, len(skipped), len(failing), tuple(sorted(failing & skipped)), found.reason if found.all else ""
    )  # fmt: skip


def cost(base: Base, python: Path, folder: Path, rounds: int) -> list[str]:
    """The suite's time with the recorder ÷ without, alone and beside coverage.py: medians of `rounds` in turn."""
    cells = []
    task = folder.with_name(f"{base.root.name}-record") / "task.json"
    for coverage in (False, True):
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for recorded in (False, True):
                suite = run_suite(
                    base.root, python, folder, limit=LIMIT_SECONDS, task=task if recorded else None, coverage=coverage
                )
                times[recorded].append(suite.seconds if suite is not None else LIMIT_SECONDS)
        plain, with_map = (statistics.median(times[recorded]) for recorded in (False, True))
        cells += [f"{plain:.1f} s", f"{with_map / plain:.2f}"]
    return cells


def histories(options: Options, repo: Path | None, folder: Path) -> list[History]:
    """What is replayed."""
    if repo is not None:
        return [from_clone(repo, folder, most=6 if options.quick else 20)]
    chosen = PROJECTS[:2] if options.quick else PROJECTS
    return [from_releases(project, folder, most=3 if options.quick else 5) for project in chosen]


def summary(outcomes: Sequence[Outcome]) -> str:
    """One row for each project and kind of change."""
    rows = []
    for project, kind in dict.fromkeys((outcome.project, outcome.change.kind) for outcome in outcomes):
        mine = [o for o in outcomes if (o.project, o.change.kind) == (project, kind)]
        tests, skipped = sum(o.tests for o in mine), sum(o.skipped for o in mine)
        rows.append(
            [
                project, kind, str(len(mine)), str(sum(bool(o.reason) for o in mine)), f"{skipped / tests:.1%}",
                str(sum(bool(o.failed) for o in mine)), str(sum(o.failed for o in mine)), str(sum(len(o.missed) for o in mine)),
            ]
        )  # fmt: skip
    head = ["project", "change", "changes", "answered with all", "tests skipped", "with failures", "failures", "missed"]
    return table(head, rows)


def reasons(outcomes: Sequence[Outcome]) -> str:
    """How often each reason meant all tests."""
    counted = Counter((outcome.project, outcome.reason) for outcome in outcomes if outcome.reason)
    rows = [[project, reason, str(count)] for (project, reason), count in counted.most_common(20)]
    return table(["project", "all tests, because", "changes"], rows)


def main() -> None:
    """Replay, compare, report."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--repo", type=Path, metavar="DIR", help="replay a local clone's newest commits")
    own.add_argument("--python", metavar="PYTHON", help="interpreter of the tests (with --repo, as it is)")
    options = read_options(__doc__.partition("\n")[0], own)
    mine, _ = own.parse_known_args()
    chance = random.Random(20250101)  # noqa: S311 - the same changes in every run
    outcomes: list[Outcome] = []
    costs, hung = [], 0
    with tempfile.TemporaryDirectory(prefix="affected-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        found = histories(options, mine.repo, folder)
        for history in found:
            made = environment(folder / f"{history.name}-venv", history.needs, mine.python or sys.executable)
            python = Path(mine.python) if mine.repo is not None and mine.python else made
            most = -(-(QUICK if options.quick else FULL) // len(found))
            for number, base in enumerate(bases(history, python, folder, most, chance)):
                if number == 0:
                    row = cost(base, python, folder / f"{base.root.name}-cost", 1 if options.quick else 3)
                    costs.append([f"{base.root.name}", str(len(base.suite.outcomes)), *row])
                places = [folder / f"{base.root.name}-change-{n}" for n in range(len(base.changes))]
                jobs = zip(base.changes, places, strict=True)
                done = list(pool.map(lambda job: replay(history.name, base, job[0], python, job[1]), jobs))  # noqa: B023
                outcomes += [outcome for outcome in done if outcome is not None]
                hung += sum(outcome is None for outcome in done)
    missed = [[o.project, o.change.what, test] for o in outcomes for test in o.missed]
    head = ["suite", "tests", "plain", "with the recorder ÷ plain", "with coverage", "with both ÷ with coverage"]
    tables = [summary(outcomes), reasons(outcomes), table(head, costs)]
    if missed:
        tables.append(table(["project", "change", "missed failure"], missed[:50]))
    figures = {
        "changes": float(len(outcomes)),
        "skipped_share": sum(o.skipped for o in outcomes) / sum(o.tests for o in outcomes),
        "missed_failures": float(len(missed)),
        "changes_with_failures": float(sum(bool(o.failed) for o in outcomes)),
        "hung_changes": float(hung),
    }
    report("Affected tests", tables=tables, figures=figures, versions="see the suites' names", options=options)


if __name__ == "__main__":
    main()
