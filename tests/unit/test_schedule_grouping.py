"""Which tests stay together on one worker."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.grouping import SCOPES, Grouping, class_of, file_of, group, weigh

IDS = [
    "a.py::test_1", "a.py::TestA::test_2", "a.py::TestA::TestInner::test_3", "a.py::test_4", "a.py::TestB::test_5",
    "b.py::test_6[x::y]", "b.py::test_7", "c.txt::c.txt",
]  # fmt: skip


def together(found: Grouping) -> list[list[int]]:
    """The units by the numbers in the tests' names."""
    return sorted([test + 1 for test in unit.tests] for unit in found.units)


def units(scope: str, marks: dict[str, str] | None = None, workers: int = 2) -> list[list[int]]:
    # c.txt is so heavy that no other module exceeds a share.
    weights = [1.0] * (len(IDS) - 1) + [100.0]
    return together(group(IDS, weights, scope, {IDS[int(n) - 1]: name for n, name in (marks or {}).items()}, workers))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("auto", [[1, 2, 3, 4, 5], [6, 7], [8]]),
        ("module", [[1, 2, 3, 4, 5], [6, 7], [8]]),
        ("file", [[1, 2, 3, 4, 5], [6, 7], [8]]),
        ("class", [[1, 4], [2, 3], [5], [6, 7], [8]]),
        ("none", [[1], [2], [3], [4], [5], [6], [7], [8]]),
    ],
)
def test_scopes(scope: str, expected: list[list[int]]) -> None:
    assert units(scope) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("auto", [[1, 4, 5], [2, 3, 6], [7], [8]]),
        ("module", [[1, 2, 3, 4, 5, 6, 7], [8]]),
        ("file", [[1, 2, 3, 4, 5, 6, 7], [8]]),
        ("class", [[1, 4], [2, 3, 6, 7], [5], [8]]),
        ("none", [[1], [2], [3, 6], [4], [5], [7], [8]]),
    ],
)
def test_groups_join_what_they_touch(scope: str, expected: list[list[int]]) -> None:
    assert units(scope, {"3": "db", "6": "db"}) == expected


def test_groups_that_share_a_class_become_one() -> None:
    assert [2, 3, 6, 7] in units("auto", {"2": "db", "6": "db", "3": "redis", "7": "redis"})


def test_a_module_beyond_the_fair_share_is_cut_between_classes() -> None:
    ids = [f"big.py::Test{n // 3}::test_{n}" for n in range(24)] + [f"small_{n}.py::test" for n in range(8)]
    found = group(ids, [1.0] * len(ids), "auto", {}, workers=2)
    assert found.cut == (("big.py", 8),)
    big = [unit.tests for unit in found.units if unit.tests[0] < 24]
    assert [test for tests in big for test in tests] == list(range(24))
    assert all(ids[left[-1]].split("::")[1] != ids[right[0]].split("::")[1] for left, right in pairwise(big))


def test_a_class_beyond_the_fair_share_is_cut_and_a_smaller_one_beside_it_is_not() -> None:
    ids = [f"big.py::TestBig::test_{n}" for n in range(30)] + [f"big.py::TestSmall::test_{n}" for n in range(8)]
    found = group(ids, [1.0] * len(ids), "auto", {}, workers=4)
    assert max(len(unit.tests) for unit in found.units) == 8
    assert tuple(range(30, 38)) in [unit.tests for unit in found.units]


def test_a_group_is_never_cut() -> None:
    ids = [f"big.py::test_{n}" for n in range(40)]
    found = group(ids, [1.0] * 40, "auto", dict.fromkeys(ids, "one"), workers=4)
    assert [unit.tests for unit in found.units] == [tuple(range(40))]
    assert found.cut == ()


names = st.builds(
    lambda file, holder, test: f"f{file}.py::" + (f"T{holder}::" if holder else "") + f"test[{test}::x]",
    st.integers(0, 3), st.integers(0, 2), st.integers(0, 9),
)  # fmt: skip


@given(
    st.lists(names, unique=True, min_size=1, max_size=60),
    st.sampled_from(SCOPES),
    st.integers(1, 8),
    st.data(),
)
def test_every_test_is_in_one_unit_and_nothing_is_parted(
    ids: list[str], scope: str, workers: int, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.floats(1e-3, 100), min_size=len(ids), max_size=len(ids)))
    marks = data.draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(["x", "y"])))
    found = group(ids, weights, scope, marks, workers)
    assert sorted(test for unit in found.units for test in unit.tests) == list(range(len(ids)))
    home = {ids[test]: number for number, unit in enumerate(found.units) for test in unit.tests}
    share = sum(weights) / workers
    for one in ids:
        for two in ids:
            if one in marks and marks[one] == marks.get(two):
                assert home[one] == home[two], "a group is on one worker"
            same_class = file_of(one) == file_of(two) and class_of(one) == class_of(two)
            if same_class and scope == "class":
                assert home[one] == home[two]
            if file_of(one) == file_of(two) and scope in ("module", "file"):
                assert home[one] == home[two]
            if same_class and class_of(one) and scope == "auto":
                members = [
                    w
                    for name, w in zip(ids, weights, strict=True)
                    if (file_of(name), class_of(name)) == (file_of(one), class_of(one))
                ]
                assert home[one] == home[two] or sum(members) > share * 0.999
    for unit in found.units:
        if len({file_of(ids[test]) for test in unit.tests}) > 1:
            assert any(ids[test] in marks for test in unit.tests)


def test_unknown_tests_weigh_as_much_as_their_files_longest_else_as_the_mean() -> None:
    weights = weigh(
        ["a.py::x", "a.py::y", "a.py::new", "b.py::z", "c.py::new"],
        {"a.py::x": 1.0, "a.py::y": 3.0, "b.py::z": 8.0, "gone": 99.0},
    )
    assert weights.seconds == [1.0, 3.0, 3.0, 8.0, 4.0]
    assert weights.known
    without = weigh(["a.py::x", "b.py::y"], {})
    assert (without.seconds, without.known) == ([1.0, 1.0], False)
