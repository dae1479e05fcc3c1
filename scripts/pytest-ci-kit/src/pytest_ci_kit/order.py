"""The order of the tests: shuffled from one seed, or exactly as a list says."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, Generator, List, Optional, Sequence, Tuple

import pytest

# What orders tests by marks, with the names under which such a plug-in is loaded.
_ORDERING = {
    "order": ("pytest_order", "pytest_order.plugin"),
    "run": ("pytest_ordering",),
    "dependency": ("dependency", "pytest_dependency"),
}


class Order:
    """Shuffles before every other plug-in's changes (they may group on top of it), or lists after all of them."""

    def __init__(self, seed: Optional[int], exact: Optional[Sequence[str]], config: pytest.Config) -> None:
        self._seed = seed
        self._exact = exact
        self._config = config
        self.note = ""
        if seed is not None:
            _hand_over(config, seed)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> Generator[None, Any, None]:
        """Every process sorts by the same hashes, so all workers and all shards agree on the order of what they share."""
        if self._seed is not None and self._exact is None:
            self.note = _who_orders(self._config, items)
            if not self.note:
                shuffle(items, self._seed)
        outcome = yield
        outcome.get_result()
        if self._exact is not None:
            items[:] = exactly(items, self._exact)


def shuffle(items: List[pytest.Item], seed: int) -> None:
    """Folders, files in them, classes in these, and functions; what belongs together stays together.

    Tests of other kinds (cells of a notebook, lines of a file) keep their order inside their file: they may be steps.
    """
    levels: Dict[int, Tuple[bytes, ...]] = {}
    keys = {}
    for item in items:
        above = _levels(item.parent, seed, levels)
        keys[id(item)] = (*above, _digest(seed, item.nodeid) if _stands_alone(item) else b"")
    items.sort(key=lambda item: keys[id(item)])


def _levels(node: Any, seed: int, known: Dict[int, Tuple[bytes, ...]]) -> Tuple[bytes, ...]:  # noqa: ANN401 - any node
    if node is None or node.parent is None:  # the session
        return ()
    if id(node) not in known:
        known[id(node)] = (*_levels(node.parent, seed, known), _digest(seed, node.nodeid))
    return known[id(node)]


def _digest(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "backslashreplace"), digest_size=8).digest()


def _stands_alone(item: pytest.Item) -> bool:
    ordered = item.get_closest_marker("incremental") is not None
    return not ordered and (isinstance(item, pytest.Function) or type(item).__name__ == "DoctestItem")


def exactly(items: Sequence[pytest.Item], wanted: Sequence[str]) -> List[pytest.Item]:
    """The items with these ids, in this order; what is not there is left out, and so is everything else."""
    found: Dict[str, List[pytest.Item]] = {}
    for item in items:
        found.setdefault(item.nodeid.encode("utf-8", "backslashreplace").decode(), []).append(item)
    return [item for name in wanted for item in found.get(name, ())]


def _who_orders(config: pytest.Config, items: Sequence[pytest.Item]) -> str:
    loaded = {mark: name for mark, names in _ORDERING.items() for name in names if config.pluginmanager.hasplugin(name)}
    for item in items if loaded else ():
        for mark in item.iter_markers():
            if mark.name in loaded:
                return f"{item.nodeid} has the mark {mark.name} of the plug-in {loaded[mark.name]}, which orders tests"
    if getattr(config.option, "random_order_enabled", False):
        return "pytest-random-order shuffles (--random-order), with the kit's seed"
    return ""


def _hand_over(config: pytest.Config, seed: int) -> None:
    """pytest-randomly seeds `random` and others for each test: it gets the seed, and does not shuffle a second time."""
    option = config.option
    if getattr(option, "randomly_seed", None) == "default":
        option.randomly_seed = seed
    if hasattr(option, "randomly_reorganize"):
        option.randomly_reorganize = False
    if getattr(option, "random_order_enabled", False) and str(option.random_order_seed).startswith("default:"):
        option.random_order_seed = str(seed)
