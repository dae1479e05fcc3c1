#!/usr/bin/env python3
"""Coverage of changed lines: the kit's answer against diff-cover's, line by line, on real changes.

Every change is one release of a project after the one before it (or, with `--repo DIR`, one commit of a local clone).
The project's own tests are measured once at each, with branches. From that one measurement diff-cover gets coverage's
XML and the kit coverage's JSON. A line is compared three ways: whether it counts, whether it ran, whether all its branches
were taken. A difference is explained only by a rule that is checked on it, with the syntax tree, not with the kit's own
code. A change in which neither counts a line is left out: it would only flatter.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from affected_history import History, environment, from_clone, from_releases
from common import ROOT, Options, read_options, report, table

sys.path.insert(0, str(ROOT / "scripts"))
from ci_kit.base import NoBase, find_base
from ci_kit.changes import FileChange, read_changes
from ci_kit.clock import SystemClock
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.coverage_combine.patch import changed_statements, patch, read_source
from ci_kit.github import Event, Workflow
from ci_kit.process import SubprocessRunner
from ci_kit.tools import Tools
from patch_history import DIFF_COVER, PROJECTS, Seen, ask_peer, diff_cover, measure

AT_ONCE = 2
QUICK_PROJECTS, QUICK_RELEASES = 2, 18
CONTINUED = "a changed line continues a statement whose first line is not changed"
UNEXPLAINED = "no rule explains it"


@dataclass(frozen=True)
class Difference:
    """A line that the two see differently."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What came of one change; `lines` are those that diff-cover counts, `counted` those that the kit does."""

    project: str
    name: str
    files: int
    lines: int
    counted: int
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """Differences that no rule explains."""
        return tuple(difference for difference in self.differences if difference.reason == UNEXPLAINED)


def differences(path: str, ours: Seen, peer: Seen, change: FileChange | None, source: str) -> Iterator[Difference]:
    """Every line that is not the same to both, with the reason."""
    changed = change.changed_lines() if change else frozenset[int]()
    for line in sorted(ours.lines | peer.lines):
        verdicts = [(line in seen.lines, line in seen.missing, line in seen.partial) for seen in (ours, peer)]
        if verdicts[0] != verdicts[1]:
            continued = line in ours.lines - peer.lines - changed and continues(source, line, changed)
            yield Difference(path, line, CONTINUED if continued else UNEXPLAINED)


def continues(source: str, first: int, changed: frozenset[int]) -> bool:
    """Whether something that starts on the line `first` (a statement, a block's header, a decorator) goes on to a changed one.

    A line that is empty or a comment is no part of it, unless it stands in a text.
    """
    nodes, lines = list(ast.walk(ast.parse(source))), source.split("\n")
    texts = {
        line
        for node in nodes
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {line for line in changed if line in texts or lines[line - 1].strip().partition("#")[0]}
    starts = [_header(node) for node in nodes if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)]
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            starts += [(each.lineno, each.end_lineno or each.lineno) for each in node.decorator_list]
    return any(start == first and code.intersection(range(first + 1, end + 1)) for start, end in starts)


def _header(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> tuple[int, int]:
    """First and last line of a statement, or of a block's header."""
    start = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    body = node.cases[0].pattern if isinstance(node, ast.Match) else next(iter(getattr(node, "body", ())), None)
    if body is None:
        return start, getattr(node, "end_lineno", None) or start
    inner = [body.lineno, *(each.lineno for each in getattr(body, "decorator_list", ()))]
    return start, max(min(inner) - 1, start)


def seen(file: FileCoverage, statements: frozenset[int], counted: frozenset[int]) -> Seen:
    """The kit's answer in diff-cover's terms: a line is partial when it or one of its branches is missing."""
    missing, lines = frozenset(file.missing_lines), statements & counted
    if (len(lines), len(missing)) != (file.counts.lines, file.counts.lines - file.counts.covered_lines):
        raise RuntimeError(f"{file.path}: the counts {file.counts!r} are not those of the lines {sorted(lines)}")
    return Seen(lines, missing, missing | {start for start, _ in file.missing_branches})


def compare(
    history: History, before: str, after: tuple[str, str], python: Path, peer: Path, folder: Path
) -> Outcome | None:
    """One change; None where nothing could be measured."""
    data = measure(history, after[0], python, folder)
    if data is None:
        return None
    tools = Tools(
        os.environ,
        Event("local", "", "", "", "0", 1, "", "", history.repo),
        Workflow({}),
        SubprocessRunner(),
        SystemClock(),
    )
    base = find_base(history.repo, tools, before)
    if isinstance(base, NoBase):
        raise base.mistake()
    changes = read_changes(history.repo, base.commit, tools)
    texts = {path: read_source(history.repo / path) for path in data["files"]}
    ours: dict[str, Seen] = {}
    for file in patch(changes, data, texts.__getitem__).files:
        part = data["files"][file.path]
        counted = frozenset((*part["executed_lines"], *part["missing_lines"]))
        statements = changed_statements(texts[file.path], changes[file.path].changed_lines())
        ours[file.path] = seen(file, statements, counted)
    theirs = {path: part for path, part in ask_peer(peer, history.repo, before, folder).items() if part.lines}
    found = [
        difference
        for path in sorted(ours.keys() | theirs.keys())
        for difference in differences(
            path, ours.get(path, Seen()), theirs.get(path, Seen()), changes.get(path), texts.get(path, "")
        )
    ]
    return Outcome(
        history.name, after[1], len(ours.keys() | theirs.keys()),
        sum(len(part.lines) for part in theirs.values()), sum(len(part.lines) for part in ours.values()), tuple(found),
    )  # fmt: skip


def replay(history: History, python: Path, peer: Path, folder: Path) -> list[Outcome | None]:
    """Every change of a history, in turn: they share one checkout."""
    steps = zip(history.commits, history.commits[1:], strict=False)
    return [compare(history, before, after, python, peer, folder) for (before, _), after in steps]


def by_project(outcomes: Sequence[Outcome]) -> str:
    """One row for each project."""
    rows = []
    for project in dict.fromkeys(outcome.project for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.project == project]
        numbers = (
            len(mine), sum(o.files for o in mine), sum(o.lines for o in mine), sum(o.counted for o in mine),
            sum(not o.differences for o in mine), sum(len(o.differences) for o in mine), sum(len(o.unexplained) for o in mine),
        )  # fmt: skip
        rows.append([project, *map(str, numbers)])
    head = ["project", "changes", "files", "lines (diff-cover)", "lines (kit)", "changes alike", "lines that differ", "unexplained"]  # fmt: skip
    return table(head, rows)


def by_reason(outcomes: Sequence[Outcome]) -> str:
    """How often each reason."""
    counted = Counter(difference.reason for outcome in outcomes for difference in outcome.differences)
    return table(["lines differ, because", "lines"], [[reason, str(count)] for reason, count in counted.most_common()])


def figures(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    """All are numbers of changes: those alike in every line, those that differ only where a rule says why, the others."""
    alike = sum(not outcome.differences for outcome in outcomes)
    wrong = sum(bool(outcome.unexplained) for outcome in outcomes)
    return {
        "changes": float(len(outcomes)),
        "agree_with_diff_cover": float(alike),
        "explained_differences": float(len(outcomes) - alike - wrong),
        "unexplained_differences": float(wrong),
    }


def main() -> None:
    """Measure, compare, report."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--repo", type=Path, metavar="DIR", help="compare on a local clone's newest commits")
    own.add_argument("--python", metavar="PYTHON", help="interpreter of the tests (with --repo, as it is)")
    options = read_options(__doc__.partition("\n")[0], own)
    mine, _ = own.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="patch-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        peer = diff_cover(folder / "diff-cover")

        def one(number: int) -> list[Outcome | None]:
            history = _history(options, mine.repo, number, folder)
            python = mine.python and mine.repo and Path(mine.python)
            python = python or environment(
                folder / f"{history.name}-venv", history.needs, mine.python or sys.executable
            )
            found = replay(history, python, peer, folder / f"{history.name}-measured")
            shutil.rmtree(history.repo)
            return found

        many = 1 if mine.repo else QUICK_PROJECTS if options.quick else len(PROJECTS)
        found = [outcome for part in pool.map(one, range(many)) for outcome in part]
    measured = [outcome for outcome in found if outcome is not None]
    outcomes = [outcome for outcome in measured if outcome.lines or outcome.counted]
    wrong = [[o.project, o.name, f"{d.path}:{d.line}"] for o in outcomes for d in o.unexplained]
    left = f"Left out: {len(measured) - len(outcomes)} changes without a line that counts, {len(found) - len(measured)} without measurement."
    tables = [by_project(outcomes), left, by_reason(outcomes)]
    if wrong:
        tables.append(table(["project", "change", "unexplained"], wrong[:50]))
    report("Coverage of changed lines", tables=tables, figures=figures(outcomes), versions=DIFF_COVER, options=options)


def _history(options: Options, repo: Path | None, number: int, folder: Path) -> History:
    if repo is not None:
        return from_clone(repo, folder, most=40 if options.quick else 150)
    return from_releases(PROJECTS[number], folder, most=QUICK_RELEASES if options.quick else 1000)


if __name__ == "__main__":
    main()
