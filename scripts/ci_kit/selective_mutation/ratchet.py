"""The ratchet: what was security-critical stays a target, and its score does not fall."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.records import FileRecord, Held, RunRecord
from ci_kit.selective_mutation.survivors import old_ids

State = Literal["held", "fallen", "excused", "unknown"]


@dataclass(frozen=True)
class Kept:
    """Files that the newest record has as security-critical: patterns of those that are here, and those that are gone."""

    patterns: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def kept(newest: RunRecord | None, here: Path, renamed: Mapping[str, str]) -> Kept:
    """`here` is the project's folder, `renamed` are new names by old ones, as far as the change tells."""
    if newest is None:
        return Kept()
    before = [path for path, file in sorted(newest.files.items()) if file.critical]
    names = {path: path if (here / path).is_file() else renamed.get(path, "") for path in before}
    patterns = tuple(glob.escape(name) for name in names.values() if name and (here / name).is_file())
    return Kept(patterns, tuple(path for path, name in names.items() if not name))


@dataclass(frozen=True)
class Hold:
    """One file against what it is held to. Scores in percent; `now` None: none of its mutants was judged."""

    path: str
    was: float
    now: float | None
    state: State
    why: str = ""


def judge_ratchet(
    judged: Sequence[Judged],
    whole: Collection[str],
    record: RunRecord,
    renamed: Mapping[str, str],
    *,
    own_change: bool,
) -> tuple[Hold, ...]:
    """Each security-critical file of `record` that this run mutated as a `whole`.

    `renamed` are old names by new ones. `own_change`: a pull request answers for what it changes itself, so it is held
    to what the record's commit had; the default branch to what it once had.
    """
    of: dict[str, list[Judged]] = {path: [] for path in whole}
    for each in judged:
        if each.mutant.path in of:
            of[each.mutant.path].append(each)
    return tuple(_holds(of, record.files, renamed, own_change=own_change))


def _holds(
    of: Mapping[str, Sequence[Judged]],
    files: Mapping[str, FileRecord],
    renamed: Mapping[str, str],
    *,
    own_change: bool,
) -> Iterator[Hold]:
    for path, mine in sorted(of.items()):
        old = renamed.get(path, path)
        file = files.get(old)
        if file is None or not file.critical:
            continue
        reference = file.own if own_change and not file.pending else file.reference
        if reference is not None and reference.valid:
            yield _hold(path, old, mine, reference)


def held_by(judged: Sequence[Judged]) -> tuple[Held, int]:
    """What mutants of one file come to, and how many of them were not reached."""
    undetected = frozenset(each.mutant.id for each in judged if each.undetected)
    detected = sum(each.verdict.detected for each in judged)
    pending = sum(each.verdict.status == "pending" for each in judged)
    return Held(detected, detected + len(undetected), undetected), pending


def _hold(path: str, old: str, mine: Sequence[Judged], reference: Held) -> Hold:
    own, pending = held_by(mine)
    was, now = _percent(reference), _percent(own) if own.valid else None
    if not own.valid:
        if not pending:
            return Hold(path, was, now, "excused", "it has no mutants any more")
        return Hold(path, was, now, "fallen", f"of its {pending} mutants none was judged")
    best = Held(own.detected + pending, own.valid + pending)
    worst = Held(own.detected, own.valid + pending)
    if not _less(worst, reference):
        return Hold(path, was, now, "held")
    if pending and not _less(best, reference):
        return Hold(path, was, now, "unknown", f"{pending} of its mutants were not reached")
    known = reference.undetected
    # Where noticed code was taken away, what is left has a lower share, though no test has become worse.
    if not pending and all(known.intersection(old_ids(each.mutant, old)) for each in mine if each.undetected):
        return Hold(path, was, now, "excused", "nothing new survives: code that was tested is gone")
    return Hold(path, was, now, "fallen")


def _less(one: Held, other: Held) -> bool:
    return one.detected * other.valid < other.detected * one.valid


def _percent(held: Held) -> float:
    return held.detected * 10_000 // held.valid / 100
