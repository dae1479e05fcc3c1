"""What each leg brought: counted against all others, and read from real data files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from ci_kit.coverage_combine.contributions import Contribution, compare, contributions, covered
from ci_kit.coverage_combine.delivery import Delivery
from ci_kit.coverage_combine.proof import Proven
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from coverage import CoverageData
from hypothesis import given
from hypothesis import strategies as st


def leg(index: int) -> Leg:
    return Leg("unit", "3.12", Shard(index, 9))


def bits(*lines: int) -> int:
    return sum(1 << line for line in lines)


def test_a_line_that_two_legs_ran_is_nobodys_alone() -> None:
    found = compare(
        [
            (leg(1), {"a.py": bits(1, 2, 3), "b.py": bits(1)}),
            (leg(2), {"a.py": bits(2, 3, 4)}),
            (leg(3), {"a.py": bits(3), "c.py": bits(7)}),
        ]
    )
    assert found == (
        Contribution(leg(1), files=2, lines=4, alone=2),
        Contribution(leg(2), files=1, lines=3, alone=1),
        Contribution(leg(3), files=2, lines=2, alone=1),
    )


def test_a_leg_that_ran_nothing_shows() -> None:
    assert compare([(leg(1), {}), (leg(2), {"a.py": bits(1)}), (leg(3), {"a.py": 0})]) == (
        Contribution(leg(1), 0, 0, 0),
        Contribution(leg(2), 1, 1, 1),
        Contribution(leg(3), 0, 0, 0),
    )


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(1, 12))), max_size=6))
def test_alone_is_what_the_total_loses_without_the_leg(ran: list[dict[str, set[int]]]) -> None:
    def total(some: list[dict[str, set[int]]]) -> int:
        return len({(path, line) for each in some for path, lines in each.items() for line in lines})

    found = compare([(leg(i + 1), {path: bits(*lines) for path, lines in each.items()}) for i, each in enumerate(ran)])
    for index, one in enumerate(found):
        assert one.lines == total([ran[index]])
        assert one.alone == total(ran) - total(ran[:index] + ran[index + 1 :])


PART: dict[str, Any] = {"executed_lines": [2, 5, 9], "missing_lines": [12], "excluded_lines": [15]}


@pytest.mark.parametrize(
    ("ran", "lines"),
    [
        ([2, 9], (2, 9)),
        ([6, 7], (5,)),  # inside the statement of line 5
        ([1], ()),  # above all statements: the module's docstring
        ([13], ()),  # of a statement that the report does not call covered
        ([16, 900], ()),  # excluded
        ([], ()),
    ],
)
def test_recorded_lines_count_for_the_covered_statement_they_belong_to(ran: list[int], lines: tuple[int, ...]) -> None:
    assert covered(PART, ran) == bits(*lines)


@pytest.mark.parametrize("branch", [True, False], ids=["branches", "lines"])
def test_data_files_are_read_by_the_places_of_their_files(tmp_path: Path, branch: bool) -> None:
    report = {
        name: {"executed_lines": [1, 2, 3], "missing_lines": [8], "excluded_lines": []} for name in ("a.py", "b.py")
    }

    def proven(index: int, *processes: dict[str, list[int]]) -> Proven:
        copies = []
        for number, ran in enumerate(processes):
            data = CoverageData(str(tmp_path / f"{index}.{number}"))
            if branch:
                data.add_arcs({p: [(-1, n[0]), *itertools.pairwise(n), (n[-1], -1)] for p, n in ran.items()})
            else:
                data.add_lines(ran)
            data.write()
            data.close()
            copies.append(Path(data.data_filename()))
        return Proven(Delivery(leg(index), 1, tmp_path, None), tuple(copies), frozenset(), 0)

    legs = [
        proven(1, {"/there/a.py": [1, 2]}, {"/there/a.py": [2, 3], "left_out.py": [1]}),
        proven(2, {"a.py": [1], "b.py": [1]}),
        proven(3),
    ]
    assert contributions(legs, {"/there/a.py": "a.py", "a.py": "a.py"}, report) == (
        Contribution(leg(1), files=1, lines=3, alone=2),
        Contribution(leg(2), files=2, lines=2, alone=1),
        Contribution(leg(3), files=0, lines=0, alone=0),
    )
