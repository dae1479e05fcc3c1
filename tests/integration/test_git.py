"""Questions to git, and the commit that is checked out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.errors import InfrastructureFailure
from ci_kit.git import NOT_INSTALLED, Git, checked_out
from ci_kit.process import SubprocessRunner
from integration.git_kit import Repository, step


def git(root: Path) -> Git:
    return Git(root, SubprocessRunner())


def test_the_commit_is_that_of_the_files_and_not_the_events(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "here")
    first, second = repository.commit({"a": "1"}), repository.commit({"a": "2"})
    tools = step(repository.root)
    tools = replace(tools, event=replace(tools.event, sha=second))
    assert checked_out(tools) == second
    repository.git("checkout", "-q", "--detach", first)
    assert checked_out(tools) == first
    (repository.root / "packages").mkdir()
    below = replace(tools, event=replace(tools.event, workspace=repository.root / "packages"))
    assert checked_out(below) == first


@pytest.mark.parametrize("sha", ["", "e" * 40])
def test_without_a_repository_or_without_git_it_is_the_events(tmp_path: Path, sha: str) -> None:
    tools = step(tmp_path)
    tools = replace(tools, event=replace(tools.event, sha=sha))
    assert checked_out(tools) == sha
    Repository(tmp_path).commit({"a": "1"})
    assert checked_out(replace(tools, environ={**tools.environ, "PATH": ""})) == sha


def test_an_answer_or_the_reason_why_there_is_none(tmp_path: Path) -> None:
    asked = git(tmp_path)
    assert asked.ask("rev-parse", "HEAD") is None
    assert asked.why.startswith("git rev-parse failed: fatal: not a git repository")
    with pytest.raises(InfrastructureFailure, match="reading names"):
        asked.checked("ls-files", what="reading names")
    repository = Repository(tmp_path)
    commit = repository.commit({"a": "1"})
    assert asked.ask("rev-parse", "HEAD") == commit == asked.commit("HEAD") == asked.commit("main")
    assert asked.commit("no-such-branch") is None
    assert asked.checked("ls-files", what="names") == "a\n"
    assert asked.run("cat-file", "-e", "0" * 40).code != 0
    nowhere = Git(tmp_path, SubprocessRunner(), {"PATH": ""})
    assert (nowhere.installed, nowhere.ask("status"), nowhere.why) == (False, None, NOT_INSTALLED)


def test_variables_are_added_for_one_question(tmp_path: Path) -> None:
    Repository(tmp_path).commit({"a": "1"})
    assert git(tmp_path).run("config", "user.name", GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="user.name", GIT_CONFIG_VALUE_0="x y").output == "x y\n"  # fmt: skip


def test_history_that_is_cut_off(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    repository.commit({"a": "1"})
    repository.commit({"a": "2"})
    assert not git(repository.root).shallow
    assert git(repository.clone(tmp_path / "clone", "--depth", "1").root).shallow
