from __future__ import annotations

from fractions import Fraction

import pytest
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add, ranges
from hypothesis import given
from hypothesis import strategies as st

counts = st.builds(
    lambda covered, lines, taken, branches: Counts(min(covered, lines), lines, min(taken, branches), branches),
    *[st.integers(0, 100_000)] * 4,
)
percent = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


@pytest.mark.parametrize(
    ("covered", "counted", "threshold", "passes"),
    [
        (846, 1000, 85, False),  # coverage's own fail_under takes 84.6 for 85
        (846, 1000, 84.6, True),
        (84_999, 100_000, 85, False),
        (85_000, 100_000, 85, True),
        (999_999, 1_000_000, 100, False),
        (1, 3, 33.33, True),
        (1, 3, 33.34, False),
        (0, 10, 0, True),
        (0, 0, 100, True),
    ],
)
def test_a_threshold_is_held_against_counts(covered: int, counted: int, threshold: float, passes: bool) -> None:
    assert Counts(covered, counted).reaches(threshold) is passes


@given(counts, percent)
def test_the_missing_count_is_the_least_that_reaches(found: Counts, threshold: float) -> None:
    missing = found.missing_for(threshold)
    wanted = Fraction(repr(threshold)) * found.counted
    assert 100 * (found.covered + missing) >= wanted
    assert 100 * (found.covered + missing - 1) < wanted
    assert found.reaches(threshold) is (missing <= 0)


@given(counts, percent)
def test_what_is_shown_never_claims_more_than_what_is_judged(found: Counts, threshold: float) -> None:
    if found.percent is not None and found.percent >= threshold:
        assert found.reaches(threshold)
    if found.counted:
        assert (str(found) == "100.00") is (found.covered == found.counted)


@given(st.lists(counts))
def test_a_sum_is_the_sum_of_its_parts(parts: list[Counts]) -> None:
    total = add(parts)
    assert total.covered == sum(part.covered for part in parts)
    assert total.counted == sum(part.counted for part in parts)


def test_nothing_to_cover_is_no_percentage() -> None:
    assert Counts().percent is None
    assert str(Counts()) == "nothing to cover"


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_the_same_lines(lines: set[int]) -> None:
    found: list[int] = []
    for text in ranges(lines):
        first, _, last = text.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(lines)


def test_ranges_are_short() -> None:
    assert ranges([7, 1, 2, 3]) == ["1-3", "7"]
    assert FileCoverage("a.py", Counts()).missing_lines == ()
