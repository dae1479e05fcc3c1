"""Decide which worker gets which unit, and when: longest first, with what xdist's workers need to keep going.

A worker of pytest-xdist starts a test only when it knows what follows, another test or the end. So something is always
locked behind the last test of a worker. Behind a long test that is the smallest unit that is left; the longest one goes
to a worker that is about to be free. That is Graham's LPT rule (Bounds on multiprocessing timing anomalies, 1969) but
for what is locked. Near the end the rule is played through, and a worker to which nothing would go any more is told so.

Tests go out in small batches, not as whole units: what is not sent can still be kept back when the run is to stop.
Every step costs about the number of workers, never the number of tests.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Dict, Generic, Iterable, List, Optional, Sequence, Set, Tuple, TypeVar

from pytest_ci_kit.grouping import Unit

Name = TypeVar("Name")
AHEAD_SECONDS = 0.25  # so much work lies with a worker, that it need not wait for the next message
AHEAD_TESTS = 256
FEW = 4  # units for each worker: so few are dealt by playing the rest through
SOON = 0.02  # of the seconds left for each worker: a worker is as good as free


class Worker:
    """What one worker has: tests sent to it, the first one running, and tests still held here."""

    def __init__(self) -> None:
        self.sent: Deque[int] = deque()
        self.held: Deque[int] = deque()
        self.sent_weight = 0.0
        self.held_weight = 0.0
        self.ended = False
        self.since = 0.0

    @property
    def runs(self) -> bool:
        """Whether its first test can have begun."""
        return len(self.sent) > 1 or (self.ended and bool(self.sent))


class Dispatcher(Generic[Name]):
    """Deals `units` to workers.

    `weights` are the expected seconds of the tests, `known` whether they come from real durations. `send` and `end` are
    called with what a worker is to do, `end` at most once for each; `now` answers monotonic seconds.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        weights: Sequence[float],
        *,
        known: bool,
        send: Callable[[Name, List[int]], None],
        end: Callable[[Name], None],
        now: Callable[[], float],
        first: Iterable[int] = (),
    ) -> None:
        self._weights = weights
        self._known = known
        self._send = send
        self._end = end
        self._now = now
        self._first: Set[int] = set(first)
        self._workers: Dict[Name, Worker] = {}
        self._queue: Deque[Unit] = deque()
        self._queued = 0.0
        self._unit_of: Dict[int, int] = {}
        self._done_weight = 0.0
        self._done_seconds = 0.0
        self.left = 0
        given = list(units)
        for number, unit in enumerate(given):
            self._unit_of.update(dict.fromkeys(unit.tests, number))
            self.left += len(unit.tests)
        self._put(given)

    @property
    def waiting(self) -> bool:
        """Whether there are tests that no worker has."""
        return bool(self._queue)

    def has(self, name: Name) -> bool:
        """Whether this worker takes part."""
        return name in self._workers

    def add(self, *names: Name) -> None:
        """Workers that are ready; the work is dealt at once."""
        self._workers.update({name: Worker() for name in names})
        self._feed_all()

    def complete(self, name: Name, test: int, seconds: float) -> None:
        """A worker finished a test."""
        worker = self._workers[name]
        worker.sent.remove(test)  # it is the first one, so this costs nothing
        worker.sent_weight = worker.sent_weight - self._weights[test] if worker.sent else 0.0
        worker.since = self._now()
        self._done_weight += self._weights[test]
        self._done_seconds += max(seconds, 1e-6)
        self.left -= 1
        self._feed(name)

    def busy_seconds(self, name: Name) -> float:
        """How long a worker has been in the test that it runs now."""
        worker = self._workers[name]
        return self._now() - worker.since if worker.runs else 0.0

    def remove(self, name: Name) -> Optional[int]:
        """A worker is gone: answer the test that it was in, None when it was in none; others get the rest."""
        worker = self._workers.pop(name)
        crashed = worker.sent.popleft() if worker.runs else None
        if crashed is not None:
            self.left -= 1
        parts: Dict[int, List[int]] = {}
        for test in (*worker.sent, *worker.held):
            parts.setdefault(self._unit_of[test], []).append(test)
        self._put(self._unit(tests) for tests in parts.values())
        self._feed_all()
        return crashed

    def again(self, test: int) -> None:
        """Run a test once more, that was given up or finished."""
        self.left += 1
        self._put([self._unit([test])])
        self._feed_all()

    def stop(self, name: Name) -> None:
        """A worker was told by somebody else that it is to end: it gets nothing more."""
        self._workers[name].ended = True

    def _unit(self, tests: Sequence[int]) -> Unit:
        return Unit(tuple(tests), sum(self._weights[test] for test in tests))

    def _put(self, units: Iterable[Unit]) -> None:
        units = [*self._queue, *units]
        units.sort(key=lambda unit: (self._first.isdisjoint(unit.tests) if self._first else True, -unit.weight))
        self._queue = deque(units)
        self._queued = sum(unit.weight for unit in units)

    def _feed_all(self) -> None:
        for name in sorted(self._workers, key=lambda name: self._seconds_of(self._workers[name])):
            self._feed(name)

    def _feed(self, name: Name) -> None:
        worker = self._workers[name]
        batch: List[int] = []
        last = worker.ended
        while not last and self._is_hungry(worker, filling=bool(batch)):
            if not worker.held:
                unit = self._choose(worker)
                if unit is None:
                    last = True
                    break
                self._queued -= unit.weight
                worker.held.extend(unit.tests)
                worker.held_weight = unit.weight
            if not worker.sent:
                worker.since = self._now()
            test = worker.held.popleft()
            worker.held_weight -= self._weights[test]
            worker.sent.append(test)
            worker.sent_weight += self._weights[test]
            batch.append(test)
        if batch:
            self._send(name, batch)
        if last and not worker.ended:
            worker.ended = True
            self._end(name)

    @property
    def _pace(self) -> float:
        """Measured seconds for one expected second."""
        return self._done_seconds / self._done_weight if self._done_weight else 1.0

    def _is_hungry(self, worker: Worker, *, filling: bool) -> bool:
        if len(worker.sent) < 2:
            return True
        ahead = AHEAD_SECONDS
        if not worker.held:
            ahead = min(ahead, self._queued * self._pace / (8 * len(self._workers)))
        limit = ahead if filling else ahead / 2
        return worker.sent_weight * self._pace < limit and len(worker.sent) < AHEAD_TESTS

    def _seconds_of(self, worker: Worker) -> float:
        """Expected seconds until a worker has done what it has."""
        pace = self._pace
        seconds = (worker.sent_weight + worker.held_weight) * pace
        if worker.runs:
            seconds -= min(self._now() - worker.since, self._weights[worker.sent[0]] * pace)
        return max(seconds, 0.0)

    def _choose(self, worker: Worker) -> Optional[Unit]:
        """The unit that is to follow on what the worker has, None when it is to end."""
        if not self._queue:
            return None
        mine = self._seconds_of(worker)
        others = [self._seconds_of(one) for one in self._workers.values() if one is not worker and not one.ended]
        average = (mine + sum(others) + self._queued * self._pace) / (1 + len(others))
        smallest = self._queue[-1].weight * self._pace
        soon = mine <= max(SOON * average, AHEAD_SECONDS)
        if len(self._queue) > FEW * (1 + len(others)):
            if soon:
                return self._queue.popleft()
            if self._known and others and smallest > SOON * average and mine + smallest > average:
                return None
            return self._queue.pop()
        mine_to_be, makespan = self._play(mine, others)
        if mine_to_be:
            return self._take(mine_to_be[0] if soon else mine_to_be[-1])
        # Also of unknown durations: nothing is locked behind a test while another worker is idle.
        if (self._known or 0.0 in others) and mine + smallest > makespan:
            return None
        return self._queue.pop()

    def _play(self, mine: float, others: List[float]) -> Tuple[List[int], float]:
        """Deal the queue longest first: the places in it that go to `mine`, and the makespan of all."""
        pace = self._pace
        loads = [mine, *others]
        got: List[int] = []
        for place, unit in enumerate(self._queue):
            least = min(range(len(loads)), key=loads.__getitem__)
            loads[least] += unit.weight * pace
            if least == 0:
                got.append(place)
        return got, max(loads)

    def _take(self, place: int) -> Unit:
        unit = self._queue[place]
        del self._queue[place]
        return unit
