"""No regression: the rule in whole numbers, its laws, and what is held against what."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest
from ci_kit.coverage_combine.ancestor import Ancestor
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.regression import Comparable, Regression, comparable, judge_regression
from ci_kit.history_coverage import CoverageRecord, FileRecord, leg_name
from hypothesis import assume, given
from hypothesis import strategies as st

UNIT, SLOW = leg_name("unit", "3.12"), leg_name("slow", "3.12")


def file_record(covered: int, counted: int) -> FileRecord:
    """Lines only; the last ones are uncovered."""
    return FileRecord(counted, 0, ((covered + 1, counted),) if covered < counted else ())


def ancestor(files: Mapping[str, tuple[int, int]], **more: str) -> Ancestor:
    records = {path: file_record(*counts) for path, counts in files.items()}
    return Ancestor(CoverageRecord("a" * 40, "", records, **more), 4, "compared with aaaaaaaaaaaa, 4 commits back.")  # type: ignore[arg-type]


def today(files: Mapping[str, tuple[int, int]]) -> list[FileCoverage]:
    return [FileCoverage(path, Counts(covered, counted)) for path, (covered, counted) in files.items()]


def judged(before: tuple[int, int], now: tuple[int, int], tolerance: int = 0) -> Regression:
    return judge_regression(ancestor({"a.py": before}), today({"a.py": now}), tolerance)


@pytest.mark.parametrize(
    ("before", "now", "tolerance", "short_by"),
    [
        ((90, 100), (90, 100), 0, 0),
        ((90, 100), (89, 100), 0, 1),
        ((90, 100), (89, 100), 1, 0),
        ((90, 100), (87, 100), 1, 2),
        ((90, 100), (40, 50), 0, 0),  # covered code was taken out: 80 %, but ten are uncovered as before
        ((90, 100), (39, 50), 0, 1),
        ((90, 100), (180, 200), 0, 0),  # more uncovered, but the same share
        ((90, 100), (179, 200), 0, 1),
        ((100, 100), (199, 200), 0, 1),
        ((10**12, 10**12 + 1), (10**12 - 1, 10**12), 0, 0),  # one is uncovered, as before
        ((2 * 10**12, 3 * 10**12), (2 * 10**12 - 1, 3 * 10**12), 0, 1),  # percent are equal to eleven places
        ((0, 0), (0, 10), 0, 0),  # nothing counted then
        ((0, 10), (0, 20), 0, 0),  # nothing was covered, so nothing can be lost
        ((5, 10), (0, 0), 0, 0),
    ],
)
def test_the_rule(before: tuple[int, int], now: tuple[int, int], tolerance: int, short_by: int) -> None:
    found = judged(before, now, tolerance)
    assert (found.short_by, found.passed) == (short_by, short_by == 0)


COUNTS = st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda pair: (pair[0], sum(pair)))
TOLERANCE = st.integers(0, 20)


@given(COUNTS, COUNTS, TOLERANCE)
def test_it_fails_exactly_when_the_share_fell_and_more_is_uncovered(
    before: tuple[int, int], now: tuple[int, int], tolerance: int
) -> None:
    assume(before[1])
    fell = now[1] > 0 and Fraction(*now) < Fraction(*before)
    more = (now[1] - now[0]) - (before[1] - before[0])
    assert judged(before, now, tolerance).passed is not (fell and more > tolerance)


@given(COUNTS, COUNTS, TOLERANCE)
def test_short_by_is_the_fewest_that_must_be_covered(
    before: tuple[int, int], now: tuple[int, int], tolerance: int
) -> None:
    short_by = judged(before, now, tolerance).short_by
    assert short_by <= now[1] - now[0]
    assert judged(before, (now[0] + short_by, now[1]), tolerance).passed
    if short_by:
        assert not judged(before, (now[0] + short_by - 1, now[1]), tolerance).passed


@given(COUNTS, st.integers(0, 1000), TOLERANCE)
def test_taking_covered_code_out_is_never_a_regression(before: tuple[int, int], taken: int, tolerance: int) -> None:
    taken = min(taken, before[0])
    assert judged(before, (before[0] - taken, before[1] - taken), tolerance).passed


@given(COUNTS, COUNTS, st.integers(0, 1000), TOLERANCE)
def test_covering_more_never_turns_it_red(
    before: tuple[int, int], now: tuple[int, int], more: int, tolerance: int
) -> None:
    assume(judged(before, now, tolerance).passed)
    assert judged(before, (min(now[0] + more, now[1]), now[1]), tolerance).passed
    assert judged(before, (now[0] + more, now[1] + more), tolerance).passed


@given(COUNTS, st.integers(0, 50), st.integers(0, 50), TOLERANCE)
def test_more_tolerance_never_turns_it_red(before: tuple[int, int], lost: int, added: int, tolerance: int) -> None:
    now = (max(0, before[0] - lost), before[1] + added)
    assert judged(before, now, tolerance + 1).short_by <= judged(before, now, tolerance).short_by


def test_the_words() -> None:
    said = judged((90, 100), (88, 101), 1).sentences
    assert said == (
        "Coverage was 90.00 % and is 87.12 %, compared with aaaaaaaaaaaa, 4 commits back.",
        "13 lines and branches are uncovered, 3 more than then (1 allowed).",
        "Cover 2 more to be no worse.",
    )
    assert judged((90, 100), (40, 50)).sentences[1:] == (
        "10 lines and branches are uncovered, as many as then.",
        "That the share is lower is no regression: it is because covered code was taken out.",
    )
    assert judged((90, 100), (89, 100), 1).sentences[-1] == (
        "That the share is lower is no regression: it is within what is allowed."
    )
    assert judged((90, 100), (91, 100)).sentences[1:] == ("9 lines and branches are uncovered, 1 fewer than then.",)


def test_another_python_or_coverage_is_said() -> None:
    then = ancestor({"a.py": (9, 10)}, python="3.12", coverage="7.9.0")
    same = judge_regression(then, today({"a.py": (9, 10)}), 0, analysed=("3.12", "7.9.0"))
    other = judge_regression(then, today({"a.py": (9, 10)}), 0, analysed=("3.13", "7.9.0"))
    assert other.sentences[len(same.sentences) :] == (
        "Python 3.12 counted then and 3.13 does now, so a few lines may differ by that alone.",
    )


def test_the_files_that_lost_most_come_first_whatever_they_are_called_now() -> None:
    then = ancestor({"a.py": (10, 10), "b.py": (5, 10), "old.py": (7, 10), "gone.py": (0, 10)})
    now = today({"a.py": (9, 10), "b.py": (6, 10), "new.py": (4, 10), "added.py": (0, 2)})
    found = judge_regression(then, now, 0, renamed={"new.py": "old.py"})
    assert [(loss.path, loss.more, loss.before) for loss in found.lost] == [
        ("new.py", 3, Counts(7, 10)),
        ("added.py", 2, None),
        ("a.py", 1, Counts(10, 10)),
    ]
    assert found.commit == "a" * 40
    assert found.distance == 4


def test_branches_count_like_lines() -> None:
    then = Ancestor(CoverageRecord("a" * 40, "", {"a.py": FileRecord(10, 4, (), ((2, 3),))}, branch=True), 1, "so.")
    found = judge_regression(then, [FileCoverage("a.py", Counts(10, 10, 2, 4))], 0)
    assert (found.before, found.short_by) == (Counts(10, 10, 3, 4), 1)


def record(*legs: str, branch: bool = False, of: str = "a") -> CoverageRecord:
    return CoverageRecord(of * 40, "", {}, frozenset(legs), branch=branch)


def test_what_rests_on_tests_that_did_not_run_here_is_not_compared() -> None:
    narrow, wide = record(UNIT), record(UNIT, SLOW, of="b")
    assert comparable([narrow, wide], [UNIT, SLOW], branch=False) == Comparable((narrow, wide), None)
    assert comparable([narrow, wide], [UNIT], branch=False) == Comparable(
        (narrow,),
        "1 earlier commit left out: it rests on slow · Python 3.12 too, which did not run here. To compare, let `depth` "
        "give this kind of event the tiers and Pythons of pull requests.",
    )


@pytest.mark.parametrize("turn", [1, -1])
def test_of_the_records_of_a_commit_the_widest_that_fits_is_compared(turn: int) -> None:
    """The default branch leaves one of all its tests and one of those that a pull request runs."""
    both = [record(UNIT), record(UNIT, SLOW)][::turn]
    assert comparable(both, [UNIT], branch=False) == Comparable((record(UNIT),), None)
    assert comparable(both, [UNIT, SLOW], branch=False) == Comparable((record(UNIT, SLOW),), None)


def test_branches_are_not_compared_with_lines_alone() -> None:
    found = comparable([record(UNIT), record(UNIT, branch=True, of="b"), record(UNIT, of="c")], [UNIT], branch=True)
    assert found.records == (record(UNIT, branch=True, of="b"),)
    assert found.left_out == "2 earlier commits left out: branches counted in only one of the two."
