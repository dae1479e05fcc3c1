"""Which commit a change is counted from: of a pull request, a merge group, or as asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake
from ci_kit.git import Git
from ci_kit.tools import Tools

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
    git = Git(here, tools.runner, tools.environ)
    head = git.commit("HEAD")
    if head is None:
        return NoBase(f"{git.why}", "Check the repository out with actions/checkout before this step.", fault=True)
    if asked:
        return _asked(git, asked)
    if event.name == "merge_group":
        return _merge_group(git, str((event.payload.get("merge_group") or {}).get("base_sha") or ""))
    wanted = event.pull_request
    tip, target = (wanted.get("head") or {}).get("sha"), (wanted.get("base") or {})
    parents = _parents(git, head)
    if tip and parents[1:] == [tip]:
        if git.commit(parents[0]):
            return Base(parents[0], f"the target branch as it was merged for this run, {parents[0][:12]}")
        return NoBase(
            f"the target branch's commit {parents[0][:12]} is not in this clone, which is shallow.",
            "Give actions/checkout `fetch-depth: 2`.",
            fault=True,
        )
    return _shared_with_target(git, head, str(target.get("sha") or ""), str(target.get("ref") or ""))


def _asked(git: Git, asked: str) -> Base | NoBase:
    commit = None if asked.startswith("-") else git.commit(asked)
    if commit is None:
        step = f"{DEEPER} A branch is named with its remote, such as origin/main."
        return NoBase(f"input base: git knows no commit {asked!r} here.", step, fault=True)
    return _merge_base(git, commit, asked)


def _merge_group(git: Git, base: str) -> Base | NoBase:
    if base and git.commit(base):
        return Base(base, f"the commit that this merge group builds on, {base[:12]}")
    return NoBase(
        f"the merge group's base {base[:12] or '(not in the event)'} is not in this clone{_shallow_note(git)}.",
        DEEPER,
        fault=True,
    )


def _shared_with_target(git: Git, head: str, target: str, branch: str) -> Base | NoBase:
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
            return _merge_base(git, commit, shown)
    return NoBase(
        f"the checkout is no merge commit of this pull request, and the target's commit {target[:12]} is not in this "
        f"clone{f'{note}.' if (note := _shallow_note(git)) else ': was the branch force-pushed?'}",
        DEEPER,
        fault=True,
    )


def _parents(git: Git, commit: str) -> list[str]:
    """The parents as the commit itself names them, whether this clone has them or not."""
    header = (git.ask("cat-file", "commit", commit) or "").partition("\n\n")[0]
    return [line.split()[1] for line in header.splitlines() if line.startswith("parent ")]


def _shallow_note(git: Git) -> str:
    """Words for a sentence."""
    return ", which is shallow" if git.shallow else ""


def _merge_base(git: Git, other: str, shown: str) -> Base | NoBase:
    """The newest commit that HEAD and `other` have in common."""
    found = git.hashes("merge-base", "--all", other, "HEAD")
    if not found:
        common = f"HEAD and {shown} have no commit in common"
        if git.shallow:
            return NoBase(f"{common} in this clone, which is shallow.", DEEPER, fault=True)
        return NoBase(f"{common}.", "Name another commit with the input base.", fault=True)
    more = f", one of {len(found)} that are equally near" if len(found) > 1 else ""
    return Base(found[0], f"the newest commit in common with {shown}, {found[0][:12]}{more}")
