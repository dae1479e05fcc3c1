from __future__ import annotations

import pytest
from ci_kit.config import Component, Coverage
from ci_kit.coverage_combine.gates import judge
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.patch import Patch
from ci_kit.errors import CallerMistake
from ci_kit.patterns import matches

FILES = [
    FileCoverage("src/core/a.py", Counts(95, 100, 0, 0)),
    FileCoverage("src/core/deep/b.py", Counts(40, 50, 10, 10)),
    FileCoverage("src/web/c.py", Counts(1, 10, 0, 0)),
    FileCoverage("src/web/__init__.py", Counts()),
]


def test_the_total_counts_every_file() -> None:
    judged = judge(FILES, Coverage(), 85, None)
    assert judged.total.counts == Counts(136, 160, 10, 10)
    assert judged.failed == ()
    assert judge(FILES, Coverage(), 86, None).failed == (judge(FILES, Coverage(), 86, None).total,)


def test_a_component_is_judged_by_its_own_files() -> None:
    settings = Coverage(components=(Component("core", ("src/core/**",), 95), Component("web", ("src/web",), 10)))
    total, core, web = judge(FILES, settings, 0, None).gates
    assert total.passed
    assert (core.counts.covered, core.counts.counted, core.passed, core.short_by) == (145, 160, False, 7)
    assert web.passed
    assert web.short_by == 0


def test_a_file_in_two_patterns_counts_once() -> None:
    settings = Coverage(components=(Component("core", ("src/core/**", "src/core/a.py"), 95),))
    assert judge(FILES, settings, 0, None).gates[1].counts.counted == 160


@pytest.mark.parametrize("patterns", [("src/cor/**",), ("src/core/**", "lib/**")])
def test_every_pattern_must_mean_something(patterns: tuple[str, ...]) -> None:
    with pytest.raises(CallerMistake, match="matches no measured file") as caught:
        judge(FILES, Coverage(components=(Component("core", patterns, 95),)), 0, ".github/ci-kit.yml")
    assert caught.value.file == ".github/ci-kit.yml"
    assert "src/core/a.py" in caught.value.next_step


def test_a_component_without_lines_would_pass_unseen() -> None:
    with pytest.raises(CallerMistake, match="nothing to cover"):
        judge(FILES, Coverage(components=(Component("web", ("**/__init__.py",), 95),)), 0, None)


def test_the_floor_holds_for_every_file_with_lines() -> None:
    judged = judge(FILES, Coverage(file_floor=50), 0, None)
    assert [(gate.name, gate.passed) for gate in judged.gates if gate.kind == "file"] == [
        ("src/core/a.py", True),
        ("src/core/deep/b.py", True),
        ("src/web/c.py", False),
    ]


def test_what_is_not_judged_is_listed() -> None:
    assert judge(FILES, Coverage(), 0, None).not_judged == ()
    listed = judge(FILES, Coverage(patch=90, regression="forbid"), 0, None).not_judged
    assert listed == ("patch: 90 % of changed lines",)
    why = "no earlier run has left a record."
    listed = judge(FILES, Coverage(regression="forbid"), 0, None, no_regression=why).not_judged
    assert listed == ("regression: forbid (no earlier run has left a record)",)
    assert judge(FILES, Coverage(), 0, None, no_regression=why).not_judged == ()


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("src/core/**", "src/core/a.py", True),
        ("src/core/**", "src/core/deep/b.py", True),
        ("src/core/**", "src/core.py", False),
        ("src/core", "src/core/deep/b.py", True),
        ("src/core/", "src/core/a.py", True),
        ("./src/core", "src/core/a.py", True),
        ("src/core", "src/core2/a.py", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/core/a.py", False),
        ("**/b.py", "b.py", True),
        ("**/b.py", "src/core/deep/b.py", True),
        ("src/**/b.py", "src/b.py", True),
        ("src/**/b.py", "src/b_py", False),
        ("src/?.py", "src/a.py", True),
        ("src/[ab].py", "src/b.py", True),
        ("src/[!ab].py", "src/b.py", False),
        ("src/a+b (1).py", "src/a+b (1).py", True),
        ("src/[", "src/[", True),
        ("*.py", "a.py\n", False),
    ],
)
def test_patterns(pattern: str, path: str, meant: bool) -> None:
    assert matches(pattern, path) is meant


def test_changed_lines_are_judged_on_their_own_counts() -> None:
    changed = Patch((FileCoverage("src/core/a.py", Counts(8, 9, 1, 2), (7,), ((7, 8),)),), Counts(8, 9, 1, 2))
    judged = judge(FILES, Coverage(patch=90), 0, None, changed)
    gate = judged.gates[-1]
    assert (gate.kind, gate.threshold, gate.counts, gate.passed, gate.short_by) == (
        "patch",
        90,
        changed.counts,
        False,
        1,
    )
    assert judged.not_judged == ()
    assert judge(FILES, Coverage(patch=81.8), 0, None, changed).failed == ()
    assert judge(FILES, Coverage(patch=81.9), 0, None, changed).failed != ()


def test_a_change_without_anything_that_counts_passes() -> None:
    gate = judge(FILES, Coverage(patch=100), 0, None, Patch((), Counts())).gates[-1]
    assert (gate.kind, gate.passed, str(gate.counts)) == ("patch", True, "nothing to cover")


def test_changed_lines_without_a_threshold_are_no_gate_and_without_a_base_said() -> None:
    assert [gate.kind for gate in judge(FILES, Coverage(), 0, None, Patch((), Counts())).gates] == ["total"]
    judged = judge(FILES, Coverage(patch=90), 0, None, None, "this run was started by 'push'.")
    assert judged.not_judged == ("patch: 90 % of changed lines (this run was started by 'push')",)
