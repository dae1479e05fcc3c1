from __future__ import annotations

import pytest
from ci_kit.test.limit import limit_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("test", "step", "used", "expected"),
    [(600, None, 0, 600), (600, 780, 0, 600), (600, 620, 0, 600), (600, 620, 1, 599), (600, 100, 10, 70), (600, 10, 1, 7)],
)  # fmt: skip
def test_the_smaller_limit_counts_and_is_named(test: float, step: float | None, used: float, expected: float) -> None:
    found = limit_of(test, step, used)
    assert found.seconds == expected
    assert ("input timeout" in found.note) == (expected < test)


@given(st.floats(1, 1e5), st.floats(1, 1e5), st.floats(0, 1e5))
def test_pytest_ends_before_the_step_where_time_is_left(test: float, step: float, used: float) -> None:
    found = limit_of(test, step, used)
    assert 1 <= found.seconds <= test
    assert found.seconds == 1 or found.seconds + used < step
