"""The tree that two commits are compared by, in real repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from ci_kit.affected import Tree, decide
from ci_kit.affected_map import AffectedMap
from ci_kit.affected_tree import OUTSIDE, read_tree
from ci_kit.process import SubprocessRunner
from integration.pipeline_kit import write
from tooling.recorded import record, tree_of

FILES = {"libs/common.py": "A = 1\n", "svc/other.py": "A = 1\n", "svc/a/mine.py": "A = 1\n", "svc/a/sub/more.py": ""}


def commit(repository: Path, files: Mapping[str, str]) -> None:
    write(repository, dict(files))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "next"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            cwd=repository,
            check=True,
            timeout=60,
        )


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, set()),
        ({"svc/a/mine.py": "A = 2\n"}, {"mine.py"}),
        ({"svc/a/sub/more.py": "A = 2\n"}, {"sub/more.py"}),
        ({"libs/common.py": "A = 2\n"}, {OUTSIDE}),
        ({"svc/other.py": "A = 2\n"}, {OUTSIDE}),
        ({"svc/b/new.py": ""}, {OUTSIDE}),
        ({"libs/a/new.py": ""}, {OUTSIDE}),
    ],
)
def test_a_change_beside_the_projects_folder_is_seen(
    change: Mapping[str, str], differs: set[str], tmp_path: Path
) -> None:
    project, runner = tmp_path / "svc" / "a", SubprocessRunner()
    commit(tmp_path, FILES)
    before = read_tree(project, runner)
    assert set(before) == {"mine.py", "sub/more.py", OUTSIDE}
    commit(tmp_path, change)
    after = read_tree(project, runner)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == differs
    if OUTSIDE in differs:
        found = decide(AffectedMap("c", before, {}, {}), "", Tree(after, str), ["unit"])["unit"]
        assert (found.all, "outside the project's folder" in found.reason) == (True, True)


def test_a_change_beside_the_project_in_a_very_large_folder_is_seen(tmp_path: Path) -> None:
    runner = SubprocessRunner()
    commit(tmp_path, FILES | {f"svc/{number:0200}.txt": "" for number in range(900)})
    before = read_tree(tmp_path / "svc" / "a", runner)
    commit(tmp_path, {f"svc/{0:0200}.txt": "changed"})
    after = read_tree(tmp_path / "svc" / "a", runner)
    assert before[OUTSIDE] != after[OUTSIDE]


def test_the_repositorys_own_folder_and_one_without_git_have_nothing_beside(tmp_path: Path) -> None:
    write(tmp_path / "plain", {"a.py": ""})
    assert set(read_tree(tmp_path / "plain", SubprocessRunner())) == {"a.py"}
    commit(tmp_path / "whole", FILES)
    assert set(read_tree(tmp_path / "whole", SubprocessRunner())) == set(FILES)


def test_another_commit_of_a_submodule_is_seen(tmp_path: Path) -> None:
    project, inner = tmp_path / "project", tmp_path / "project" / "vendor"
    commit(inner, {"lib.py": "A = 1\n"})
    commit(project, {"a.py": ""})
    before = read_tree(project, SubprocessRunner())
    assert set(before) == {"a.py", "vendor"}
    commit(inner, {"lib.py": "A = 2\n"})
    commit(project, {})
    after = read_tree(project, SubprocessRunner())
    assert {name for name in after if after[name] != before[name]} == {"vendor"}
    assert decide(AffectedMap("c", before, {}, {}), "", Tree(after, str), ["unit"])["unit"].all


@pytest.mark.parametrize("changed", ["README.md", "shared/notes.md"])
def test_what_is_read_through_a_symbolic_link_is_seen(changed: str, tmp_path: Path) -> None:
    test = "def test_{0}():\n    assert open({1!r}).read()\n"
    root = write(
        tmp_path / "project",
        {
            "README.md": "a", "shared/notes.md": "b", "OTHER.md": "c",
            "tests/test_a.py": test.format("readme", "docs/start.md"), "tests/test_b.py": test.format("notes", "data/notes.md"),
            "tests/test_c.py": "def test_other():\n    pass\n",
        },
    )  # fmt: skip
    (root / "docs").mkdir()
    (root / "docs" / "start.md").symlink_to("../README.md")
    (root / "data").symlink_to("shared")
    known = record(root, tmp_path / "kit").known
    write(root, {changed: "changed"})
    found = decide(known, "", tree_of(root), ["tests"])["tests"]
    which = {"README.md": "tests/test_a.py::test_readme", "shared/notes.md": "tests/test_b.py::test_notes"}
    assert (found.all, found.tests) == (False, frozenset({which[changed]}))
    write(root, {changed: "b" if "notes" in changed else "a", "OTHER.md": "changed"})
    assert decide(known, "", tree_of(root), ["tests"])["tests"].tests == frozenset()
