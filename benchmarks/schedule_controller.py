"""How much processor time the controller's bookkeeping takes: the schedulers alone, on workers that do nothing.

Runs in the environment of the tests: `python schedule_controller.py SCHEDULER TESTS`, prints seconds.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from types import SimpleNamespace
from typing import Any

WORKERS = 4
TESTS_A_MODULE = 100
TEST_SECONDS = 0.001


class Node:
    """What xdist's schedulers see of a worker."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.queue: deque[int] = deque()
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        """More tests."""
        self.queue.extend(indices)

    def shutdown(self) -> None:
        """No more tests."""
        self.shutting_down = True


class Config:
    """As much of pytest's configuration as they ask for."""

    option = SimpleNamespace(loadscopereorder=True, maxschedchunk=1)

    def getvalue(self, name: str) -> Any:  # noqa: ANN401 - as pytest's own
        """An option."""
        return {"tx": ["popen"] * WORKERS, "maxschedchunk": 1}[name]

    getoption = getvalue


def make(kind: str, ids: list[str]) -> Any:  # noqa: ANN401 - xdist has no types
    """The scheduler called `kind`; ours knows every duration."""
    if kind == "kit":
        from pytest_ci_kit.scheduling import KitScheduling  # noqa: PLC0415

        durations = dict.fromkeys(ids, TEST_SECONDS)
        return KitScheduling(Config(), workers=WORKERS, scope="auto", durations=durations, marks_of=lambda _: {})
    from xdist import scheduler  # type: ignore[import-untyped] # noqa: PLC0415
    from xdist.remote import Producer  # type: ignore[import-untyped] # noqa: PLC0415

    kinds = {"loadfile": "LoadFileScheduling", "loadscope": "LoadScopeScheduling", "load": "LoadScheduling"}
    return getattr(scheduler, kinds[kind])(Config(), Producer("silent", enabled=False))


def seconds(kind: str, count: int) -> float:
    """Processor seconds to deal `count` trivial tests, with what xdist asks after every message."""
    ids = [f"tests/test_{number // TESTS_A_MODULE}.py::test_{number}" for number in range(count)]
    scheduler = make(kind, ids)
    nodes = [Node(f"gw{number}") for number in range(WORKERS)]
    left = count
    begun = time.process_time()
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, list(ids))
    scheduler.schedule()
    while left:
        before = left
        for node in nodes:
            if len(node.queue) > 1 or (node.queue and node.shutting_down):
                scheduler.mark_test_complete(node, node.queue.popleft(), TEST_SECONDS)
                left -= 1
                if scheduler.tests_finished:
                    for other in nodes:
                        other.shutdown()
        if left == before:
            raise RuntimeError(f"{kind} lets its workers wait for ever, {left} tests are left")
    return time.process_time() - begun


if __name__ == "__main__":
    print(seconds(sys.argv[1], int(sys.argv[2])))
