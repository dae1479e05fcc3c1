"""Stop a run whose workers collected different tests: the kit names them from what each worker recorded.

xdist itself prints the whole difference, and a worker that joins later with other tests can make a run wait for ever.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import pytest


class Agreement:
    """Compares, in the controller, each worker's tests with the first one's."""

    def __init__(self) -> None:
        self._first: Optional[List[str]] = None

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - xdist's own
        """Ends the run with exit code 1; nothing has been dealt out yet unless a worker was replaced."""
        if self._first is None:
            self._first = list(ids)
        elif self._first != list(ids):
            pytest.exit(f"worker {node.gateway.id} collected other tests than the first one, or in another order", 1)
