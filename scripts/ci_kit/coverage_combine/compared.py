"""This run held against the nearest earlier commit whose coverage the history remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.changes import read_changes
from ci_kit.config import Coverage
from ci_kit.coverage_combine.ancestor import NoAncestor, nearest
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add
from ci_kit.coverage_combine.patch import read_source
from ci_kit.coverage_combine.regression import Comparable, Regression, comparable, judge_regression
from ci_kit.coverage_combine.untouched import Untouched, untouched
from ci_kit.errors import KitError
from ci_kit.history import read_history
from ci_kit.history_coverage import CoverageRecord
from ci_kit.history_coverage_pack import read_records
from ci_kit.tools import Tools
from ci_kit.trend import Point


@dataclass(frozen=True)
class Measured:
    """What this run measured: `legs` as `leg_name` gives them, `data` coverage's JSON report, `analysed` its versions."""

    files: Sequence[FileCoverage]
    data: Mapping[str, Any]
    legs: frozenset[str]
    branch: bool
    analysed: tuple[str, str]


@dataclass(frozen=True)
class Compared:
    """`regression` and `untouched` are None where they cannot be told, for the reason in `why`.

    `points` are the totals of the remembered commits, oldest first, with this run's own at the end.
    """

    regression: Regression | None
    untouched: Untouched | None
    points: tuple[Point, ...]
    why: str = ""
    notes: tuple[str, ...] = ()


def compare(history: Path | None, measured: Measured, settings: Coverage, here: Path, tools: Tools) -> Compared:
    """Find the ancestor and hold this run against it. A history that is missing or damaged is as good as none.

    `history` None: the configuration keeps none.
    """
    remembered, note = read_history(history)
    records, damaged = read_records(remembered.coverage)
    usable = comparable(records, measured.legs, branch=measured.branch)
    points = _points(usable.records, add(file.counts for file in measured.files), tools.event.sha)
    ancestor = nearest(here, tools, usable.records)
    if isinstance(ancestor, NoAncestor):
        return Compared(None, None, points, _why(history, note, damaged, usable, ancestor))
    notes = [usable.left_out] if usable.left_out else []
    record = ancestor.record
    try:
        changes = read_changes(here, record.commit, tools)
    except KitError as error:
        changes = None
        notes.append(f"What the change since {record.commit[:12]} did not touch cannot be told: {error.message}")
    renamed = {path: change.old_path for path, change in (changes or {}).items() if change.old_path}
    regression = judge_regression(
        ancestor, measured.files, settings.regression_tolerance, renamed=renamed, analysed=measured.analysed
    )
    shifted = None
    if changes is not None:
        shifted = untouched(
            record, changes, measured.data, lambda path: read_source(here / path), analysed=measured.analysed
        )
    return Compared(regression, shifted, points, notes=tuple(notes))


def _why(history: Path | None, note: str | None, damaged: str | None, usable: Comparable, ancestor: NoAncestor) -> str:
    """Why nothing is left to compare with says more than that nothing is."""
    if history is None:
        return "the configuration keeps no history (history: none)."
    lost = (note if history.is_file() else None) or damaged or (None if usable.records else usable.left_out)
    return lost or f"{ancestor.why} {ancestor.next_step}".strip()


def _points(records: Sequence[CoverageRecord], now: Counts, commit: str) -> tuple[Point, ...]:
    """One for each commit; of several records of one the newest."""
    known = {
        record.commit: Point(record.commit, 10_000 * record.covered // record.counted)
        for record in records
        if record.counted and record.commit != commit
    }
    return (*known.values(), *([Point(commit, now.hundredths)] if now.hundredths is not None else []))
