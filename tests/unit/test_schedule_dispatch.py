"""The law of dealing: whatever the workers do and in whatever order, every test runs exactly once, and none waits."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.dispatch import Dispatcher
from pytest_ci_kit.grouping import group, weigh


class Machine:
    """Workers as xdist's are: each runs the first of its tests when it knows a second one, or the end."""

    def __init__(
        self, ids: list[str], scope: str, workers: int, durations: dict[str, float], first: Sequence[int] = ()
    ) -> None:
        self.time = 0.0
        self.queues: dict[int, list[int]] = {}
        self.ended: set[int] = set()
        self.ran: list[int] = []
        self.crashed: list[int] = []
        self.order: dict[int, list[int]] = {}
        self.weights = weigh(ids, durations)
        self.grouping = group(ids, self.weights.seconds, scope, {}, workers)
        self.dispatcher: Dispatcher[int] = Dispatcher(
            self.grouping.units, self.weights.seconds, known=self.weights.known, send=self._send, end=self._end,
            now=lambda: self.time, first=first,
        )  # fmt: skip
        self.names = 0
        self.start(workers)

    def start(self, count: int) -> None:
        names = range(self.names, self.names + count)
        self.names += count
        self.queues.update({name: [] for name in names})
        self.order.update({name: [] for name in names})
        self.dispatcher.add(*names)

    def _send(self, name: int, tests: list[int]) -> None:
        assert name in self.queues
        assert name not in self.ended, "nothing follows the end"
        assert tests
        self.queues[name] += tests

    def _end(self, name: int) -> None:
        assert name not in self.ended
        self.ended.add(name)

    @property
    def running(self) -> list[int]:
        return [name for name, tests in self.queues.items() if len(tests) > 1 or (tests and name in self.ended)]

    def finish(self, name: int, seconds: float = 1.0) -> None:
        test = self.queues[name].pop(0)
        self.ran.append(test)
        self.order[name].append(test)
        self.dispatcher.complete(name, test, seconds)

    def die(self, name: int) -> None:
        runs = self.queues[name][0] if name in self.running else None
        del self.queues[name]
        assert self.dispatcher.remove(name) == runs
        if runs is not None:
            self.crashed.append(runs)


def ids_of(sizes: list[int]) -> list[str]:
    return [
        f"f{file}.py::" + (f"T{n // 3}::" if file % 2 else "") + f"test_{n}"
        for file, size in enumerate(sizes)
        for n in range(size)
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(1, 25), min_size=1, max_size=12),
    st.sampled_from(["auto", "module", "none"]),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
    st.floats(0, 0.3),
    st.booleans(),
)
def test_every_test_runs_once_and_none_waits_for_ever(
    sizes: list[int], scope: str, workers: int, chance: random.Random, deaths: float, history: bool
) -> None:
    ids = ids_of(sizes)
    durations = (
        {name: chance.choice([0.001, 0.1, 5.0, 60.0]) for name in ids if chance.random() < 0.8} if history else {}
    )
    machine = Machine(ids, scope, workers, durations)
    died = 0
    while machine.dispatcher.left:
        running = machine.running
        assert running, "a worker that could go on always exists"
        machine.time += chance.random()
        if died < 20 and chance.random() < deaths:
            died += 1
            machine.die(chance.choice(sorted(machine.queues)))
            machine.start(1)
        else:
            machine.finish(chance.choice(running), chance.choice([1e-4, 0.1, 10.0]))
    assert Counter(machine.ran + machine.crashed) == Counter(range(len(ids)))
    assert not any(machine.queues.values())
    assert set(machine.queues) <= machine.ended, "every worker that is left was told to end"


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 4), st.randoms(use_true_random=False))
def test_what_stays_together_runs_in_order_on_one_worker(sizes: list[int], workers: int, chance: random.Random) -> None:
    machine = Machine(ids_of(sizes), "module", workers, {})
    while machine.dispatcher.left:
        machine.finish(chance.choice(machine.running))
    rows = [order for order in machine.order.values() if order]
    for unit in machine.grouping.units:
        (row,) = [order for order in rows if unit.tests[0] in order]
        start = row.index(unit.tests[0])
        assert tuple(row[start : start + len(unit.tests)]) == unit.tests


def test_longest_first_with_the_smallest_behind() -> None:
    ids = [f"f{n}.py::test" for n in range(40)]
    machine = Machine(ids, "auto", 2, {name: 40.0 - n for n, name in enumerate(ids)})
    assert machine.queues == {0: [0, 39], 1: [1, 38]}
    machine.time = 39.0
    machine.finish(1, 39.0)
    assert machine.queues[1] == [38, 2]


def test_the_last_test_is_not_locked_behind_a_long_one() -> None:
    machine = Machine(["a.py::t", "b.py::t", "c.py::t"], "auto", 2, {"a.py::t": 60.0, "b.py::t": 10.0, "c.py::t": 10.0})
    assert machine.queues == {0: [0], 1: [1, 2]}
    assert machine.ended == {0}


def test_a_stopped_worker_gets_nothing_more_and_what_is_held_stays() -> None:
    machine = Machine([f"a.py::t{n}" for n in range(50)], "module", 1, {f"a.py::t{n}": 1.0 for n in range(50)})
    assert machine.queues == {0: [0, 1]}
    machine.dispatcher.stop(0)
    machine.ended.add(0)
    machine.finish(0)
    machine.finish(0)
    assert machine.dispatcher.remove(0) is None
    assert machine.dispatcher.left == 48


def test_a_crashed_test_can_run_again() -> None:
    machine = Machine(["a.py::t", "a.py::u"], "auto", 1, {})
    machine.die(0)
    assert machine.crashed == [0]
    machine.dispatcher.again(0)
    machine.start(1)
    while machine.dispatcher.left:
        machine.finish(machine.running[0])
    assert sorted(machine.ran) == [0, 1]


def test_first_goes_first() -> None:
    ids = [f"f{n}.py::test" for n in range(20)]
    machine = Machine(ids, "auto", 2, {name: 20.0 - n for n, name in enumerate(ids)}, first=[15, 16])
    assert [queue[0] for queue in machine.queues.values()] == [15, 16]


def test_trivial_tests_go_out_in_batches() -> None:
    ids = [f"a.py::test_{n}" for n in range(2000)]
    sent: list[int] = []
    units = group(ids, [1.0] * len(ids), "module", {}, 1).units
    dispatcher: Dispatcher[str] = Dispatcher(
        units,
        [1.0] * len(ids),
        known=False,
        send=lambda _, tests: sent.append(len(tests)),
        end=lambda _: None,
        now=lambda: 0.0,
    )
    dispatcher.add("a")
    for test in range(2000):
        dispatcher.complete("a", test, 0.001)
    assert sum(sent) == 2000
    assert len(sent) < 40


@pytest.mark.parametrize("workers", [2, 4, 8])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_the_makespan_is_near_the_lower_bound(workers: int, noise: float) -> None:
    """Against `max(sum / workers, longest test)`, which no schedule beats."""
    ratios = []
    for seed in range(10):
        chance = random.Random(seed)  # noqa: S311 - only has to vary
        sizes = [max(1, int(chance.lognormvariate(2, 1))) for _ in range(40)]
        ids = ids_of(sizes)
        true = [0.05 * chance.lognormvariate(0, 1.3) for _ in ids]
        machine = Machine(
            ids, "auto", workers, {name: s * chance.lognormvariate(0, noise) for name, s in zip(ids, true, strict=True)}
        )
        until: dict[int, float] = {}
        while machine.dispatcher.left:
            for name in machine.running:
                until.setdefault(name, machine.time + true[machine.queues[name][0]])
            name = min(until, key=until.__getitem__)
            machine.time = until.pop(name)
            machine.finish(name, true[machine.queues[name][0]])
        ratios.append(machine.time / max(sum(true) / workers, *true))
    assert sorted(ratios)[5] <= 1.06
    assert max(ratios) <= 1.15
