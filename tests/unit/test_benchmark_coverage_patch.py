"""How the benchmark of changed lines explains a difference to diff-cover: only by what it has checked."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from ci_kit.changes import FileChange, Hunk

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SOURCE = """\
@one(
    1,
)
@two
def f(
    a,
):
    # a comment
    return [
        a,
    ]
match f(
    1,
):
    case [
        1,
    ]:
        x = 1
try:
    y = 1
except (
    OSError,
):
    pass
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        for name in ("common", "affected_history", "patch_history", "coverage_patch"):
            patch.delitem(sys.modules, name, raising=False)
        yield importlib.import_module("coverage_patch")


def test_what_goes_on_to_a_changed_line_is_known_from_the_syntax_tree(bench: ModuleType) -> None:
    goes_on = {
        (first, line)
        for first in range(1, 24)
        for line in range(1, 24)
        if bench.continues(SOURCE, first, frozenset({line}))
    }
    wanted = {1: (2, 3), 5: (6, 7), 9: (10, 11), 12: (13, 14), 15: (16, 17), 21: (22, 23)}
    assert goes_on == {(first, line) for first, lines in wanted.items() for line in lines}


def test_only_what_a_rule_holds_for_is_explained(bench: ModuleType) -> None:
    change = FileChange("a.py", "a.py", (Hunk(10, 1, 10, 1), Hunk(18, 1, 18, 1)))

    def reasons(ours: object, peer: object) -> list[tuple[int, str]]:
        found = bench.differences("a.py", ours, peer, change, SOURCE)
        return [(difference.line, difference.reason) for difference in found]

    def seen(*lines: int, missing: tuple[int, ...] = (), partial: tuple[int, ...] = ()) -> object:
        return bench.Seen(frozenset(lines), frozenset(missing), frozenset(partial))

    assert reasons(seen(18, missing=(18,), partial=(18,)), seen(18, missing=(18,), partial=(18,))) == []
    assert reasons(seen(9, 18), seen(18)) == [(9, bench.CONTINUED)]
    assert reasons(seen(18), seen(9, 18)) == [(9, bench.UNEXPLAINED)]
    assert reasons(seen(12, 18), seen(18)) == [(12, bench.UNEXPLAINED)]
    assert reasons(seen(18), seen(18, missing=(18,), partial=(18,))) == [(18, bench.UNEXPLAINED)]
    assert reasons(seen(18, partial=(18,)), seen(18)) == [(18, bench.UNEXPLAINED)]
    assert reasons(seen(), seen(18)) == [(18, bench.UNEXPLAINED)]


def test_every_change_is_in_one_figure(bench: ModuleType) -> None:
    explained, wrong = bench.Difference("a.py", 1, bench.CONTINUED), bench.Difference("a.py", 2, bench.UNEXPLAINED)
    cases = [(), (explained,), (explained, explained), (explained, wrong), ()]
    outcomes = [bench.Outcome("p", str(n), 1, 1, 1, found) for n, found in enumerate(cases)]
    assert bench.figures(outcomes) == {
        "changes": 5.0,
        "agree_with_diff_cover": 2.0,
        "explained_differences": 2.0,
        "unexplained_differences": 1.0,
    }
