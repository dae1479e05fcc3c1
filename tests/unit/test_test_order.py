"""The random order of the plug-in: every process and every shard sorts alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.order import exactly, shuffle


class Node:
    """As much of pytest's nodes as sorting needs."""

    def __init__(self, nodeid: str, parent: Node | None) -> None:
        self.nodeid, self.parent = nodeid, parent

    def get_closest_marker(self, _name: str) -> None:
        return None


class DoctestItem(Node):
    """A kind of test that stands alone."""


def tree(names: list[str], kind: type[Node] = DoctestItem) -> list[Any]:
    session = Node("", None)
    files: dict[str, Node] = {}
    found = []
    for name in names:
        file, _, rest = name.partition("::")
        parent = files.setdefault(file, Node(file, session))
        if "::" in rest:
            parent = files.setdefault(name.rpartition("::")[0], Node(name.rpartition("::")[0], parent))
        found.append(kind(name, parent))
    return found


def ids(items: list[Any]) -> list[str]:
    return [item.nodeid for item in items]


NAMES = [f"{file}.py::{group}{test}" for file in "abc" for group in ("", "A::", "B::") for test in "xyz"]


@given(st.integers(0, 2**31), st.sets(st.sampled_from(NAMES)))
def test_a_part_is_ordered_as_the_whole(seed: int, some: set[str]) -> None:
    whole, part = tree(NAMES), tree([name for name in NAMES if name in some])
    shuffle(whole, seed)
    shuffle(part, seed)
    assert [name for name in ids(whole) if name in some] == ids(part)


@given(st.integers(0, 2**31))
def test_files_and_classes_stay_together(seed: int) -> None:
    items = tree(NAMES)
    shuffle(items, seed)
    assert sorted(ids(items)) == sorted(NAMES)
    for key in ("file", "class"):
        groups = [name.partition("::")[0] if key == "file" else name.rpartition("::")[0] for name in ids(items)]
        groups = [group for group in groups if key == "file" or "::" in group]
        runs = [group for number, group in enumerate(groups) if number == 0 or groups[number - 1] != group]
        assert key == "class" or len(runs) == len(set(runs))
        assert key == "file" or all(groups.count(group) == 3 for group in set(groups))


def test_seeds_differ() -> None:
    orders = set()
    for seed in range(20):
        items = tree(NAMES)
        shuffle(items, seed)
        orders.add(tuple(ids(items)))
    assert len(orders) == 20


def test_steps_of_another_kind_keep_their_order() -> None:
    names = [f"n.ipynb::cell {number}" for number in range(20)]
    items = tree(names, Node)
    shuffle(items, 3)
    assert ids(items) == names


def test_an_exact_list_keeps_its_order_and_nothing_else() -> None:
    items = tree(NAMES)
    wanted = [NAMES[5], NAMES[0], "gone.py::x", NAMES[9]]
    assert ids(exactly(items, wanted)) == [NAMES[5], NAMES[0], NAMES[9]]
