"""Which commit a change is counted from: of a pull request, a merge group, or as asked."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake
from ci_kit.tools import Tools

TIMEOUT_SECONDS = 60.0
_HASH = re.compile(r"^[0-9a-f]{40,64}$", re.MULTILINE)
DEEPER = "Give actions/checkout `fetch-depth: 0`, so that the commit is there."


@dataclass(frozen=True)
class Base:
    """The commit, and in a sentence for people how it was found."""

    commit: str
    how: str


@dataclass(frozen=True)
class NoBase:
    """There is none. `fault`: the caller can mend it, so with a threshold configured it is an error."""

    why: str
    next_step: str
    fault: bool

    def mistake(self) -> CallerMistake:
        """The error to raise where changed lines must be judged."""
        return CallerMistake(f"changed lines cannot be judged: {self.why}", next_step=self.next_step)


def find_base(here: Path, tools: Tools, asked: str | None) -> Base | NoBase:
    """Of a pull request or a merge group the commit it is merged into, or what it has in common with `asked`."""
    event = tools.event
    if not asked and not event.is_pull_request and event.name != "merge_group":
        return NoBase(
            f"changed lines are judged on pull requests, and this run was started by {event.name!r}.",
            "To judge them here too, name a commit or branch with the input base.",
            fault=False,
        )
    git = _Git(here, tools)
    head = git.commit("HEAD")
    if head is None:
        return NoBase(f"{git.why}", "Check the repository out with actions/checkout before this step.", fault=True)
    if asked:
        return _asked(git, asked)
    if event.name == "merge_group":
        return _merge_group(git, str((event.payload.get("merge_group") or {}).get("base_sha") or ""))
    wanted = event.pull_request
    tip, target = (wanted.get("head") or {}).get("sha"), (wanted.get("base") or {})
    parents = git.parents(head)
    if tip and parents[1:] == [tip]:
        if git.commit(parents[0]):
            return Base(parents[0], f"the target branch as it was merged for this run, {parents[0][:12]}")
        return NoBase(
            f"the target branch's commit {parents[0][:12]} is not in this clone, which is shallow.",
            "Give actions/checkout `fetch-depth: 2`.",
            fault=True,
        )
    return _shared_with_target(git, head, str(target.get("sha") or ""), str(target.get("ref") or ""))


def _asked(git: _Git, asked: str) -> Base | NoBase:
    commit = None if asked.startswith("-") else git.commit(asked)
    if commit is None:
        step = f"{DEEPER} A branch is named with its remote, such as origin/main."
        return NoBase(f"input base: git knows no commit {asked!r} here.", step, fault=True)
    return git.merge_base(commit, asked)


def _merge_group(git: _Git, base: str) -> Base | NoBase:
    if base and git.commit(base):
        return Base(base, f"the commit that this merge group builds on, {base[:12]}")
    return NoBase(
        f"the merge group's base {base[:12] or '(not in the event)'} is not in this clone{git.shallow_note}.",
        DEEPER,
        fault=True,
    )


def _shared_with_target(git: _Git, head: str, target: str, branch: str) -> Base | NoBase:
    """For a checkout of the pull request's own head, or of anything else that is no merge commit of this event."""
    if not target:
        step = "Outside GitHub, name the commit with the input base."
        return NoBase("the event does not name the pull request.", step, fault=True)
    if head == target:
        return NoBase(
            f"the checkout is the target branch {branch} itself, not the pull request.",
            "Check out the commit that the tests ran on.",
            fault=True,
        )
    # After a force push to the target the event's commit may be gone; the branch as it was fetched is next best.
    for name, shown in ((target, f"{branch} at {target[:12]}"), (f"refs/remotes/origin/{branch}", f"origin/{branch}")):
        if commit := git.commit(name):
            return git.merge_base(commit, shown)
    return NoBase(
        f"the checkout is no merge commit of this pull request, and the target's commit {target[:12]} is not in this "
        f"clone{f'{note}.' if (note := git.shallow_note) else ': was the branch force-pushed?'}",
        DEEPER,
        fault=True,
    )


class _Git:
    """Questions to git in one folder."""

    def __init__(self, here: Path, tools: Tools) -> None:
        self._here, self._tools = here, tools
        self.why = "git is not installed."

    def ask(self, *words: str) -> str | None:
        """What git answers, or None when it says no; its words are then in `why`."""
        if not shutil.which("git", path=self._tools.environ.get("PATH")):
            return None
        done = self._tools.runner.run(
            ["git", *words], cwd=self._here, timeout_seconds=TIMEOUT_SECONDS, stream=False, env=self._tools.environ
        )
        if done.code:
            self.why = f"git {words[0]} failed: {done.output.strip()[:500] or f'exit code {done.code}'}"
            return None
        return done.output.strip()

    def commit(self, name: str) -> str | None:
        """The full hash of a commit that is in this clone."""
        return next(iter(self._hashes("rev-parse", "--verify", f"{name}^{{commit}}")), None)

    def _hashes(self, *words: str) -> list[str]:
        """The lines of an answer that are hashes: git's warnings, such as of ambiguous names, stand among them."""
        return _HASH.findall(self.ask(*words) or "")

    def parents(self, commit: str) -> list[str]:
        """The parents as the commit itself names them, whether this clone has them or not."""
        header = (self.ask("cat-file", "commit", commit) or "").partition("\n\n")[0]
        return [line.split()[1] for line in header.splitlines() if line.startswith("parent ")]

    @property
    def shallow(self) -> bool:
        """History is cut off."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"

    @property
    def shallow_note(self) -> str:
        """Words for a sentence."""
        return ", which is shallow" if self.shallow else ""

    def merge_base(self, other: str, shown: str) -> Base | NoBase:
        """The newest commit that HEAD and `other` have in common."""
        found = self._hashes("merge-base", "--all", other, "HEAD")
        if not found:
            common = f"HEAD and {shown} have no commit in common"
            if self.shallow:
                return NoBase(f"{common} in this clone, which is shallow.", DEEPER, fault=True)
            return NoBase(f"{common}.", "Name another commit with the input base.", fault=True)
        more = f", one of {len(found)} that are equally near" if len(found) > 1 else ""
        return Base(found[0], f"the newest commit in common with {shown}, {found[0][:12]}{more}")
