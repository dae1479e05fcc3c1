"""What changed between two commits, asked of real git in real repositories."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from ci_kit.changes import FileChange, Hunk, read_changes, read_names
from ci_kit.errors import InfrastructureFailure
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.git_kit import Repository, step

TEN = "".join(f"line {number}\n" for number in range(1, 11))


def test_added_changed_and_removed_lines(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"a.py": TEN, "same.py": TEN, "gone.py": TEN})
    lines = TEN.splitlines(keepends=True)
    repository.commit({"a.py": "".join(["new\n", *lines[:3], "changed\n", *lines[4:7], *lines[8:]]), "gone.py": None, "b.py": "x\ny\n", "empty.py": ""})  # fmt: skip
    found = read_changes(tmp_path, base, step(tmp_path))
    assert found == {
        "a.py": FileChange("a.py", "a.py", (Hunk(0, 0, 1, 1), Hunk(4, 1, 5, 1), Hunk(8, 1, 8, 0))),
        "b.py": FileChange("b.py", None, (Hunk(0, 0, 1, 2),)),
        "empty.py": FileChange("empty.py", None, ()),
    }
    assert found["a.py"].changed_lines() == {1, 5}
    assert [found["a.py"].old_line(line) for line in range(1, 11)] == [None, 1, 2, 3, None, 5, 6, 7, 9, 10]
    assert found["b.py"].changed_lines() == {1, 2}
    assert found["b.py"].old_line(1) is None


@pytest.mark.parametrize(
    "name",
    [
        "with space.py",
        "two  spaces .py",
        "grüße und mehr.py",
        'quo"te.py',
        "back\\slash.py",
        "tab\there.py",
        "new\nline.py",
        "bell\a.py",
        "a.py b/a.py",
        "a/b b/a/b",
        "b/a.py",
        "-x.py",
        "日本/語.py",
        "deep/er/x.py",
        ":(glob)x.py",
        "not\udcffutf8.py",
    ],
)
def test_every_name_is_found(name: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({name: "a\nb\n", "plain.py": TEN, "old name.py": TEN})
    repository.write({name: "a\nc\n"})
    repository.git("mv", "plain.py", f"moved {name[-6:]}" if "/" not in name[-6:] else "moved")
    repository.commit()
    found = read_changes(tmp_path, base, step(tmp_path))
    assert found.pop(name) == FileChange(name, name, (Hunk(2, 1, 2, 1),))
    (moved,) = found.values()
    assert (moved.old_path, moved.hunks, moved.old_line(7)) == ("plain.py", (), 7)


def test_a_renamed_file_counts_only_what_changed_in_it(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"src/a.py": TEN})
    repository.git("mv", "src/a.py", "b c.py")
    repository.commit({"b c.py": TEN.replace("line 3\n", "line three\nand more\n")})
    change = read_changes(tmp_path, base, step(tmp_path))["b c.py"]
    assert (change.old_path, sorted(change.changed_lines())) == ("src/a.py", [3, 4])
    assert (change.old_line(2), change.old_line(5)) == (2, 4)


def test_modes_links_and_submodules_hold_no_lines(tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit({"x.py": "x\n"})
    repository = Repository(tmp_path / "outer")
    repository.git("submodule", "--quiet", "add", inner.root.as_uri(), "vendor")
    (repository.root / "link.py").symlink_to("mode.py")
    (repository.root / "file_to_link.py").write_text(TEN)
    (repository.root / "link_to_file.py").symlink_to("mode.py")
    base = repository.commit({"mode.py": TEN})
    inner.commit({"x.py": "y\n"})
    repository.git("submodule", "--quiet", "update", "--remote")
    for name in ("link.py", "file_to_link.py", "link_to_file.py"):
        (repository.root / name).unlink()
    (repository.root / "link.py").symlink_to("elsewhere.py")
    (repository.root / "file_to_link.py").symlink_to("mode.py")
    (repository.root / "link_to_file.py").write_text("a\nb\n")
    (repository.root / "mode.py").chmod(0o755)
    repository.commit()
    found = read_changes(repository.root, base, step(repository.root))
    assert found == {
        "mode.py": FileChange("mode.py", "mode.py", ()),
        "link_to_file.py": FileChange("link_to_file.py", None, (Hunk(0, 0, 1, 2),)),
    }
    assert found["mode.py"].old_line(4) == 4


@pytest.mark.parametrize(
    "attributes",
    ["*.py -diff", "*.py binary", "*.py diff=hidden", "*.py filter=hidden", "*.py -text", "*.py diff=python"],
)
def test_attributes_of_the_pull_request_hide_nothing(attributes: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"a.py": TEN})
    for key in ("diff.hidden.textconv", "diff.hidden.command", "filter.hidden.clean", "filter.hidden.smudge"):
        repository.git("config", key, "true")  # prints nothing: the file would look empty
    repository.git("config", "diff.external", "true")
    repository.git("config", "filter.hidden.required", "true")
    text = TEN.replace("line 4", "line four")
    repository.write({".gitattributes": f"{attributes}\n", "a.py": text})
    blob = repository.git("hash-object", "-w", "--no-filters", "a.py")
    repository.git("update-index", "--cacheinfo", f"100644,{blob},a.py")
    repository.git("add", ".gitattributes")
    repository.git("commit", "-q", "-m", "as a contributor without the filter commits it")
    (tmp_path / "a.py").touch()
    found = read_changes(tmp_path, base, step(tmp_path))
    assert found["a.py"] == FileChange("a.py", "a.py", (Hunk(4, 1, 4, 1),))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.context", "5"),
        ("diff.interHunkContext", "9"),
        ("color.diff", "always"),
        ("color.ui", "always"),
        ("diff.renames", "false"),
        ("diff.algorithm", "patience"),
        ("diff.suppressBlankEmpty", "true"),
        ("diff.wsErrorHighlight", "all"),
        ("core.quotePath", "false"),
        ("diff.submodule", "log"),
        ("diff.orderFile", "order"),
        ("core.pager", "false"),
    ],
)
def test_somebodys_git_configuration_changes_nothing(key: str, value: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"ä b.py": TEN, "old.py": TEN + "more\n", "order": "*.py\n"})
    repository.git("mv", "old.py", "new.py")
    repository.commit({"ä b.py": TEN.replace("line 2\n", "2\n").replace("line 4\n", "4 \n\n")})
    plain = read_changes(tmp_path, base, step(tmp_path))
    repository.git("config", key, value)
    found = read_changes(tmp_path, base, step(tmp_path, GIT_DIFF_OPTS="--unified=3", GIT_EXTERNAL_DIFF="false"))
    assert found == plain
    assert found["ä b.py"].changed_lines() == {2, 4, 5}
    assert found["new.py"].old_path == "old.py"


def test_line_ends_and_a_missing_last_one(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"crlf.py": "a\r\nb\r\n", "to_crlf.py": "a\nb\n", "none.py": "a\nb", "ended.py": "a\nb", "cut.py": "a\nb\n"})  # fmt: skip
    repository.commit({"crlf.py": "a\r\nc\r\n", "to_crlf.py": "a\r\nb\r\n", "none.py": "a\nc", "ended.py": "a\nb\n", "cut.py": "a\nb"})  # fmt: skip
    found = read_changes(tmp_path, base, step(tmp_path))
    changed = {path: sorted(change.changed_lines()) for path, change in found.items()}
    assert changed == {"crlf.py": [2], "to_crlf.py": [1, 2], "none.py": [2], "ended.py": [2], "cut.py": [2]}


def test_text_that_looks_like_a_diff_is_text(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"a.py": "-- a/other.py\n++ b/other.py\nsame\n"})
    repository.commit(
        {
            "a.py": "diff --git a/b.py b/b.py\n++ b/c.py\n@@ -1 +1,9 @@\nsame\nrename to evil.py\ndeleted file mode 100644\n"
        }
    )
    found = read_changes(tmp_path, base, step(tmp_path))
    assert list(found) == ["a.py"]
    assert found["a.py"].changed_lines() == {1, 2, 3, 5, 6}
    assert found["a.py"].old_line(4) == 3


def test_a_project_in_a_folder_sees_its_own_files_only(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"libs/a.py": TEN, "libs/move.py": TEN * 2, "svc/b.py": "a\n", "svc/deep/c.py": "a\n"})
    repository.git("mv", "libs/move.py", "svc/move.py")
    repository.commit({"libs/a.py": "x\n", "svc/b.py": "b\n", "svc/deep/c.py": "b\n"})
    found = read_changes(tmp_path / "svc", base, step(tmp_path / "svc"))
    assert {path: change.old_path for path, change in found.items()} == {"b.py": "b.py", "deep/c.py": "deep/c.py", "move.py": None}  # fmt: skip


def test_what_is_not_committed_yet_counts_as_it_is_here(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"a.py": TEN, "b.py": TEN})
    repository.write({"a.py": TEN.replace("line 9", "nine"), "c.py": "x\n", "d.py": "x\n"})
    repository.git("add", "c.py")
    found = read_changes(tmp_path, base, step(tmp_path))
    assert {path: sorted(change.changed_lines()) for path, change in found.items()} == {"a.py": [9], "c.py": [1]}


def test_a_large_change_is_read_whole(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    every = range(1, 30_001)
    base = repository.commit({"a.py": "".join(f"value_{number} = {number}\n" for number in every)})
    repository.commit({"a.py": "".join(f"value_{number} = {-number if number % 2 else number}\n" for number in every)})
    change = read_changes(tmp_path, base, step(tmp_path))["a.py"]
    assert change.changed_lines() == frozenset(range(1, 30_001, 2))


def test_names_of_all_that_differs(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = repository.commit({"a/b.py": TEN, "a/same.py": TEN, "a/gone.py": TEN, "other.py": TEN, "a/é x.py": TEN})
    repository.commit({"a/gone.py": None, "a/b.py": "x", "other.py": "x", "a/new.py": TEN, "a/é x.py": ""})
    assert read_names(tmp_path / "a", base, step(tmp_path)) == ("b.py", "gone.py", "new.py", "é x.py")
    with pytest.raises(InfrastructureFailure, match="git diff ended"):
        read_names(tmp_path, "--output=/dev/null", step(tmp_path))


def test_an_unknown_commit_is_said(tmp_path: Path) -> None:
    Repository(tmp_path).commit({"a.py": TEN})
    with pytest.raises(InfrastructureFailure, match="git diff ended"):
        read_changes(tmp_path, "f" * 40, step(tmp_path))
    with pytest.raises(InfrastructureFailure, match="git diff ended"):
        read_changes(tmp_path, "--output=/dev/null", step(tmp_path))


texts = st.lists(st.sampled_from(["a", "b", "c", "", "d\r", "+x", "-y", "@@ -1 +1 @@", "\\ No newline"]), max_size=12)


@settings(max_examples=60)
@given(old=texts, new=texts, ends=st.tuples(st.booleans(), st.booleans()))
def test_what_git_calls_untouched_is_the_same_line(old: list[str], new: list[str], ends: tuple[bool, bool]) -> None:
    def text(lines: list[str], ended: bool) -> str:
        return "\n".join(lines) + ("\n" if ended and lines else "")

    before, after = text(old, ends[0]), text(new, ends[1])
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder))
        base = repository.commit({"a.py": before})
        repository.commit({"a.py": after})
        found = read_changes(repository.root, base, step(repository.root))
    change = found.get("a.py", FileChange("a.py", "a.py", ()))
    lines_before, lines_after = before.split("\n"), after.split("\n")
    changed = change.changed_lines()
    assert all(1 <= line <= len(lines_after) for line in changed)
    kept = [line for line in range(1, len(lines_after) + 1) if line not in changed]
    places = [change.old_line(line) for line in kept]
    assert places == sorted(set(map(int, filter(None, places))))
    if lines_after[-1] == lines_before[-1] == "":
        assert [lines_before[place - 1] for place in places if place] == [lines_after[line - 1] for line in kept]
