"""How many tests a file is taken for: what is recorded of it, and what it has under new names."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit import discovery
from ci_kit.discovery import find_test_files
from ci_kit.pytest_config import PytestConfig

SOURCE = """
import pytest
CASES = [1, 2, 3, 4]
class Base:
    def test_base(self): pass
class TestOne(Base):
    @pytest.mark.parametrize("n", CASES)
    def test_case(self, n): pass
@pytest.mark.parametrize("n", [1, 2])
def test_two(n): pass
"""


def counted(root: Path, recorded: dict[str, list[str]]) -> int:
    (root / "test_a.py").write_text(SOURCE, encoding="utf-8")
    [file] = find_test_files(root, PytestConfig(), recorded=recorded)
    return file.tests


@pytest.mark.parametrize(
    ("recorded", "count"),
    [
        (None, 7),
        (["test_a.py::TestOne::test_base", "test_a.py::TestOne::test_case[9::x]", "test_a.py::test_two[1]"], 3),
        (["test_a.py::TestOne::test_base", "test_a.py::TestOne::test_case[1]"], 4),
        (["test_a.py::test_gone"], 5),  # as a regular expression counts: one in the base class, one case, two cases
    ],
)
def test_the_record_counts_and_new_names(recorded: list[str] | None, count: int, tmp_path: Path) -> None:
    assert counted(tmp_path, {} if recorded is None else {"test_a.py": recorded}) == count


def test_a_large_tree_is_read_with_regular_expressions_and_known_files_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MOST_BYTES_OF_TREES", 10)
    assert counted(tmp_path, {}) == 4
    monkeypatch.setattr(discovery, "MOST_LOOKED_AT", 0)
    assert counted(tmp_path, {"test_a.py": ["test_a.py::test_gone"]}) == 1
