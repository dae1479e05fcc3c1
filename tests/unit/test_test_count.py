"""The guess at a file's number of tests, against what pytest itself counts in the forms that people write."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.test_count import MOST_TESTS, count_tests

CASES = {
    "plain functions": ("def test_a(): pass\nasync def test_b(): pass\ndef helper(): pass\n", 2),
    "methods": ("class TestA:\n    def test_a(self): pass\n    def test_b(self): pass\n", 2),
    "one line of values": ("@pytest.mark.parametrize('a', [1, 2, 3])\ndef test_a(a): pass\n", 3),
    "tuples and a trailing comma": ("@pytest.mark.parametrize(\n  'a,b',\n  [\n    (1, [2, 3]),\n    (3, 4),\n  ],\n)\ndef test_a(a, b): pass\n", 2),
    "names as a tuple": ("@pytest.mark.parametrize(('a', 'b'), [(1, 2), (3, 4), (5, 6)])\ndef test_a(a, b): pass\n", 3),
    "keywords": ("@pytest.mark.parametrize(argnames='a', argvalues=[1, 2])\ndef test_a(a): pass\n", 2),
    "two lists multiply": ("@pytest.mark.parametrize('a', [1, 2])\n@mark.parametrize('b', (1, 2, 3))\ndef test_a(a, b): pass\n", 6),
    "a class with values": ("@pytest.mark.parametrize('a', [1, 2])\nclass TestA:\n    def test_a(self, a): pass\n    def test_b(self, a): pass\n\ndef test_c(): pass\n", 5),
    "brackets and commas in strings": ("@pytest.mark.parametrize('a', ['],[', \"(,\", '\\'['])  # [, 1\ndef test_a(a): pass\n", 3),
    "params with ids": ("@pytest.mark.parametrize('a', [pytest.param(1, id='x'), pytest.param(2, marks=[m])], ids=['a', 'b'])\ndef test_a(a): pass\n", 2),
    "values that are a name": ("@pytest.mark.parametrize('a', VALUES)\ndef test_a(a): pass\n", 1),
    "values in another decorator": ("@pytest.mark.skipif(True, reason='x')\n@pytest.mark.parametrize('a', [1, 2])\n@other\ndef test_a(a): pass\n", 2),
    "nothing": ("", 1),
    "a syntax error": ("def test_a(:\n  pass\ndef test_b(): pass\n", 2),
}  # fmt: skip


@pytest.mark.parametrize(("source", "tests"), CASES.values(), ids=CASES)
def test_counts(source: str, tests: int, tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(source, encoding="utf-8")
    assert count_tests(path) == tests


def test_a_file_that_is_no_python_counts_as_one(tmp_path: Path) -> None:
    path = tmp_path / "test_x.txt"
    path.write_text(">>> def test_a(): pass\n>>> def test_b(): pass\n", encoding="utf-8")
    assert count_tests(path) == 1


def test_a_missing_file_and_a_folder_count_as_one(tmp_path: Path) -> None:
    (tmp_path / "test_folder.py").mkdir()
    assert count_tests(tmp_path / "test_missing.py") == count_tests(tmp_path / "test_folder.py") == 1


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 10,
        b"@pytest.mark.parametrize('a', " + b"[" * 300_000,
        b"@pytest.mark.parametrize('a', " + b"[" * 300_000 + b"]" * 300_000,
        b"@pytest.mark.parametrize('a', [1, 2])\n" * 30_000 + b"def test_a(): pass\n",
        b"def test_a(): pass\n" * 300_000,
    ],
    ids=["binary", "unclosed brackets", "deep brackets", "a product of 2 to the 30,000", "5 MB"],
)
def test_a_hostile_file_is_bounded(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_bytes(content)
    assert 1 <= count_tests(path) <= MOST_TESTS
