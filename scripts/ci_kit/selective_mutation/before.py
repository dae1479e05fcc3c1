"""The run of the default branch that this one is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ci_kit.git import Git
from ci_kit.selective_mutation.ratchet import Hold
from ci_kit.selective_mutation.records import Records, RunRecord
from ci_kit.tools import Tools

DEEPEST = 2000  # commits that are looked through


@dataclass(frozen=True)
class Before:
    """The record, if there is one, and in a sentence which it is or why there is none."""

    record: RunRecord | None
    how: str


@dataclass(frozen=True)
class Compared:
    """This run against that one. `new` are ids of mutants that survive only here, None where there is nothing to compare.

    `unseen` names files whose score is not judged, because only part of them was mutated.
    """

    before: Before
    new: frozenset[str] | None = None
    holds: tuple[Hold, ...] = ()
    unseen: tuple[str, ...] = ()


def find_before(records: Records, lost: str, here: Path, tools: Tools) -> Before:
    """The nearest commit before this one that has a record; `lost` says why there are no records.

    A record of this commit itself, of an earlier run, does not count. Critical code changes seldom, so the commit may lie
    behind the end of a shallow clone: then it is the newest record that is older than this commit.
    """
    if not records.runs:
        return Before(None, f"{lost or 'there are no records'}. The next run of the default branch leaves one.")
    git = Git(here, tools.runner, tools.environ)
    commits = git.hashes("-c", "safe.directory=*", "rev-list", f"--max-count={DEEPEST}", "HEAD")
    if not commits:
        return Before(None, f"which commit is checked out is not known: {git.why}")
    of = {record.commit: record for record in records.runs if record.commit != commits[0]}
    for distance, commit in enumerate(commits):
        if commit in of:
            back = "the commit before this one" if distance == 1 else f"{distance} commits back"
            return Before(of[commit], f"compared with {commit[:12]}, {back}")
    if git.shallow and (found := _newest(of.values(), git)):
        where = "the newest run of the default branch; the checkout is too shallow to show where it lies"
        return Before(found, f"compared with {found.commit[:12]}, {where}")
    return Before(
        None,
        f"there are records of {len(records.runs)} runs, but of no commit before this one. The next run of the default "
        "branch leaves one.",
    )


def _newest(records: Iterable[RunRecord], git: Git) -> RunRecord | None:
    """The last that ran before this commit was made and is not in this clone, so that it may lie before it."""
    made = git.ask("-c", "safe.directory=*", "show", "--no-patch", "--format=%cI", "HEAD")
    try:
        now = datetime.fromisoformat((made or "").splitlines()[-1])
    except (ValueError, IndexError):
        return None
    older = [each for each in records if datetime.fromisoformat(each.at) <= now and not _here(each.commit, git)]
    return older[-1] if older else None


def _here(commit: str, git: Git) -> bool:
    # In a partial clone git would ask the network for a commit that is not here.
    return git.run("cat-file", "-e", f"{commit}^{{commit}}", GIT_NO_LAZY_FETCH="1").code == 0
