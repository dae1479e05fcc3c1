from __future__ import annotations

import pytest
from ci_kit.smoke_and_rollback.canary_weights import weights
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("percent", "new", "old", "expected"),
    [
        (10, 1, 1, (1, 9)),
        (10, 1, 3, (1, 3)),
        (50, 2, 2, (1, 1)),
        (0, 1, 1, (0, 100)),
        (100, 2, 1, (100, 0)),
        (1, 1, 1, (1, 99)),
    ],
)
def test_weights_of_a_few_steps(percent: int, new: int, old: int, expected: tuple[int, int]) -> None:
    assert weights(percent, new, old, 256) == expected


@given(st.integers(0, 100), st.integers(1, 12), st.integers(1, 12))
def test_the_share_is_what_was_asked_for(percent: int, new: int, old: int) -> None:
    one, other = weights(percent, new, old, 256)
    assert 0 <= one <= 256
    assert 0 <= other <= 256
    assert (one == 0) is (percent == 0)
    assert (other == 0) is (percent == 100)
    # A server that shall serve has at least 1 of 256, so many servers cannot share very little.
    least = 100 * max(new, old) / 256
    assert 100 * one * new / (one * new + other * old) == pytest.approx(percent, abs=max(1, least))


@pytest.mark.parametrize(("percent", "new", "old"), [(-1, 1, 1), (101, 1, 1), (10, 0, 1), (10, 1, 0)])
def test_an_impossible_share_is_refused(percent: int, new: int, old: int) -> None:
    with pytest.raises(ValueError, match="servers"):
        weights(percent, new, old, 256)
