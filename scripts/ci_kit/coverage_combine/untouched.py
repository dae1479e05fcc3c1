"""Coverage that changed where the text did not: what a change does to code that it does not touch.

A test that was deleted, or that no longer gets there, shows here and nowhere in the changed lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.changes import FileChange
from ci_kit.coverage_combine.patch import changed_statements
from ci_kit.history_coverage import CoverageRecord, FileRecord

Branch = tuple[int, int]


@dataclass(frozen=True)
class Shift:
    """One file, by today's line numbers: what was covered and is not (`lost`), and the other way round (`gained`).

    A branch is listed only where its line itself ran at both times.
    """

    path: str
    lost_lines: tuple[int, ...] = ()
    lost_branches: tuple[Branch, ...] = ()
    gained_lines: tuple[int, ...] = ()
    gained_branches: tuple[Branch, ...] = ()

    @property
    def lost(self) -> int:
        """Lines and branches that are no longer covered."""
        return len(self.lost_lines) + len(self.lost_branches)

    @property
    def gained(self) -> int:
        """Lines and branches that are covered now."""
        return len(self.gained_lines) + len(self.gained_branches)


@dataclass(frozen=True)
class Untouched:
    """The files that lost most first, then those that gained most.

    `recounted` are files whose text is the same while other lines or branches count: the configuration, Python or
    coverage changed, so nothing can be said of them.
    """

    files: tuple[Shift, ...]
    recounted: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Lines and branches in all files that are no longer covered."""
        return sum(file.lost for file in self.files)

    @property
    def gained(self) -> int:
        """Lines and branches in all files that are covered now."""
        return sum(file.gained for file in self.files)


def untouched(
    record: CoverageRecord,
    changes: Mapping[str, FileChange],
    data: Mapping[str, Any],
    source: Callable[[str], str],
    *,
    analysed: tuple[str, str] = ("", ""),
) -> Untouched:
    """Compare coverage's JSON report `data` with the record of an earlier commit, through the changes since then.

    A statement with a changed line is touched, and so is a branch that starts or ends in one. Files that are new, or that
    the record does not know, are left out. With other versions of Python or coverage than the record's (`analysed`),
    branches are not compared: they may count in another way. `source(path)` is a file's text with its own line ends.
    """
    branches = record.branch and analysed in {("", ""), (record.python, record.coverage)}
    found: list[Shift] = []
    recounted: list[str] = []
    for path, part in sorted(data["files"].items()):
        change = changes.get(path)
        old = record.files.get(path if change is None else change.old_path or "")
        if old is None:
            continue
        if change is None or not change.hunks:
            if _recounted(old, part, branches=branches):
                recounted.append(path)
                continue
            before = _Before(None, frozenset())
        else:
            lines = change.changed_lines()
            before = _Before(change, lines | changed_statements(source(path), lines))
        shift = _shift(path, part, old, before, branches=branches)
        if shift.lost or shift.gained:
            found.append(shift)
    return Untouched(tuple(sorted(found, key=lambda file: (-file.lost, -file.gained, file.path))), tuple(recounted))


@dataclass(frozen=True)
class _Before:
    """Where lines and branches of today were before."""

    change: FileChange | None
    touched: frozenset[int]

    def line(self, line: int) -> int | None:
        if line in self.touched:
            return None
        return line if self.change is None else self.change.old_line(line)

    def branch(self, branch: Branch) -> Branch | None:
        start, end = self.line(branch[0]), self._end(branch[1])
        return None if start is None or end is None else (start, end)

    def _end(self, end: int) -> int | None:
        if end > 0:
            return self.line(end)
        if end == -1:  # how coverage writes the way out of a module, wherever its first line was
            return end
        start = self.line(-end)
        return None if start is None else -start


def _recounted(old: FileRecord, part: Mapping[str, Any], *, branches: bool) -> bool:
    summary = part["summary"]
    return bool(old.lines != summary["num_statements"] or (branches and old.branches != summary.get("num_branches", 0)))


def _shift(path: str, part: Mapping[str, Any], old: FileRecord, before: _Before, *, branches: bool) -> Shift:
    was_missing = old.uncovered_lines()
    not_lost = was_missing | {None}
    ran = frozenset(part["executed_lines"])
    lines = Shift(
        path,
        lost_lines=tuple(n for n in sorted(part["missing_lines"]) if before.line(n) not in not_lost),
        gained_lines=tuple(n for n in sorted(ran) if before.line(n) in was_missing),
    )
    if not branches:
        return lines
    were_missing = frozenset(old.missing_branches)

    def ran_then(branch: Branch) -> Branch | None:
        """The branch as it was before, if it can be compared."""
        was = before.branch(branch)
        return was if was and was[0] not in was_missing and branch[0] in ran else None

    def pairs(key: str) -> list[Branch]:
        return sorted((start, end) for start, end in part.get(key, ()))

    return Shift(
        path,
        lines.lost_lines,
        tuple(one for one in pairs("missing_branches") if (was := ran_then(one)) and was not in were_missing),
        lines.gained_lines,
        tuple(one for one in pairs("executed_branches") if (was := ran_then(one)) and was in were_missing),
    )
