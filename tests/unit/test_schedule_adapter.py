"""The seam to xdist's controller, with workers that only write down what they are told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.scheduling import KitScheduling

IDS = [f"{file}.py::test_{n}" for file in "abcd" for n in range(3)]


class Node:
    def __init__(self, name: str, ids: list[str]) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.ids = ids
        self.queue: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True


class Controller:
    """As much of xdist's as the scheduler meets."""

    def __init__(self, *collections: list[str], **more: Mapping[str, float]) -> None:
        self.time = 0.0
        settings: dict[str, object] = {"scope": "auto", "durations": {}, "marks_of": lambda _: {}, **more}
        self.scheduler = KitScheduling(
            SimpleNamespace(), workers=len(collections), now=lambda: self.time, **settings  # type: ignore[arg-type]
        )  # fmt: skip
        self.ran: list[str] = []
        self.nodes = [self.join(f"gw{n}", ids) for n, ids in enumerate(collections)]

    def join(self, name: str, ids: list[str]) -> Node:
        node = Node(name, ids)
        self.scheduler.add_node(node)
        self.scheduler.add_node_collection(node, ids)
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
        return node

    def step(self, node: Node) -> bool:
        """Let the worker finish a test, if it can have begun one."""
        if not (len(node.queue) > 1 or (node.queue and node.shutting_down)):
            return False
        index = node.queue.pop(0)
        self.ran.append(node.ids[index])
        self.time += 1.0
        self.scheduler.mark_test_complete(node, index, 1.0)
        return True

    def go_on(self, *nodes: Node) -> None:
        while sum(map(self.step, nodes)):
            pass


def test_a_crash_while_the_others_go_on() -> None:
    controller = Controller(IDS, IDS)
    first, second = controller.nodes
    died_in = IDS[first.queue[0]]
    assert controller.scheduler.remove_node(first) == died_in
    third = controller.join("gw2", IDS)
    controller.go_on(second, third)
    assert sorted([*controller.ran, died_in]) == sorted(IDS)
    with pytest.raises(KeyError):
        controller.scheduler.remove_node(first)


def test_a_crash_before_anything_is_dealt() -> None:
    controller = Controller(IDS)
    node = Node("gw9", IDS)
    controller.scheduler.add_node(node)
    assert controller.scheduler.remove_node(node) is None


def test_xdist_ends_the_workers_early() -> None:
    controller = Controller(IDS, IDS)
    first, second = controller.nodes
    for node in controller.nodes:
        node.shutdown()
    controller.go_on(first, second)
    assert controller.scheduler.remove_node(first) is None
    assert controller.scheduler.remove_node(second) is None
    assert controller.scheduler.outcome() is None


def test_a_crashed_test_can_be_asked_for_again() -> None:
    controller = Controller(IDS)
    crashed = controller.scheduler.remove_node(controller.nodes[0])
    assert crashed is not None
    controller.scheduler.mark_test_pending(crashed)
    controller.go_on(controller.join("gw1", IDS))
    assert sorted(controller.ran) == sorted(IDS)


def test_what_is_reported_at_the_end() -> None:
    controller = Controller(IDS, IDS)
    controller.go_on(*controller.nodes)
    assert controller.scheduler.outcome() == {
        "units": 4, "cut": [], "lower-bound": 6.0, "makespan": 12.0, "workers": 2,
    }  # fmt: skip
