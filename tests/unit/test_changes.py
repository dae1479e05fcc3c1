"""Hunks and what they say of every line; the real git is asked in tests/integration/test_changes.py."""

from __future__ import annotations

import difflib

import pytest
from ci_kit import changes
from ci_kit.changes import FileChange, Hunk, parse
from ci_kit.errors import CallerMistake, InfrastructureFailure
from hypothesis import given
from hypothesis import strategies as st

ONE = b"""\
diff --git a/a.py b/a.py
index 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 100644
--- a/a.py
+++ b/a.py
@@ -3 +3,2 @@ def f():
-old
+new
+more
@@ -9,2 +10,0 @@
-gone
-gone
\\ No newline at end of file
"""


def hunks(old: list[str], new: list[str]) -> tuple[Hunk, ...]:
    """As `diff -U0` writes them."""
    return tuple(
        Hunk(a + (a != b), b - a, c + (c != d), d - c)
        for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag != "equal"
    )


texts = st.lists(st.sampled_from("abcde"), max_size=30)


@given(old=texts, new=texts)
def test_every_line_is_changed_or_has_its_place_before(old: list[str], new: list[str]) -> None:
    change = FileChange("a", "a", hunks(old, new))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    same = {j + k + 1: i + k + 1 for i, j, size in matcher.get_matching_blocks() for k in range(size)}
    every = range(1, len(new) + 1)
    assert {line: change.old_line(line) for line in every} == {line: same.get(line) for line in every}
    assert change.changed_lines() == set(every) - same.keys()
    assert change.old_line(len(new) + 5) == len(old) + 5


def test_a_diff_is_read() -> None:
    renamed = b'diff --git a/old b/new\nsimilarity index 90%\nrename from old name\nrename to "\\303\\244\\t.py"\n'
    (first, second) = parse((ONE + renamed).splitlines(keepends=True))
    assert first == FileChange("a.py", "a.py", (Hunk(3, 1, 3, 2), Hunk(9, 2, 10, 0)))
    assert [first.old_line(line) for line in (2, 3, 4, 5, 10, 11)] == [2, None, None, 4, 9, 12]
    assert second == FileChange("ä\t.py", "old name", ())
    assert list(parse([])) == []
    assert list(parse([b"warning: something\n"])) == []


def test_what_git_never_writes_is_refused() -> None:
    with pytest.raises(InfrastructureFailure, match="not known"):
        list(parse([b"diff --git a/one b/two\n"]))


def test_the_number_of_places_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_HUNKS", 3)
    assert len(list(parse(ONE.splitlines(keepends=True)))) == 1
    with pytest.raises(CallerMistake, match="more than 3 separate places"):
        list(parse((ONE * 2).splitlines(keepends=True)))
