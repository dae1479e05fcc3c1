"""The seam between xdist's controller and what `grouping` and `dispatch` decide.

xdist calls a scheduler by its methods alone (`xdist.scheduler.protocol.Scheduling`), so nothing of xdist is imported.
All workers have the same tests in the same order: `agreement` ends a run where they do not.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NoReturn, Optional, Sequence, Set

from pytest_ci_kit.dispatch import Dispatcher
from pytest_ci_kit.grouping import Grouping, group, weigh


class KitScheduling:
    """Deals one run's tests to xdist's workers.

    `workers` is how many start; `durations` the known seconds by node id; `marks_of` answers the `xdist_group` marks
    that a worker, given by its name, has seen; tests in `later` go out after all others.
    """

    def __init__(
        self,
        config: Any,  # noqa: ANN401 - xdist has no types
        *,
        workers: int,
        scope: str,
        durations: Mapping[str, float],
        marks_of: Callable[[str], Mapping[str, str]],
        later: FrozenSet[str] = frozenset(),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._numnodes = workers
        self._scope = scope
        self._durations = durations
        self._marks_of = marks_of
        self._later = later
        self._now = now
        self._collections: Dict[Any, Optional[List[str]]] = {}
        self._collection: Optional[List[str]] = None
        self._taken_in: Set[Any] = set()
        self._dispatcher: Optional[Dispatcher[Any]] = None
        self._grouping = Grouping(())
        self._measured: Dict[int, float] = {}
        self._began = 0.0
        self._last = 0.0

    @property
    def nodes(self) -> List[Any]:
        """All workers that are up, also those that still collect."""
        return list(self._collections)

    @property
    def collection_is_completed(self) -> bool:
        """Whether the first workers all have collected; it stays so."""
        return self._collection is not None or len(self._collected) >= self._numnodes

    @property
    def tests_finished(self) -> bool:
        """Whether nothing is left to do; xdist asks after every message."""
        return self._dispatcher is not None and not self._dispatcher.left

    @property
    def has_pending(self) -> bool:
        """Whether tests are running or waiting."""
        return self._dispatcher is not None and self._dispatcher.left > 0

    @property
    def _collected(self) -> Dict[Any, List[str]]:
        return {node: ids for node, ids in self._collections.items() if ids is not None}

    def add_node(self, node: Any) -> None:  # noqa: ANN401
        """A worker is up and begins to collect."""
        self._collections[node] = None

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:  # noqa: ANN401
        """A worker has collected."""
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Begin when all have collected, later take in a worker that replaces a dead one."""
        if self._dispatcher is None:
            self._begin()
        else:
            self._sync()
            self._dispatcher.add(*(node for node in self._collected if node not in self._taken_in))
        self._taken_in.update(self._collected)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0.0) -> None:  # noqa: ANN401
        """A worker finished a test, with all its attempts."""
        dispatcher = self._running()
        self._last = self._now()
        self._measured[item_index] = self._measured.get(item_index, 0.0) + duration
        if node.shutting_down:
            dispatcher.stop(node)
        dispatcher.complete(node, item_index, duration)

    def mark_test_pending(self, item: str) -> None:
        """Run a test again, one that crashed its worker."""
        dispatcher = self._running()
        self._sync()
        dispatcher.again((self._collection or []).index(item))

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> NoReturn:  # noqa: ANN401
        """Only answers a request to give tests back, which is never made here."""
        raise NotImplementedError

    def remove_node(self, node: Any) -> Optional[str]:  # noqa: ANN401
        """A worker ended or died; the id of the test that it died in. Raises `KeyError` for one that was never up."""
        del self._collections[node]
        dispatcher = self._dispatcher
        if dispatcher is None or not dispatcher.has(node):
            return None
        self._sync()
        busy = dispatcher.busy_seconds(node)
        crashed = dispatcher.remove(node)
        if crashed is None or self._collection is None:
            return None
        self._last = self._now()
        self._measured[crashed] = self._measured.get(crashed, 0.0) + busy
        return self._collection[crashed]

    def outcome(self) -> Optional[Dict[str, Any]]:
        """What `schedule.json` holds, in seconds as measured; None when not all tests ran."""
        if self._dispatcher is None or self._dispatcher.left or not self._measured:
            return None
        longest = max(sum(self._measured.get(test, 0.0) for test in unit.tests) for unit in self._grouping.units)
        return {
            "units": len(self._grouping.units),
            "cut": [{"file": file, "pieces": pieces} for file, pieces in self._grouping.cut],
            "lower-bound": max(sum(self._measured.values()) / self._numnodes, longest),
            "makespan": self._last - self._began,
            "workers": self._numnodes,
        }

    def _begin(self) -> None:
        collected = self._collected
        reference, ids = next(iter(collected.items()))
        self._collection = ids
        weights = weigh(ids, self._durations)
        marks = self._marks_of(reference.gateway.id)
        self._grouping = group(ids, weights.seconds, self._scope, marks, len(collected))
        self._began = self._last = self._now()
        self._dispatcher = Dispatcher(
            self._grouping.units,
            weights.seconds,
            known=weights.known,
            send=self._send,
            end=lambda node: node.shutdown(),
            now=self._now,
            first=[place for place, name in enumerate(ids) if name not in self._later] if self._later else (),
        )
        self._dispatcher.add(*collected)

    def _send(self, node: Any, tests: List[int]) -> None:  # noqa: ANN401
        node.send_runtest_some(tests)

    def _sync(self) -> None:
        """Learn which workers xdist itself has told to end, because enough tests have failed."""
        dispatcher = self._running()
        for node in self.nodes:
            if node.shutting_down and dispatcher.has(node):
                dispatcher.stop(node)

    def _running(self) -> Dispatcher[Any]:
        if self._dispatcher is None:
            raise RuntimeError("xdist asked about tests before it had any to run")
        return self._dispatcher
