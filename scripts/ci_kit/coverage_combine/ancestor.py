"""The nearest commit before this one of which the history has a coverage record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.git import NOT_INSTALLED, Git
from ci_kit.history_coverage import CoverageRecord
from ci_kit.process import Completed
from ci_kit.tools import Tools

DEEP_ENOUGH = 50
DEEPER = f"Check out with `fetch-depth: {DEEP_ENOUGH}`, or 0 for the whole history."


@dataclass(frozen=True)
class Ancestor:
    """The record to compare with. `distance`: commits since then, this one included; `how` is for people."""

    record: CoverageRecord
    distance: int
    how: str


@dataclass(frozen=True)
class NoAncestor:
    """Why there is nothing to compare with, and what would change that (empty: nothing needs to)."""

    why: str
    next_step: str = ""


def nearest(here: Path, tools: Tools, records: Sequence[CoverageRecord]) -> Ancestor | NoAncestor:
    """The record of the commit before HEAD that the fewest commits lie after.

    The record of HEAD itself, which an earlier run of the same commit left, does not count: a run that is repeated would
    otherwise be compared with itself. `records` as `comparable` leaves them.
    """
    git = _Clone(here, tools)
    head = git.head()
    if not records:
        return _no_records(head, git)
    if isinstance(head, NoAncestor):
        return head
    earlier = {record.commit: record for record in records if record.commit != head.commit}
    if not earlier:
        return NoAncestor("only this commit itself has a record, of an earlier run, and no commit before it.")
    here_too = [commit for commit in earlier if git.has(commit)]
    found = {commit: git.distance(commit) for commit in here_too}
    ancestors = {commit: distance for commit, distance in found.items() if distance is not None}
    if not ancestors:
        return _nothing(earlier, here_too, head)
    # Of equally near ones the newest record.
    commit = min(reversed(ancestors), key=lambda each: ancestors[each])
    return Ancestor(earlier[commit], ancestors[commit], _how(commit, ancestors[commit], earlier, found, head))


@dataclass(frozen=True)
class _Head:
    commit: str
    shallow: bool


class _Clone:
    """The checkout's history."""

    def __init__(self, here: Path, tools: Tools) -> None:
        self._git = Git(here, tools.runner, tools.environ)

    def head(self) -> _Head | NoAncestor:
        if not self._git.installed:
            return NoAncestor(NOT_INSTALLED, "Install it, or put it on PATH.")
        done = self._run("rev-parse", "--is-shallow-repository", "HEAD")
        words = re.findall(r"^(true|false)\n([0-9a-f]{40,64})$", done.output, re.MULTILINE)
        if done.code or not words:
            said = (done.output.strip().splitlines() or ["git said nothing"])[0]
            return NoAncestor(
                f"git does not know the commit that is checked out ({said[:200]}).",
                "Check the repository out with git before this step.",
            )
        return _Head(words[0][1], words[0][0] == "true")

    def has(self, commit: str) -> bool:
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def depth(self) -> int:
        """How many commits are here."""
        found = re.search(r"^\d+$", self._run("rev-list", "--count", "HEAD").output, re.MULTILINE)
        return int(found[0]) if found else 0

    def distance(self, commit: str) -> int | None:
        """How many commits of HEAD's history are not in that of `commit`; None when `commit` is not in HEAD's."""
        done = self._run("rev-list", "--left-right", "--count", f"{commit}...HEAD")
        words = re.search(r"^(\d+)\t(\d+)$", done.output, re.MULTILINE)
        return int(words[2]) if done.code == 0 and words and words[1] == "0" else None

    def _run(self, *words: str) -> Completed:
        # In a partial clone git would ask the network for a commit that is not here.
        return self._git.run("--no-replace-objects", *words, GIT_NO_LAZY_FETCH="1")


def _no_records(head: _Head | NoAncestor, git: _Clone) -> NoAncestor:
    why = (
        "no earlier run has left a record of its coverage: this is the first one, or the history was lost. "
        "The next run of the default branch leaves one."
    )
    if isinstance(head, NoAncestor):
        return NoAncestor(f"{why} Nor could it be found from here: {head.why}", head.next_step)
    if head.shallow and (depth := git.depth()) < DEEP_ENOUGH:
        commits = "one commit" if depth == 1 else f"{depth} commits"
        return NoAncestor(f"{why} Nor would it be found: the checkout is shallow, with {commits}.", DEEPER)
    return NoAncestor(why)


def _nothing(earlier: dict[str, CoverageRecord], here_too: list[str], head: _Head) -> NoAncestor:
    count = _records(len(earlier))
    if head.shallow:
        return NoAncestor(
            f"the checkout is shallow, and no commit in it has a record: the history has {count}.", DEEPER
        )
    if here_too:
        return NoAncestor(
            f"the history has {count}, but none of a commit before this one: the branch was rewritten (rebase, force "
            "push), or it is older than the records. The next run of the default branch leaves one."
        )
    return NoAncestor(
        f"the history has {count}, but their commits are not in the repository any more: the default branch was "
        "rewritten (force push). Its next run leaves one."
    )


def _how(
    commit: str, distance: int, earlier: dict[str, CoverageRecord], found: dict[str, int | None], head: _Head
) -> str:
    back = "the commit before this one" if distance == 1 else f"{distance} commits back"
    least = "at least " if head.shallow and distance > 1 else ""
    said = f"compared with {commit[:12]}, {least}{back}"
    strangers = sum(distance is None for distance in found.values())
    if not head.shallow:  # there, an older commit is missing too
        strangers += len(earlier) - len(found)
    if strangers:
        said += f"; {_records(strangers)} belong{'s' if strangers == 1 else ''} to commits that are not before this one (another branch, or a force push)"
    return f"{said}."


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
