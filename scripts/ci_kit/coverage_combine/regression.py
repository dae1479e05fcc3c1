"""Whether coverage is worse than at an earlier commit, in whole numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ci_kit.coverage_combine.ancestor import Ancestor
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add
from ci_kit.history_coverage import CoverageRecord, FileRecord

MOST_FILES = 10
MOST_LEGS = 5
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FileLoss:
    """A file with `more` uncovered lines and branches than at the earlier commit; `before` None: it was not there."""

    path: str
    more: int
    before: Counts | None
    now: Counts


@dataclass(frozen=True)
class Regression:
    """`before` and `now` are the totals, `tolerance` and `short_by` lines and branches; `lost` the worst files first.

    `short_by` is the fewest that must be covered until the gate says yes, 0 when it does.
    """

    passed: bool
    short_by: int
    commit: str
    distance: int
    before: Counts
    now: Counts
    tolerance: int
    lost: tuple[FileLoss, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Comparable:
    """The records that this run can be held against, and in words what became of the others (None: there are none)."""

    records: tuple[CoverageRecord, ...]
    left_out: str | None


def comparable(records: Sequence[CoverageRecord], legs: Collection[str], *, branch: bool) -> Comparable:
    """Leave out what was measured in another way: with or without branches, or by tests that this run did not run.

    More tests than then are no objection: they cannot lower anything. Of several records of a commit the one that rests
    on most tests stays. `legs` as `history_coverage.leg_name` gives them.
    """
    same = [record for record in records if record.branch == branch]
    usable: dict[str, CoverageRecord] = {}
    for record in same:
        known = usable.get(record.commit)
        if record.legs <= set(legs) and (known is None or len(record.legs) >= len(known.legs)):
            usable[record.commit] = record
    others = [record for record in records if record.commit not in usable]
    count = len({record.commit for record in others})
    if not count:
        return Comparable(tuple(usable.values()), None)
    one = count == 1
    missing = sorted(set().union(*(record.legs for record in others if record.branch == branch)) - set(legs))
    if missing:
        more = f" and {len(missing) - MOST_LEGS} more" if len(missing) > MOST_LEGS else ""
        why = f"{'it rests' if one else 'they rest'} on {', '.join(missing[:MOST_LEGS])}{more} too, which did not run here. "
        why += "To compare, let `depth` give this kind of event the tiers and Pythons of pull requests"
    else:
        why = "branches counted in only one of the two"
    return Comparable(tuple(usable.values()), f"{count} earlier commit{'' if one else 's'} left out: {why}.")


def judge_regression(
    ancestor: Ancestor,
    files: Sequence[FileCoverage],
    tolerance: int,
    *,
    renamed: Mapping[str, str] = _NOTHING,
    analysed: tuple[str, str] = ("", ""),
) -> Regression:
    """No: the share is lower than at the ancestor, and more than `tolerance` more lines and branches are uncovered.

    Both must hold, so that taking covered code out is no regression. `renamed` maps a path of today to the earlier one,
    `analysed` are the versions of Python and coverage that counted here.
    """
    record = ancestor.record
    before, now = add(map(_counts, record.files.values())), add(file.counts for file in files)
    short_by = _short_by(before, now, tolerance)
    lost = _lost(record.files, files, renamed)
    return Regression(
        passed=short_by == 0,
        short_by=short_by,
        commit=record.commit,
        distance=ancestor.distance,
        before=before,
        now=now,
        tolerance=tolerance,
        lost=lost[:MOST_FILES],
        sentences=(*_sentences(before, now, tolerance, short_by, ancestor), *_versions(record, analysed)),
    )


def _counts(file: FileRecord) -> Counts:
    return Counts(file.covered_lines, file.lines, file.covered_branches, file.branches)


def _short_by(before: Counts, now: Counts, tolerance: int) -> int:
    """The fewest that must be covered so that the share is no lower, or no more are uncovered than allowed."""
    if not before.counted:
        return 0
    for_the_share = -(-before.covered * now.counted // before.counted) - now.covered
    for_the_number = _uncovered(now) - _uncovered(before) - tolerance
    return max(0, min(for_the_share, for_the_number))


def _uncovered(counts: Counts) -> int:
    return counts.counted - counts.covered


def _lost(
    before: Mapping[str, FileRecord], files: Sequence[FileCoverage], renamed: Mapping[str, str]
) -> tuple[FileLoss, ...]:
    found = []
    for file in files:
        old = before.get(renamed.get(file.path, file.path))
        then = _counts(old) if old else None
        more = _uncovered(file.counts) - (_uncovered(then) if then else 0)
        if more > 0:
            found.append(FileLoss(file.path, more, then, file.counts))
    return tuple(sorted(found, key=lambda loss: (-loss.more, loss.path)))


def _sentences(before: Counts, now: Counts, tolerance: int, short_by: int, ancestor: Ancestor) -> list[str]:
    allowed = f" ({tolerance} allowed)" if tolerance else ""
    more = _uncovered(now) - _uncovered(before)
    change = f"{abs(more)} {'more' if more > 0 else 'fewer'}" if more else "as many"
    said = [
        f"Coverage was {before} % and is {now} %, {ancestor.how}",
        f"{_uncovered(now)} lines and branches are uncovered, {change}{' than' if more else ' as'} then{allowed}.",
    ]
    if short_by:
        said.append(f"Cover {short_by} more to be no worse.")
    elif before.counted and now.covered * before.counted < before.covered * now.counted:
        why = "within what is allowed" if more > 0 else "because covered code was taken out"
        said.append(f"That the share is lower is no regression: it is {why}.")
    return said


def _versions(record: CoverageRecord, analysed: tuple[str, str]) -> list[str]:
    """Another Python or coverage counts some lines and branches in another way."""
    counters = zip(("Python", "coverage"), (record.python, record.coverage), analysed, strict=True)
    return [
        f"{name} {old} counted then and {new} does now, so a few lines may differ by that alone."
        for name, old, new in counters
        if old and new and old != new
    ]
