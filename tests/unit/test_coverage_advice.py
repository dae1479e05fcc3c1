"""What to cover first: blocks of uncovered code, and the few that close a gate's gap."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from ci_kit.coverage_combine.advice import advise
from ci_kit.coverage_combine.blocks import Block, blocks
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.reports import read_analysis
from hypothesis import given
from hypothesis import strategies as st

SOURCE = """\
import os


class Basket:
    def total(self, items):
        if not items:
            return 0

        # What nobody buys costs nothing.
        result = 0
        for item in items:
            result += item
        return result

    def never(self, flag):
        def inner():
            return 3
        if flag:
            inner()
        elif os.environ.get("CI_KIT_NOT_SET"):
            return 1
        return 2


if os.environ.get("CI_KIT_NOT_SET"):
    ONE = 1

    TWO = 2
Basket().total([])
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[FileCoverage, ...], Any]:
    folder = tmp_path_factory.mktemp("advice")
    (folder / "shop.py").write_text(SOURCE, encoding="utf-8")
    for command in (["run", "--branch", "shop.py"], ["json", "-q"]):
        subprocess.run([sys.executable, "-m", "coverage", *command], cwd=folder, check=True, timeout=60)
    analysis = read_analysis(folder / "coverage.json")
    assert json.loads((folder / "coverage.json").read_text())["meta"]["branch_coverage"]
    return analysis.files, analysis.data


def test_a_block_is_what_one_way_through_a_function_would_run(measured: tuple[Any, Any]) -> None:
    files, data = measured
    assert blocks(files, data) == [
        # From the comment to the end, with the loop's two ways and the way in: one test takes the loop, one does not.
        Block("shop.py", "Basket.total", 10, 13, lines=4, branches=3, tests=2),
        Block("shop.py", "Basket.never", 16, 22, lines=6, branches=4, tests=3),
        Block("shop.py", "Basket.never.inner", 17, 17, lines=1, branches=0),
        Block("shop.py", "", 26, 28, lines=2, branches=1),
    ]


def test_every_missing_line_and_branch_is_in_exactly_one_block(measured: tuple[Any, Any]) -> None:
    files, data = measured
    found = blocks(files, data)
    assert sum(block.lines for block in found) == len(files[0].missing_lines)
    assert sum(block.branches for block in found) == len(files[0].missing_branches)


def test_only_what_is_asked_for_counts(measured: tuple[Any, Any]) -> None:
    _, data = measured
    asked = FileCoverage("shop.py", Counts(0, 3, 0, 1), missing_lines=(11, 13, 28), missing_branches=((6, 10),))
    assert blocks([asked], data) == [
        Block("shop.py", "Basket.total", 11, 13, lines=2, branches=1),
        Block("shop.py", "", 28, 28, lines=1, branches=0),
    ]


def test_a_branch_that_was_never_taken_is_a_block_of_its_own() -> None:
    part = {"executed_lines": [1, 2, 3], "missing_lines": [], "start_line": 1}
    data = {"files": {"a.py": {**part, "functions": {"f": part, "": {"executed_lines": [], "missing_lines": []}}}}}
    missing = FileCoverage("a.py", Counts(3, 3, 0, 2), missing_branches=((2, 3), (3, -1)))
    assert blocks([missing], data) == [
        Block("a.py", "f", 2, 2, lines=0, branches=1, to=3),
        Block("a.py", "f", 3, 3, lines=0, branches=1, to=-1),
    ]


def test_a_way_to_statements_that_are_not_asked_for_counts_alone() -> None:
    part = {"executed_lines": [1], "missing_lines": [2, 3], "start_line": 1}
    data = {"files": {"a.py": part}}  # a report without functions
    changed = FileCoverage("a.py", Counts(1, 1, 0, 1), missing_branches=((1, 2),))
    assert blocks([changed], data) == [Block("a.py", "", 1, 1, lines=0, branches=1, to=2)]


def block(lines: int, tests: int = 1, first: int = 1) -> Block:
    return Block("a.py", "f", first, first + lines, lines, 0, tests)


def test_most_gain_a_test_comes_first() -> None:
    small, large, forked = block(3, first=1), block(10, first=20), block(20, tests=8, first=50)
    assert advise("total", 1, [small, forked, large]).blocks == (large,)
    assert advise("total", 11, [small, forked, large]).blocks == (large, small)
    advice = advise("total", 30, [small, forked, large])
    assert (advice.blocks, advice.gain, advice.tests) == ((large, forked), 30, 9)


def test_what_cannot_close_the_gap_is_all_there_is() -> None:
    advice = advise("total", 30, [block(3)])
    assert (advice.gain, advice.gap) == (3, 30)
    assert advise("total", 0, [block(3)]).blocks == ()


@given(
    st.integers(0, 60),
    st.lists(st.builds(block, st.integers(1, 20), st.integers(1, 5), st.integers(1, 900)), max_size=12),
)
def test_advice_closes_the_gap_where_that_can_be_and_no_block_of_it_is_needless(gap: int, found: list[Block]) -> None:
    advice = advise("total", gap, found)
    assert advice.gain >= min(gap, sum(each.gain for each in found))
    if advice.gain > gap:
        assert all(advice.gain - each.gain < gap for each in advice.blocks)
