"""Run the tests that a change can affect first, or only them. What the map does not know counts as affected."""

from __future__ import annotations

import sys
from typing import Dict, FrozenSet, List, Tuple

import pytest

from pytest_ci_kit.surrounding import environment


class Choice:
    """`unaffected` are the ids that the change cannot reach, `only` leaves them out instead of putting them last.

    The map holds for the `environments` that it was recorded in; elsewhere all tests count as affected.
    """

    def __init__(self, unaffected: FrozenSet[str], environments: FrozenSet[str], *, only: bool) -> None:
        here = f"{'.'.join(map(str, sys.version_info[:2]))} {environment()}" if unaffected else ""
        self.note = ""
        if unaffected and here not in environments:
            self.note = "this Python or an installed package differs from where the map of affected tests was recorded"
            unaffected = frozenset()
        self.unaffected = unaffected
        self._only = only
        self.left_out: List[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> None:
        """After shuffling and grouping, whose orders are kept among the first and among the others."""
        if not self.unaffected:
            return
        if self._only:
            self.left_out = [item.nodeid for item in items if item.nodeid in self.unaffected]
            items[:] = [item for item in items if item.nodeid not in self.unaffected]
        else:
            items[:] = first_ones_first(items, self.unaffected)


def first_ones_first(items: List[pytest.Item], later: FrozenSet[str]) -> List[pytest.Item]:
    """Files with an affected test to the front, in them such classes, in them such tests: nothing is torn apart."""
    ranks: Dict[str, int] = {}
    scopes = {}
    for place, item in enumerate(items):
        scopes[id(item)] = scope = _scope(item)
        for name in scope:
            ranks.setdefault(name, place)
    urgent = {name for item in items if item.nodeid not in later for name in scopes[id(item)]}

    def key(item: pytest.Item) -> List[Tuple[bool, int]]:
        return [(name not in urgent, ranks[name]) for name in scopes[id(item)]]

    return sorted(items, key=key)


def _scope(item: pytest.Item) -> Tuple[str, str, str]:
    """File, class and test, each by a name of its own level."""
    file, _, rest = item.nodeid.partition("::")
    return (file, f"{file}::{rest.partition('[')[0].rpartition('::')[0]}", item.nodeid)
