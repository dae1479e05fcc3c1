"""xdist's scope schedulers with a crash handled right.

In pytest-xdist 3.8 a worker's death makes them run the deadly test again on every other worker, and a replacement that
gets one last test waits for a next one for ever, because a worker starts a test only when it knows what follows.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling  # type: ignore[import-untyped]


class Scope(LoadScopeScheduling):  # type: ignore[misc]
    """`--dist loadscope`; with a crash every other test still runs exactly once."""

    def remove_node(self, node: Any) -> Optional[str]:  # noqa: ANN401 - xdist has no types
        """Give back what the node did not begin; the first test that it did not finish is the one that crashed."""
        crashed: Optional[str] = None
        left: Dict[str, Dict[str, bool]] = {}
        for scope, tests in self.assigned_work.pop(node).items():
            pending = [test for test, completed in tests.items() if not completed]
            if pending and crashed is None:
                crashed = pending.pop(0)
            if pending:
                left[scope] = dict.fromkeys(pending, False)
        self.workqueue.update(left)
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: Any) -> None:  # noqa: ANN401
        """Never leave a node with a single test and nothing behind it, neither another test nor the end."""
        if node.shutting_down or node not in self.registered_collections:
            return
        super()._reschedule(node)
        while self.workqueue and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()


class File(Scope, LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, likewise."""


def scheduler(distribution: str, config: Any, log: Any) -> Optional[Scope]:  # noqa: ANN401
    """The scheduler for a `--dist` value, None for one that xdist itself handles."""
    chosen = {"loadscope": Scope, "loadfile": File}.get(distribution)
    return None if chosen is None else chosen(config, log)
