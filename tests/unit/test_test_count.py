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


TREE_CASES = {
    **{name: case for name, case in CASES.items() if name != "values that are a name"},
    "values that a name holds": ("V = [1, 2, 3]\n@pytest.mark.parametrize('a', V)\ndef test_a(a): pass\n", 3),
    "values that a name holds as a mapping": ("V: dict = {1: 2, 3: 4}\n@pytest.mark.parametrize('a', V.items())\ndef test_a(a): pass\n", 2),
    "a range": ("@pytest.mark.parametrize('a', range(1, 10, 2))\ndef test_a(a): pass\n", 5),
    "inherited tests": ("class Base:\n    def test_a(self): pass\n    def test_b(self): pass\nclass TestOne(Base):\n    def test_a(self): pass\nclass TestTwo(Base): pass\n", 4),
    "unittest under any name": ("import unittest\nclass Case(unittest.TestCase):\n    def test_a(self): pass\nclass Other(Case):\n    def test_b(self): pass\n", 3),
    "a class that makes itself": ("class TestA:\n    def __init__(self): pass\n    def test_a(self): pass\ndef test_b(): pass\n", 1),
    "a class inside of a class": ("class TestA:\n    class TestB:\n        def test_a(self): pass\n", 1),
    "a function inside of a function": ("def test_a():\n    def test_b(): pass\n", 1),
    "tests in a string": ("X = '''\ndef test_a(): pass\n'''\ndef test_b(): pass\n", 1),
    "tests under a condition": ("if True:\n    def test_a(): pass\ntry:\n    def test_b(): pass\nfinally:\n    pass\n", 2),
    "classes that inherit from each other": ("class TestA(TestB): pass\nclass TestB(TestA):\n    def test_a(self): pass\n", 2),
}  # fmt: skip


@pytest.mark.parametrize(("source", "tests"), TREE_CASES.values(), ids=TREE_CASES)
def test_counts_from_the_syntax_tree(source: str, tests: int, tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(source, encoding="utf-8")
    assert count_tests(path, from_tree=True) == tests


@pytest.mark.parametrize(
    "content", [b"\x00", b"(" * 10_000, b"x = " + b"-" * 100_000 + b"1", b"\xff\xfedef test_a(): pass"]
)
def test_what_has_no_syntax_tree_is_bounded_too(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_bytes(content + b"\ndef test_a(): pass\n")
    assert count_tests(path, from_tree=True) == 1
