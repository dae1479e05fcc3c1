"""The nearest commit with a coverage record, in repositories with all that happens to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.coverage_combine.ancestor import DEEP_ENOUGH, Ancestor, NoAncestor, nearest
from ci_kit.history_coverage import CoverageRecord, FileRecord
from integration.git_kit import Repository, step

FILES = {"src/a.py": FileRecord(10)}


def record(commit: str, at: str = "") -> CoverageRecord:
    return CoverageRecord(commit, at, FILES)


def find(repository: Repository, *commits: str) -> Ancestor | NoAncestor:
    return nearest(repository.root, step(repository.root, "push"), [record(commit) for commit in commits])


def found(repository: Repository, *commits: str) -> Ancestor:
    answer = find(repository, *commits)
    assert isinstance(answer, Ancestor), answer
    return answer


def none(repository: Repository, *commits: str) -> NoAncestor:
    answer = find(repository, *commits)
    assert isinstance(answer, NoAncestor), answer
    return answer


def line(repository: Repository, count: int, file: str = "a.py") -> list[str]:
    """Commits one after the other."""
    return [repository.commit({file: f"{file} = {number}\n"}) for number in range(count)]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


def test_the_nearest_commit_counts_and_not_the_newest_record(repository: Repository) -> None:
    commits = line(repository, 5)
    answer = found(repository, commits[3], commits[1], commits[2])
    assert answer.record == record(commits[3])
    assert answer.distance == 1
    assert answer.how == f"compared with {commits[3][:12]}, the commit before this one."
    assert found(repository, commits[0]).how == f"compared with {commits[0][:12]}, 4 commits back."


def test_the_same_commit_again_is_not_compared_with_itself(repository: Repository) -> None:
    *before, head = line(repository, 3)
    assert found(repository, before[0], head).record.commit == before[0]
    assert (
        none(repository, head).why
        == "only this commit itself has a record, of an earlier run, and no commit before it."
    )


def test_a_first_run_and_a_lost_history_are_said(repository: Repository) -> None:
    line(repository, 1)
    assert "this is the first one, or the history was lost" in none(repository).why


def test_a_shallow_checkout_is_said_beside_a_missing_history(repository: Repository, tmp_path: Path) -> None:
    """Else the depth would be the next surprise, after the first record was left."""
    line(repository, 5)
    answer = none(repository.clone(tmp_path / "clone", "--depth", "2"))
    assert "this is the first one, or the history was lost" in answer.why
    assert answer.why.endswith("Nor would it be found: the checkout is shallow, with 2 commits.")
    assert answer.next_step == "Check out with `fetch-depth: 50`, or 0 for the whole history."
    assert "shallow" not in none(repository).why


def test_a_checkout_as_deep_as_advised_is_no_fault(repository: Repository, tmp_path: Path) -> None:
    line(repository, 1)
    for _ in range(DEEP_ENOUGH):
        repository.commit()
    clone = repository.clone(tmp_path / "clone", "--depth", str(DEEP_ENOUGH))
    assert clone.git("rev-parse", "--is-shallow-repository") == "true"
    assert "shallow" not in none(clone).why


def test_a_pull_request_is_compared_with_its_target_and_not_with_where_it_began(repository: Repository) -> None:
    """The branch has one commit of its own, so in generations its start is as near as the target's older commits."""
    start, *_ = line(repository, 1)
    repository.git("checkout", "-q", "-b", "work")
    line(repository, 1, "work.py")
    repository.git("checkout", "-q", "main")
    target = line(repository, 4, "main.py")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "work")
    answer = found(repository, target[1], start)
    assert answer.record.commit == target[1]
    assert answer.distance == 4  # two of the target, one of the branch, and the merge


def test_of_equally_near_ones_the_newest_record_counts(repository: Repository) -> None:
    line(repository, 1)
    repository.git("checkout", "-q", "-b", "work")
    work = line(repository, 1, "work.py")
    repository.git("checkout", "-q", "main")
    main = line(repository, 1, "main.py")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "work")
    assert found(repository, work[0], main[0]).record.commit == main[0]
    assert found(repository, main[0], work[0]).record.commit == work[0]


def test_a_shallow_checkout_says_which_depth_it_needs(repository: Repository, tmp_path: Path) -> None:
    commits = line(repository, 5)
    clone = repository.clone(tmp_path / "clone", "--depth", "2")
    answer = none(clone, *commits[:2])
    assert answer.why == ("the checkout is shallow, and no commit in it has a record: the history has 2 records.")
    assert answer.next_step == "Check out with `fetch-depth: 50`, or 0 for the whole history."
    deeper = repository.clone(tmp_path / "deeper", "--depth", "3")
    answer_there = found(deeper, *commits[:3])
    assert answer_there.how == f"compared with {commits[2][:12]}, at least 2 commits back."
    assert found(repository, *commits[:3]).how == f"compared with {commits[2][:12]}, 2 commits back."


def test_a_force_push_leaves_records_of_commits_that_are_gone(repository: Repository, tmp_path: Path) -> None:
    kept, *gone = line(repository, 3)
    repository.git("reset", "-q", "--hard", kept)
    line(repository, 2, "other.py")
    clone = repository.clone(tmp_path / "clone")
    answer = found(clone, kept, *gone)
    assert answer.record.commit == kept
    assert answer.how == (
        f"compared with {kept[:12]}, 2 commits back; 2 records belong to commits that are not before this one "
        "(another branch, or a force push)."
    )
    assert "the default branch was rewritten (force push)" in none(clone, *gone).why
    still_here = none(repository, *gone)  # git keeps them until it tidies up
    assert "the branch was rewritten (rebase, force push), or it is older than the records" in still_here.why


def test_a_rebased_branch_is_compared_with_its_new_start(repository: Repository) -> None:
    old = line(repository, 2)
    repository.git("checkout", "-q", "-b", "work")
    line(repository, 2, "work.py")
    repository.git("checkout", "-q", "main")
    new = line(repository, 1, "main.py")
    repository.git("checkout", "-q", "work")
    assert found(repository, *old, *new).record.commit == old[1]
    repository.git("rebase", "-q", "main")
    answer = found(repository, *old, *new)
    assert (answer.record.commit, answer.distance) == (new[0], 2)


def test_a_folder_of_the_checkout_will_do(repository: Repository) -> None:
    commits = [repository.commit({"packages/a/a.py": f"{number}\n"}) for number in range(2)]
    folder = repository.root / "packages" / "a"
    answer = nearest(folder, step(folder, "push"), [record(commits[0])])
    assert isinstance(answer, Ancestor)


def test_without_a_checkout_by_git_nothing_is_compared(tmp_path: Path) -> None:
    answer = nearest(tmp_path, step(tmp_path, "push"), [record("a" * 40)])
    assert isinstance(answer, NoAncestor)
    assert answer.why.startswith("git does not know the commit that is checked out (fatal: not a git repository")
    assert answer.next_step == "Check the repository out with git before this step."


def test_without_git_nothing_is_compared(repository: Repository) -> None:
    line(repository, 1)
    tools = step(repository.root, "push")
    answer = nearest(repository.root, replace(tools, environ={**tools.environ, "PATH": ""}), [record("a" * 40)])
    assert answer == NoAncestor("git is not installed.", "Install it, or put it on PATH.")
