"""The commit that changed lines are counted from, in clones as actions/checkout makes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ci_kit.base import Base, NoBase, find_base
from integration.git_kit import Repository, step


@dataclass(frozen=True)
class Project:
    """A target branch that went on after the pull request branched off, and the merge commit that GitHub tests."""

    repository: Repository
    start: str
    target: str
    tip: str
    merge: str

    def payload(self, **other: dict[str, str]) -> dict[str, Any]:
        """The event of the pull request."""
        return {
            "pull_request": {"head": {"sha": self.tip}, "base": {"sha": self.target, "ref": "main"}, **other},
        }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    repository = Repository(tmp_path / "origin")
    repository.commit({"a.py": "a\n"})
    start = repository.commit({"a.py": "b\n"})
    repository.git("checkout", "-q", "-b", "work")
    repository.commit({"w.py": "w\n"})
    tip = repository.commit({"w.py": "x\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"m.py": "m\n"})
    target = repository.commit({"m.py": "n\n"})
    repository.git("checkout", "-q", "-b", "merged")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "work")
    return Project(repository, start, target, tip, repository.git("rev-parse", "HEAD"))


def found(root: Path, event: str, payload: dict[str, Any] | None = None, asked: str | None = None) -> Base | NoBase:
    return find_base(root, step(root, event, payload), asked)


def none(answer: Base | NoBase) -> NoBase:
    assert isinstance(answer, NoBase), answer
    return answer


def some(answer: Base | NoBase) -> Base:
    assert isinstance(answer, Base), answer
    return answer


@pytest.mark.parametrize("depth", [["--depth", "2"], []])
@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_of_the_merge_commit_the_first_parent(depth: list[str], event: str, project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "merged", *depth)
    clone.git("checkout", "-q", "--detach")
    base = some(found(clone.root, event, project.payload()))
    assert base.commit == project.target
    assert base.how == f"the target branch as it was merged for this run, {project.target[:12]}"


def test_the_target_may_have_moved_on_since_the_event(project: Project) -> None:
    payload = project.payload(base={"sha": project.start, "ref": "main"})
    assert some(found(project.repository.root, "pull_request", payload)).commit == project.target


def test_a_clone_without_the_parent_says_which_depth_it_needs(project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "merged", "--depth", "1")
    answer = none(found(clone.root, "pull_request", project.payload()))
    assert answer == NoBase(
        f"the target branch's commit {project.target[:12]} is not in this clone, which is shallow.",
        "Give actions/checkout `fetch-depth: 2`.",
        fault=True,
    )
    error = answer.mistake()
    assert str(error).startswith("changed lines cannot be judged: the target branch's commit")
    assert error.exit == 2


def test_a_checkout_of_the_head_itself_shares_a_commit_with_the_target(project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "work")
    base = some(found(clone.root, "pull_request", project.payload()))
    assert (base.commit, base.how) == (
        project.start,
        f"the newest commit in common with main at {project.target[:12]}, {project.start[:12]}",
    )


def test_a_head_that_merged_the_target_is_not_taken_for_the_events_merge(project: Project) -> None:
    project.repository.git("checkout", "-q", "work")
    project.repository.git("merge", "-q", "-m", "up to date", "main")
    tip = project.repository.git("rev-parse", "HEAD")
    base = some(found(project.repository.root, "pull_request", project.payload(head={"sha": tip})))
    assert base.commit == project.target


@pytest.mark.parametrize("depth", ["1", "2"])
def test_a_shallow_checkout_of_the_head_itself_cannot_say(depth: str, project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "work", "--depth", depth)
    answer = none(found(clone.root, "pull_request", project.payload()))
    assert (answer.fault, "`fetch-depth: 0`" in answer.next_step) == (True, True)
    assert answer.why == (
        "the checkout is no merge commit of this pull request, and the target's commit "
        f"{project.target[:12]} is not in this clone, which is shallow."
    )


def test_a_shallow_clone_with_both_ends_has_nothing_in_common(project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "work", "--depth", "1", "--no-single-branch")
    answer = none(found(clone.root, "pull_request", project.payload()))
    assert answer.fault
    assert "no commit in common in this clone, which is shallow" in answer.why
    assert "`fetch-depth: 0`" in answer.next_step


def test_after_a_force_push_the_branch_as_fetched_is_taken(project: Project, tmp_path: Path) -> None:
    gone = {"sha": "f" * 40, "ref": "main"}
    clone = project.repository.clone(tmp_path / "clone", "-b", "work")
    base = some(found(clone.root, "pull_request", project.payload(base=gone)))
    assert (base.commit, base.how) == (
        project.start,
        f"the newest commit in common with origin/main, {project.start[:12]}",
    )
    clone.git("update-ref", "-d", "refs/remotes/origin/main")
    answer = none(found(clone.root, "pull_request", project.payload(base=gone)))
    assert (answer.fault, answer.why.endswith("is not in this clone: was the branch force-pushed?")) == (True, True)


def test_an_octopus_is_no_merge_of_the_event(project: Project) -> None:
    repository = project.repository
    repository.git("checkout", "-q", "-b", "third", project.start)
    third = repository.commit({"t.py": "t\n"})
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "-m", "octopus", "work", "third")
    assert repository.git("rev-parse", "HEAD^3") == third
    base = some(found(repository.root, "pull_request", project.payload()))
    assert (base.commit, "in common with main at" in base.how) == (project.target, True)


def test_equally_near_commits_are_said(project: Project) -> None:
    repository = project.repository
    repository.git("checkout", "-q", "-b", "other", project.tip)
    repository.git("merge", "-q", "-m", "cross", project.target)
    repository.git("checkout", "-q", "merged")
    repository.commit({"more.py": ""})
    repository.git("checkout", "-q", "other")
    other = repository.commit({"else.py": ""})
    payload = project.payload(head={"sha": other}, base={"sha": repository.git("rev-parse", "merged"), "ref": "merged"})
    base = some(found(repository.root, "pull_request", payload))
    assert base.commit in (project.target, project.tip)
    assert base.how.endswith(", one of 2 that are equally near")


def test_the_target_itself_is_not_the_pull_request(project: Project) -> None:
    project.repository.git("checkout", "-q", "main")
    answer = none(found(project.repository.root, "pull_request_target", project.payload()))
    assert answer.why == "the checkout is the target branch main itself, not the pull request."
    assert (answer.fault, "Check out the commit" in answer.next_step) == (True, True)


def test_a_merge_group_says_its_base(project: Project, tmp_path: Path) -> None:
    payload = {"merge_group": {"base_sha": project.target, "head_sha": project.merge}}
    clone = project.repository.clone(tmp_path / "deep", "-b", "merged", "--depth", "2")
    base = some(found(clone.root, "merge_group", payload))
    assert (base.commit, base.how) == (
        project.target,
        f"the commit that this merge group builds on, {project.target[:12]}",
    )
    clone = project.repository.clone(tmp_path / "shallow", "-b", "merged", "--depth", "1")
    answer = none(found(clone.root, "merge_group", payload))
    assert (answer.fault, answer.why.endswith("is not in this clone, which is shallow.")) == (True, True)
    assert "(not in the event)" in none(found(clone.root, "merge_group", {})).why


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch", "local"])
def test_other_events_have_no_base_and_that_is_no_fault(event: str, tmp_path: Path) -> None:
    answer = none(found(tmp_path, event))
    assert not answer.fault
    assert repr(event) in answer.why
    assert "input base" in answer.next_step


@pytest.mark.parametrize("event", ["push", "local", "pull_request"])
def test_what_is_asked_for_is_taken(event: str, project: Project, tmp_path: Path) -> None:
    clone = project.repository.clone(tmp_path / "clone", "-b", "work")
    payload = project.payload()
    assert some(found(clone.root, event, payload, "origin/main")).commit == project.start
    assert some(found(clone.root, event, payload, "HEAD~1")).commit == clone.git("rev-parse", "HEAD~1")
    for wrong in ("nonsense", "--all", "HEAD:a.py", "main..work", "a b"):
        answer = none(found(clone.root, event, payload, wrong))
        assert (answer.fault, answer.why) == (True, f"input base: git knows no commit {wrong!r} here.")
    clone.git("checkout", "-q", "--orphan", "alone")
    clone.commit()
    answer = none(found(clone.root, event, payload, "origin/main"))
    assert (answer.fault, answer.why) == (True, "HEAD and origin/main have no commit in common.")


def test_no_repository_and_no_git_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    answer = none(found(tmp_path, "pull_request", {}))
    assert (answer.fault, "not a git repository" in answer.why) == (True, True)
    Repository(tmp_path / "empty")
    assert "git rev-parse failed" in none(found(tmp_path / "empty", "pull_request", {})).why
    monkeypatch.setenv("PATH", str(tmp_path))
    assert none(found(tmp_path, "pull_request", {})).why == "git is not installed."


def test_a_payload_without_the_pull_request_is_said(project: Project) -> None:
    answer = none(found(project.repository.root, "pull_request", {}))
    assert (answer.fault, "the event does not name the pull request" in answer.why) == (True, True)


def test_an_ambiguous_name_is_a_commit_all_the_same(project: Project) -> None:
    project.repository.git("tag", "main", project.start)
    assert some(found(project.repository.root, "push", asked="main")).commit == project.start
