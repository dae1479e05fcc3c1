"""The time limits that follow from `test.timeout`."""

from __future__ import annotations

import pytest
from ci_kit.pipeline.limits import limits_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("seconds", "verb"), [(600.0, 13), (90.0, 5), (5400.0, 93)])
def test_the_tests_own_limit_raises_all_others(seconds: float, verb: int) -> None:
    assert limits_of(seconds).verb == verb


@given(st.floats(min_value=0, max_value=1e6))
def test_the_innermost_limit_is_the_shortest(seconds: float) -> None:
    limits = limits_of(seconds)
    assert seconds + 120 <= limits.verb * 60 < limits.step * 60 < limits.job * 60
