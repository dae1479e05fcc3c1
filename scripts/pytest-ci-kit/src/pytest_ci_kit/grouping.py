"""Decide which tests stay together on one worker: from node ids, `xdist_group` marks and expected durations.

The scopes, in the words of the setting `test.scope`:

- `auto`: every module stays together; one that alone exceeds a worker's fair share (all seconds divided by the workers)
  is cut into contiguous pieces, between classes and functions, and inside a class only where that class itself exceeds
  the share.
- `class`: every class stays together, and so do the functions of a module that stand beside its classes.
- `module` and `file`: everything of one file stays together.
- `none`: every test goes its own way.

A class is the outermost one, with the classes in it. Marks of `xdist_group` join in every scope what they touch: under
`auto` whole classes and single functions, which leave their module for the group, under `none` single tests, under the
others whole units, because those are never cut. A group is never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Hashable, Iterator, List, Mapping, Sequence, Tuple

PIECES_A_SHARE = 4  # a piece of a cut module is at most so large a part of a worker's fair share
SCOPES = ("auto", "class", "module", "file", "none")


@dataclass(frozen=True)
class Unit:
    """Tests that one worker runs one after the other, as places in the collection, with the expected seconds."""

    tests: Tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class Grouping:
    """All units, and the files that were cut with the number of their pieces."""

    units: Tuple[Unit, ...]
    cut: Tuple[Tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Weights:
    """The expected seconds of every test. Without any known duration they are all 1 and only compare."""

    seconds: Sequence[float]
    known: bool


def file_of(node_id: str) -> str:
    """The part of a node id before its first `::`."""
    return node_id.partition("::")[0]


def class_of(node_id: str) -> str:
    """The outermost class of a test, empty for a function. Parameters may hold anything, `::` too."""
    inside = node_id.partition("::")[2].partition("[")[0]
    name, parted, _ = inside.partition("::")
    return name if parted else ""


def weigh(ids: Sequence[str], durations: Mapping[str, float]) -> Weights:
    """An unknown test takes the maximum of its file's known ones, else the mean of all known ones."""
    longest: Dict[str, float] = {}
    known: List[float] = []
    for name in ids:
        seconds = durations.get(name, 0.0)
        if seconds > 0:
            known.append(seconds)
            file = file_of(name)
            longest[file] = max(longest.get(file, 0.0), seconds)
    if not known:
        return Weights([1.0] * len(ids), known=False)
    mean = sum(known) / len(known)
    return Weights([max(durations.get(name, 0.0), 0.0) or longest.get(file_of(name), mean) for name in ids], known=True)


def group(ids: Sequence[str], weights: Sequence[float], scope: str, marks: Mapping[str, str], workers: int) -> Grouping:
    """Form the units of a scope. `marks` maps a test to the name of its `xdist_group`. Linear in the tests."""
    joined = _joined(ids, scope, marks)
    share = sum(weights) / max(workers, 1)
    together: Dict[Hashable, List[int]] = {}
    for place, name in enumerate(ids):
        atom = _atom(place, name, scope)
        key: Hashable = joined.get(atom)
        if key is None:
            key = file_of(name) if scope == "auto" else atom
        together.setdefault(key, []).append(place)
    units: List[Unit] = []
    cut: List[Tuple[str, int]] = []
    for key, tests in together.items():
        whole = _unit(tests, weights)
        if scope == "auto" and isinstance(key, str) and whole.weight > share and len(tests) > 1:
            pieces = list(_pieces(_blocks(tests, ids, weights, share), weights, share / PIECES_A_SHARE))
            units.extend(pieces)
            if len(pieces) > 1:
                cut.append((key, len(pieces)))
        else:
            units.append(whole)
    return Grouping(tuple(units), tuple(cut))


def _atom(place: int, name: str, scope: str) -> Hashable:
    """What is never parted in this scope. A tuple, so that it is no file's name."""
    if scope == "none":
        return (place,)
    if scope in ("module", "file"):
        return (file_of(name), "")
    holder = class_of(name)
    return (file_of(name), holder) if holder or scope == "class" else (place,)


def _joined(ids: Sequence[str], scope: str, marks: Mapping[str, str]) -> Dict[Hashable, Hashable]:
    """The key of the unit of every atom that a group touches; groups that share an atom become one."""
    above: Dict[Hashable, Hashable] = {}

    def top(key: Hashable) -> Hashable:
        while above.setdefault(key, key) != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    if marks:
        for place, name in enumerate(ids):
            if name in marks:
                above[top(_atom(place, name, scope))] = top(("group", marks[name], ""))
    return {key: top(key) for key in list(above)}


def _unit(tests: Sequence[int], weights: Sequence[float]) -> Unit:
    return Unit(tuple(tests), sum(weights[test] for test in tests))


def _blocks(tests: Sequence[int], ids: Sequence[str], weights: Sequence[float], share: float) -> Iterator[List[int]]:
    """What a cut keeps together inside of a file: a class that fits into the share, else a single test."""
    classes: Dict[Hashable, List[int]] = {}
    for test in tests:
        holder = class_of(ids[test])
        classes.setdefault(holder or test, []).append(test)
    for members in classes.values():
        if len(members) > 1 and sum(weights[test] for test in members) > share:
            yield from ([test] for test in members)
        else:
            yield members


def _pieces(blocks: Iterator[List[int]], weights: Sequence[float], limit: float) -> Iterator[Unit]:
    piece: List[int] = []
    filled = 0.0
    for block in blocks:
        size = sum(weights[test] for test in block)
        if piece and filled + size > limit * 1.000001:
            yield _unit(piece, weights)
            piece, filled = [], 0.0
        piece.extend(block)
        filled += size
    if piece:
        yield _unit(piece, weights)
