from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.quarantine import DEFAULT, Quarantine, read_quarantine

TODAY = date(2026, 5, 1)
ENTRY = "- {id: %s, owner: me, reason: slow network, expires: 2026-05-01}\n"


def read(folder: Path, text: str, name: str = "q.yml") -> Quarantine:
    (folder / "q.yml").write_text(text, encoding="utf-8")
    return read_quarantine(folder, name, TODAY)


def test_an_entry_holds_through_its_last_day(tmp_path: Path) -> None:
    found = read(tmp_path, ENTRY % "t.py::a" + (ENTRY % "t.py::b").replace("05-01", "04-30"))
    assert ([entry.id for entry in found.entries], [entry.id for entry in found.expired]) == (["t.py::a"], ["t.py::b"])
    assert [entry.line for entry in (*found.entries, *found.expired)] == [1, 2]
    assert found.matches_held(["t.py::a", "t.py::b"]) == [("t.py::a",)]


def test_patterns(tmp_path: Path) -> None:
    found = read(tmp_path, ENTRY % '"t.py::a[*]"' + ENTRY % '"t.py::b[1]"' + ENTRY % '"u/*::test_?"')
    tests = ["t.py::a[x]", "t.py::a", "t.py::b[1]", "t.py::b1", "u/v/w.py::test_1", "u/v/w.py::test_12"]
    matched = {entry.id: names for entry, names in found.matches(tests).items()}
    assert matched == {
        "t.py::a[*]": ("t.py::a[x]",),
        "t.py::b[1]": ("t.py::b[1]",),
        "u/*::test_?": ("u/v/w.py::test_1",),
    }


def test_an_entry_without_a_test_is_counted(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ENTRY % "gone.py::a").entries
    assert read(tmp_path, ENTRY % "gone.py::a").matches(["t.py::a"]) == {entry: ()}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\n", 1, "list"),
        ("\n- {id: a, owner: b, reason: c}\n", 2, "expires"),
        (ENTRY % "a" + (ENTRY % "b").replace("2026-05-01", "2026-02-30"), 2, "no day of the calendar"),
        ((ENTRY % "a").replace("2026-05-01", "tomorrow"), 1, "day"),
        ((ENTRY % "a").replace("2026-05-01", "2027-06-01"), 1, "more than a year away"),
        (ENTRY % "a" + ENTRY % "a", 2, "stands twice"),
        ((ENTRY % "a").replace("owner: me", "owner: ''"), 1, "owner"),
        ((ENTRY % "a").replace("owner", "ovner"), 1, "owner"),
        ("- {id: [\n", 2, "YAML"),
    ],
)
def test_malformed(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        read(tmp_path, text)
    assert caught.value.file == "q.yml"
    assert caught.value.line == line
    assert said in str(caught.value)


def test_absent_and_empty(tmp_path: Path) -> None:
    assert read_quarantine(tmp_path, DEFAULT, TODAY) == Quarantine()
    assert read(tmp_path, "# nothing\n").entries == ()
    with pytest.raises(CallerMistake, match="there is no file"):
        read_quarantine(tmp_path, "other.yml", TODAY)


@pytest.mark.parametrize("name", ["../q.yml", "/etc/passwd", "link.yml"])
def test_nothing_outside_the_repository_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "q.yml").write_text(ENTRY % "a")
    (tmp_path / "w" / "link.yml").symlink_to(tmp_path / "q.yml")
    with pytest.raises(CallerMistake, match="outside the repository"):
        read_quarantine(tmp_path / "w", name, TODAY)
