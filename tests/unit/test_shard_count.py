"""How many shards a tier gets, and what they cost."""

from __future__ import annotations

import pytest
from ci_kit.history import Run, TierRun
from ci_kit.shard_count import (
    OVERHEAD_SECONDS,
    Terms,
    billed_minutes,
    choose_count,
    overhead_seconds,
    speed_of,
)
from ci_kit.split import Work, longest_seconds
from hypothesis import given
from hypothesis import strategies as st

TERMS = st.builds(
    Terms,
    target_seconds=st.floats(30, 2000),
    overhead_seconds=st.floats(5, 300),
    speed=st.floats(1, 16),
    most=st.integers(1, 64),
)
SECONDS = st.lists(st.floats(0.001, 600), max_size=60)


def suite(*seconds: float) -> list[Work]:
    return [Work(f"{n}.py", {f"{n}.py::t": each}, 0.0, each) for n, each in enumerate(seconds)]


@pytest.mark.parametrize(
    ("seconds", "terms", "count"),
    [
        ([], Terms(), 1),
        ([1.0] * 20, Terms(), 1),
        ([1.0] * 60, Terms(), 2),  # two jobs of 60 s cost as much as one of 90 s
        ([1.0] * 600, Terms(), 4),  # 30 + 150 s each
        ([1.0] * 600, Terms(speed=5.0), 1),  # 150 s
        ([1.0] * 600, Terms(most=2), 2),
        ([500.0, 1.0, 1.0], Terms(), 2),  # nothing ends before the longest test
        ([1.0] * 6000, Terms(overhead_seconds=400.0), 15),  # more than the target already: as much work as overhead
        ([30.5] * 2, Terms(target_seconds=61.0), 2),
    ],
)
def test_the_count(seconds: list[float], terms: Terms, count: int) -> None:
    assert choose_count(suite(*seconds), terms) == count


@given(seconds=SECONDS, terms=TERMS)
def test_the_target_is_met_or_more_shards_would_not_help(seconds: list[float], terms: Terms) -> None:
    found = suite(*seconds)
    count = choose_count(found, terms)
    assert 1 <= count <= max(1, min(terms.most, len(found)))
    total, longest = sum(seconds), longest_seconds(found)
    if terms.job_seconds(total / count, longest) > terms.target_seconds:
        at_most = count == terms.most or count >= len(found)
        too_small = total / terms.speed / (count + 1) < terms.overhead_seconds
        assert at_most or too_small or total / (count + 1) < longest or total == 0


@given(seconds=SECONDS, terms=TERMS)
def test_no_smaller_count_that_meets_the_target_is_cheaper(seconds: list[float], terms: Terms) -> None:
    found = suite(*seconds)
    total, longest = sum(seconds), longest_seconds(found)
    count = choose_count(found, terms)

    def cost(shards: int) -> int:
        return shards * billed_minutes(terms.job_seconds(total / shards, longest))

    if terms.job_seconds(total / count, longest) <= terms.target_seconds:
        for fewer in range(1, count):
            assert terms.job_seconds(total / fewer, longest) > terms.target_seconds or cost(fewer) >= cost(count)


@pytest.mark.parametrize(("seconds", "minutes"), [(0.0, 1), (59.0, 1), (60.0, 1), (60.1, 2), (600.0, 10)])
def test_a_job_is_billed_by_whole_minutes(seconds: float, minutes: int) -> None:
    assert billed_minutes(seconds) == minutes


def run(wall: float | None, slowest: float) -> Run:
    return Run("1", 1, "c", "", "default-branch", wall, {"unit": TierRun(1, 0, 0, slowest, slowest)})


def test_the_overhead_comes_from_the_runs_whose_time_is_known() -> None:
    assert overhead_seconds([]) == OVERHEAD_SECONDS == overhead_seconds([run(None, 10.0)])
    assert overhead_seconds([run(100.0, 10.0), run(None, 5.0), run(130.0, 10.0), run(9000.0, 10.0)]) == 40.0
    assert overhead_seconds([run(10.0, 10.0)]) == 5.0
    assert overhead_seconds([run(1e5, 10.0)]) == 300.0


def test_workers_speed_a_job_up_but_not_wholly() -> None:
    assert (speed_of(0), speed_of(1)) == (1.0, 1.0)
    assert 1.0 < speed_of(2) < 2.0
    assert speed_of(4) < 4.0
