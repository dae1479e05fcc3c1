"""The temporary copy of a consumer's repository: real commits, real refs, the original untouched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ci_kit.act.copies import Consumer, Wanted, copy_consumer, copy_kit
from ci_kit.errors import CallerMistake
from ci_kit.process import SubprocessRunner

IDENTITY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"} | {
    f"GIT_{who}_{what}": "test@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(repo: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repo), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | IDENTITY,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Two commits on main, one file ignored."""
    folder = tmp_path / "my repo ü"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name, content in (("a.txt", "one"), (".gitignore", "ignored\n")):
        (folder / name).write_text(content)
        git(folder, "add", name)
        git(folder, "commit", "-q", "-m", f"Add {name}")
    (folder / "ignored").write_text("x")
    return folder


def copied(repo: Path, tmp_path: Path, **wanted: object) -> Consumer:
    return copy_consumer(SubprocessRunner(), repo, Wanted(**wanted), tmp_path / "run")  # type: ignore[arg-type]


def test_a_push_is_the_commit_that_lies_there(repo: Path, tmp_path: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    consumer = copied(repo, tmp_path)
    occasion = consumer.occasion
    assert (occasion.sha, occasion.ref, occasion.before) == (head, "refs/heads/main", git(repo, "rev-parse", "HEAD^"))
    assert git(consumer.clone, "rev-parse", "HEAD") == head
    assert git(consumer.clone, "symbolic-ref", "--short", "HEAD") == "main"
    assert git(consumer.clone, "status", "--porcelain") == ""
    assert git(consumer.clone, "fetch", "origin", "main") == ""
    assert occasion.repository == "local/my-repo"
    assert sorted(p.name for p in consumer.tree.iterdir()) == [".gitignore", "a.txt"]


def test_uncommitted_changes_become_a_commit_in_the_copy_only(repo: Path, tmp_path: Path) -> None:
    before = git(repo, "rev-parse", "HEAD")
    (repo / "a.txt").write_text("two")
    (repo / "new file ü.txt").write_text("new")
    (repo / "ignored").write_text("still ignored")
    status = git(repo, "status", "--porcelain")
    objects = git(repo, "count-objects", "-v")
    consumer = copied(repo, tmp_path)
    assert (consumer.clone / "a.txt").read_text() == "two"
    assert (consumer.clone / "new file ü.txt").read_text() == "new"
    assert not (consumer.clone / "ignored").exists()
    assert git(consumer.clone, "rev-parse", "HEAD^") == before
    assert git(consumer.clone, "status", "--porcelain") == ""
    assert (git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain")) == (before, status)
    assert git(repo, "count-objects", "-v") == objects
    assert any("uncommitted" in note for note in consumer.notes)


def test_a_deleted_file_is_deleted_in_the_copy(repo: Path, tmp_path: Path) -> None:
    (repo / "a.txt").unlink()
    assert not (copied(repo, tmp_path).clone / "a.txt").exists()


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "a.txt").write_text("one")
    consumer = copied(folder, tmp_path)
    assert (consumer.occasion.ref, consumer.occasion.default_branch) == ("refs/heads/trunk", "trunk")
    assert consumer.occasion.before == "0" * 40
    assert (consumer.clone / "a.txt").read_text() == "one"


def test_a_subfolder_is_a_repository_of_its_own(repo: Path, tmp_path: Path) -> None:
    (repo / "example").mkdir()
    (repo / "example" / "inner.txt").write_text("x")
    consumer = copied(repo / "example", tmp_path)
    assert [p.name for p in consumer.tree.iterdir()] == ["inner.txt"]
    assert git(consumer.clone, "rev-list", "--count", "HEAD") == "1"


def test_a_pull_request_is_a_real_merge(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "topic")
    (repo / "b.txt").write_text("b")
    git(repo, "add", "b.txt")
    git(repo, "commit", "-q", "-m", "Add b")
    head, base = git(repo, "rev-parse", "topic"), git(repo, "rev-parse", "main")
    consumer = copied(repo, tmp_path, event="pull_request", number=7, labels=("x",))
    occasion = consumer.occasion
    assert occasion.pull is not None
    assert (occasion.pull.base_sha, occasion.pull.head_sha, occasion.pull.head_branch) == (base, head, "topic")
    assert git(consumer.clone, "rev-parse", "HEAD", "HEAD^1", "HEAD^2").split() == [occasion.sha, base, head]
    assert occasion.ref == "refs/pull/7/merge"
    assert (consumer.clone / "b.txt").exists()
    assert occasion.is_fork is False
    remote = git(consumer.clone, "ls-remote", "origin")
    assert {line.split("\t")[1] for line in remote.splitlines()} == {
        "HEAD", "refs/heads/main", "refs/heads/topic", "refs/pull/7/head", "refs/pull/7/merge",
    }  # fmt: skip


def test_on_the_default_branch_the_last_commit_is_the_pull_request(repo: Path, tmp_path: Path) -> None:
    consumer = copied(repo, tmp_path, event="pull_request", fork=True)
    pull = consumer.occasion.pull
    assert pull is not None
    assert pull.base_sha == git(repo, "rev-parse", "HEAD^")
    assert (pull.head_branch, pull.head_repository, consumer.occasion.is_fork) == (
        "feature",
        "contributor/my-repo",
        True,
    )


def test_a_first_commit_as_a_pull_request(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one")
    consumer = copied(folder, tmp_path, event="pull_request")
    assert consumer.occasion.pull is not None
    assert git(consumer.clone, "diff", "--name-only", consumer.occasion.pull.base_sha, "HEAD") == "a.txt"


def test_a_conflict_is_the_callers_to_solve(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "topic")
    (repo / "a.txt").write_text("mine")
    git(repo, "commit", "-q", "-a", "-m", "Mine")
    git(repo, "checkout", "-q", "main")
    (repo / "a.txt").write_text("theirs")
    git(repo, "commit", "-q", "-a", "-m", "Theirs")
    git(repo, "checkout", "-q", "topic")
    with pytest.raises(CallerMistake, match="topic does not merge into main without conflicts"):
        copied(repo, tmp_path, event="pull_request")


def test_a_tag(repo: Path, tmp_path: Path) -> None:
    consumer = copied(repo, tmp_path, tag="v1.0")
    assert consumer.occasion.ref == "refs/tags/v1.0"
    assert git(consumer.clone, "describe", "--exact-match", "--tags") == "v1.0"


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_outside_git(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "plain"
    if made:
        folder.mkdir()
    with pytest.raises(CallerMistake, match="is not a git repository"):
        copied(folder, tmp_path)


def test_a_repository_without_files(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    git(folder, "init", "-q")
    with pytest.raises(CallerMistake, match="has no files"):
        copied(folder, tmp_path)


def test_an_unknown_base(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="there is no branch 'nope'"):
        copied(repo, tmp_path, event="pull_request", base="nope")


def test_the_name_comes_from_the_remote(repo: Path, tmp_path: Path) -> None:
    git(repo, "remote", "add", "origin", "git@github.com:corp/app.git")
    assert copied(repo, tmp_path).occasion.repository == "corp/app"


def test_the_kit_is_copied_as_it_lies_there(repo: Path, tmp_path: Path) -> None:
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("a.txt")
    copy_kit(SubprocessRunner(), repo, tmp_path / "kit")
    assert sorted(p.name for p in (tmp_path / "kit").iterdir()) == [".gitignore", "a.txt", "link", "run.sh"]
    assert os.access(tmp_path / "kit" / "run.sh", os.X_OK)
    assert (tmp_path / "kit" / "link").is_symlink()
