"""The coverage summary and annotations, from results made by hand: what a person reads in each case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.base import Base
from ci_kit.coverage_combine.advice import Advice
from ci_kit.coverage_combine.blocks import Block
from ci_kit.coverage_combine.changed import Changed
from ci_kit.coverage_combine.compared import Compared
from ci_kit.coverage_combine.contributions import Contribution
from ci_kit.coverage_combine.delivery import Announced, Delivery, Manifest
from ci_kit.coverage_combine.gates import Gate, Judgement
from ci_kit.coverage_combine.judged import Judged
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.page import markdown
from ci_kit.coverage_combine.patch import Patch
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.regression import FileLoss, Regression
from ci_kit.coverage_combine.reports import Written
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.say import noted
from ci_kit.coverage_combine.untouched import Shift, Untouched
from ci_kit.coverage_combine.wording import counted, many, margin, places
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.trend import Point

NOTHING = Announced("sources", "0" * 64, 0)
LEG = Leg("unit", "3.12", Shard(1, 1))
FILE = FileCoverage("src/a.py", Counts(80, 100, 10, 20), tuple(range(1, 21)), ((50, 60), (70, -1)))
TOTAL = Gate("total", "total", 70, FILE.counts)


def judged(*gates: Gate, not_judged: tuple[str, ...] = (), **other: object) -> Judged:
    plain = Judged(Judgement((TOTAL, *gates), not_judged), None, None, forbidden=False, uncovered_changes=(), advice=())
    return replace(plain, **other)  # type: ignore[arg-type]


def page(found: Judged, *files: FileCoverage) -> str:
    return markdown(result(found, *files))


def result(found: Judged, *files: FileCoverage) -> Result:
    manifest = Manifest("/w", "a" * 40, branch=True, coverage_version="7.17", source=(), files=(), sources=NOTHING)
    proven = Proven(Delivery(LEG, 1, Path(), manifest), (), frozenset(), 0)
    return Result(
        name="ci",
        commit="a" * 40,
        files=files or (FILE,),
        judged=found,
        threshold_from="the default",
        proven=(proven,),
        contributions=(Contribution(LEG, 1, 80, 80),),
        empty=(),
        written=Written(Path("j"), Path("x"), Path("l"), Path("m"), None),
        notes=(),
        python="3.12",
        coverage="7.17",
        seconds=1.0,
        badge=Path("badge.svg"),
    )


def changed(*files: FileCoverage) -> Changed:
    counts = sum((file.counts for file in files), Counts())
    return Changed(Base("b" * 40, "the target branch"), {}, Patch(files, counts))


def step(*, passed: bool, short_by: int = 0, tolerance: int = 0) -> Regression:
    return Regression(
        passed=passed,
        short_by=short_by,
        commit="c" * 40,
        distance=1,
        before=Counts(90, 100, 10, 20),
        now=FILE.counts,
        tolerance=tolerance,
        lost=(FileLoss("src/a.py", 10, None, FILE.counts),),
        sentences=("Coverage was 83.33 % and is 75.00 %.",),
    )


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [
        (1, "lines", "1 line"),
        (2, "lines", "2 lines"),
        (1, "lines and branches", "1 line or branch"),
        (1, "changed lines and branches", "1 changed line or branch"),
        (0, "lines and branches", "0 lines and branches"),
    ],
)
def test_one_and_many(number: int, unit: str, said: str) -> None:
    assert many(number, unit) == said


def test_counts_in_words() -> None:
    assert [counted(*pair) for pair in ((1, 0), (2, 1), (0, 2), (0, 0))] == [
        "1 line",
        "2 lines and 1 branch",
        "2 branches",
        "nothing",
    ]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (TOTAL, "6 lines and branches above 70 %"),
        (replace(TOTAL, threshold=75), "just at 75 %"),
        (replace(TOTAL, threshold=75.5), "1 line or branch short of 75.5 %"),
        (Gate("patch", "changed lines", 90, Counts()), "nothing to cover"),
    ],
)
def test_every_gate_says_how_far_off_it_is(gate: Gate, said: str) -> None:
    assert margin(gate, "lines and branches") == said


def test_places_are_bounded_and_name_a_branch_once() -> None:
    assert places((1, 2, 3, 7), [(3, 9), (12, 15), (20, -1)]) == "1-3, 7, 12→15, 20→exit"
    assert places(range(1, 60, 2), ()).endswith(", 23 and 18 more")


def test_a_green_page_leads_with_the_number() -> None:
    text = page(judged())
    assert text.startswith(
        "## ✅ Coverage 75.00 %: passed\n\n"
        "75.00 % of the lines and branches of 1 file are covered (90 of 120, from 1 test leg): "
        "6 lines and branches above 70 % (the default)."
    )
    assert "### " not in text
    assert "| unit · Python 3.12 · 1/1 | 1 | 0 | 1 | 80 | 80 |" in text


def test_failed_gates_are_counted_files_under_the_floor_as_one() -> None:
    floors = [Gate("file", f"src/{name}.py", 90, Counts(1, 2)) for name in "abc"]
    text = page(judged(Gate("component", "core", 95, Counts(1, 2)), *floors))
    assert text.startswith("## ❌ Coverage 75.00 %: 2 gates say no\n")
    assert "| every file | | 90 % | 3 of 3 files below | ❌ failed |" in text
    assert page(judged(*floors)).startswith("## ❌ Coverage 75.00 %: a gate says no\n")


def test_advice_names_each_place_once_and_the_gates_it_is_for() -> None:
    shared = Block("src/a.py", "f", 3, 9, lines=4, branches=2, tests=2)
    way = Block("src/a.py", "", 50, 50, lines=0, branches=1, to=60)
    text = page(judged(advice=(Advice("total", 6, (shared,)), Advice("component core", 9, (shared, way)))))
    assert "- total: 6 lines and branches short, which about 2 tests would close.\n" in text
    assert "- component core: 9 lines and branches short, and all that is uncovered there is 7.\n" in text
    assert text.count("`src/a.py:3-9`") == 1
    assert "| `src/a.py:3-9` | `f` | 4 lines and 2 branches | 2 | total, component core |" in text
    assert "| `src/a.py:50→60` | outside of functions | 1 branch | 1 | component core |" in text
    assert "An arrow is a branch that was never taken" in text


def test_a_change_that_counts_nothing_is_said() -> None:
    text = page(judged(changed=changed()))
    assert "The change touches no line that counts. Counted from the target branch." in text


def test_wholly_covered_changes_need_no_table() -> None:
    text = page(judged(changed=changed(FileCoverage("src/a.py", Counts(3, 3)))))
    assert (
        "3 of 3 changed lines and branches are covered (100.00 %), in 1 file. Counted from the target branch." in text
    )
    assert "uncovered |" not in text.partition("<details>")[0]


def test_changed_files_come_with_most_uncovered_first() -> None:
    files = [FileCoverage(f"src/{n}.py", Counts(0, n), tuple(range(1, n + 1))) for n in range(1, 18)]
    text = page(judged(changed=changed(*files, FileCoverage("src/whole.py", Counts(1, 1)))))
    rows = [line for line in text.partition("<details>")[0].splitlines() if line.startswith("| `src/")]
    assert len(rows) == 15
    assert rows[0] == "| `src/17.py` | 0 of 17 | 1-17 |"
    assert "Beside these: 2 files more in the report, 1 file wholly covered." in text


@pytest.mark.parametrize("forbidden", [True, False])
def test_a_step_back_is_a_gate_only_where_it_is_forbidden(forbidden: bool) -> None:
    compared = Compared(step(passed=False, short_by=10), Untouched((), ()), ())
    found = result(judged(compared=compared, forbidden=forbidden))
    text = markdown(found)
    row = f"| no regression | 75.00 % | 83.33 % | 10 lines and branches short: 10 more uncovered than at {'c' * 12} | ❌ failed |"
    assert (row in text) is forbidden
    assert found.as_json()["verdict"] == ("failed" if forbidden else "passed")
    assert [note.level for note in noted(found)] == (["error"] if forbidden else [])
    assert "Coverage was 83.33 % and is 75.00 %." in text
    assert "In lines that were not touched since then, coverage is the same." in text


def test_what_changed_elsewhere_is_listed_both_ways() -> None:
    shifts = (
        Shift("src/b.py", lost_lines=(3, 4), lost_branches=((9, -1),)),
        Shift("src/c.py", gained_lines=(1,)),
    )
    text = page(judged(compared=Compared(step(passed=True), Untouched(shifts, ("src/d.py",)), ())))
    assert "No longer covered: 2 lines and 1 branch. Covered now: 1 line." in text
    assert "| `src/b.py` | 3-4, 9→exit | - |" in text
    assert "Of 1 file whose text is the same other lines count than then" in text


def test_the_trend_is_one_line_and_a_chart() -> None:
    points = tuple(Point(f"{n:040x}", 7000 + 100 * n) for n in range(4))
    text = page(judged(compared=Compared(None, None, points, "no record")))
    assert "The last 4 commits with this one, 70.00 % to 73.00 %: ▁▃▅█" in text
    assert "xychart-beta" in text
    assert "Since the last recorded commit" not in text


def test_uncovered_changes_are_warnings_with_their_range() -> None:
    found = judged(
        uncovered_changes=(
            Block("src/a.py", "f", 3, 9, lines=4, branches=2),
            Block("src/a.py", "f", 12, 12, lines=0, branches=1, to=15),
            Block("src/a.py", "", 14, 14, lines=0, branches=1, to=-1),
        )
    )
    assert [(note.level, note.line, note.end_line, note.message) for note in noted(result(found))] == [
        ("warning", 3, 9, "No test runs these changed lines of f: 4 lines and 2 branches."),
        ("warning", 12, None, "1 branch of a changed line of f: no test goes on to line 15."),
        ("warning", 14, None, "1 branch of a changed line: no test leaves the function from here."),
    ]
