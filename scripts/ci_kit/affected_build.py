"""Make the map of a run out of what its shards recorded (`footprints.json`) and the checkout that they ran."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_kit.affected_blocks import MODULE, UNREADABLE, Blocks, blocks_of
from ci_kit.affected_imports import DYNAMIC, import_graph, reach
from ci_kit.affected_map import AffectedMap, Sets, TierMap, pack

READ, LISTED, PROCESS = -1, -2, -3
_STARTS = "it starts another process"


@dataclass
class _Tier:
    tests: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    ran: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    read: dict[str, set[int]] = field(default_factory=dict)
    listed: dict[str, set[int]] = field(default_factory=dict)
    always: dict[int, str] = field(default_factory=dict)


@dataclass
class _Run:
    loaded: set[str] = field(default_factory=set)
    early: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    environments: set[str] = field(default_factory=set)
    at_import: dict[str, set[str]] = field(default_factory=dict)
    read_outside: set[str] = field(default_factory=set)
    broken: str = ""


def build_map(
    footprints: Iterable[Mapping[str, Any]], *, commit: str, digests: Mapping[str, str], source_of: Callable[[str], str]
) -> AffectedMap:
    """`footprints` are the shards' files, `digests` the checkout's tree, `source_of` reads a Python file of it.

    Raises `KeyError`, `ValueError`, `TypeError` or `IndexError` for footprints that are not what the plug-in writes.
    """
    blocks = {file: blocks_of(source_of(file)) for file in digests if file.endswith(".py")}
    run, tiers = _Run(), dict[str, _Tier]()
    for shard in footprints:
        tier = tiers.setdefault(shard["tier"], _Tier())
        for process in shard["processes"]:
            _add(process, tier, run, blocks)
    dynamic = [file for file, found in blocks.items() if found.names & DYNAMIC and file in run.loaded]
    graph = import_graph({file: found.imports for file, found in blocks.items()}, dynamic)
    for tier in tiers.values():
        _add_kept(tier, blocks)
    loaded = run.loaded & blocks.keys()
    starts = {file for tier in tiers.values() for file in tier.files} | {f for f in loaded if f.endswith("conftest.py")}
    return AffectedMap(
        commit=commit,
        digests=dict(digests),
        blocks={file: blocks[file].digests for file in sorted(loaded)},
        imports={file: found for file, found in graph.items() if found},
        loaded=frozenset(loaded),
        at_import={file: frozenset(names) for file, names in run.at_import.items() if file in loaded},
        everywhere=frozenset(
            (run.read_outside & digests.keys()) | (run.early & loaded) | (loaded - reach(graph, starts))
        ),
        environments=frozenset(run.environments),
        tiers={name: _tier(tier, digests) for name, tier in tiers.items()},
        unusable=_unusable(run, blocks, loaded),
    )


def _unusable(run: _Run, blocks: Mapping[str, Blocks], loaded: set[str]) -> str:
    if run.copies:
        return f"the tests import an installed copy of {min(run.copies)}, not the checkout's (install it editable)"
    if unreadable := sorted(file for file in loaded if UNREADABLE in blocks[file].digests):
        return f"{unreadable[0]} could not be parsed"
    return run.broken


def _add(process: Mapping[str, Any], tier: _Tier, run: _Run, blocks: Mapping[str, Blocks]) -> None:
    spots = [(str(file), int(line)) for file, line in process["spots"]]
    run.loaded.update(process["loaded"])
    run.early.update(process["early"])
    run.copies.update(process["copies"])
    run.environments.add(f"{process['python']} {process['environment']}")
    run.broken = run.broken or process["uncertain"].get("", "")
    for file, line in (spots[number] for number in process["outside"]):
        if line >= 0 and file in blocks:
            run.at_import.setdefault(file, set()).add(blocks[file].at(line))
        elif line == READ and not file.endswith(".py"):
            run.read_outside.add(file)
    places = [(file, blocks[file].at(line) if line >= 0 and file in blocks else "", line) for file, line in spots]
    for test, file, numbers in process["tests"]:
        index = tier.tests.setdefault(test, len(tier.tests))
        if index == len(tier.files):
            tier.files.append(file)
        if reason := process["uncertain"].get(test):
            tier.always[index] = reason
        for number in numbers:
            _note(tier, index, *places[number])


def _note(tier: _Tier, index: int, name: str, block: str, line: int) -> None:
    if line == PROCESS or name == "<process>":
        tier.always.setdefault(index, _STARTS)
    elif line == READ:
        tier.read.setdefault(name, set()).add(index)
    elif line == LISTED:
        tier.listed.setdefault(name, set()).add(index)
    else:
        tier.ran.setdefault((name, block), set()).add(index)


def _add_kept(tier: _Tier, blocks: Mapping[str, Blocks]) -> None:
    """A function that remembers (a cache, a global) runs in one test for others too.

    So what the tests that ran it ran and read counts for every test that runs anything of a file that names it.
    """
    touched = _touched(tier)
    by_test = _by_test(tier)
    naming = {file: blocks[file].names for file in touched if file in blocks}
    added: list[tuple[set[int], set[int]]] = []
    for file, found in blocks.items():
        for block, bare in found.keeps.items():
            runners = tier.ran.get((file, block))
            if not runners:
                continue
            callers = set().union(*(touched[f] for f, names in naming.items() if bare in names or f == file))
            extent = {id(tests): tests for test in runners for tests in by_test.get(test, ())}
            added += [(tests, callers) for tests in extent.values()]
            if all(tier.always.get(test) == _STARTS for test in runners):
                tier.always.update((test, _STARTS) for test in callers - tier.always.keys())
    for tests, callers in added:
        tests.update(callers)


def _touched(tier: _Tier) -> dict[str, set[int]]:
    """File → tests that ran anything of it, and its own."""
    touched: dict[str, set[int]] = {}
    for index, file in enumerate(tier.files):
        touched.setdefault(file, set()).add(index)
    for (file, _), tests in tier.ran.items():
        touched.setdefault(file, set()).update(tests)
    return touched


def _by_test(tier: _Tier) -> dict[int, list[set[int]]]:
    """Test → the sets of everything that it ran and read outside of test files; a set is the one that it is kept in."""
    own = set(tier.files)
    found: dict[int, list[set[int]]] = {}
    ran = [tests for (file, block), tests in tier.ran.items() if block != MODULE and file not in own]
    for tests in (*ran, *(tests for file, tests in tier.read.items() if file not in own)):
        for test in tests:
            found.setdefault(test, []).append(tests)
    return found


def _tier(tier: _Tier, digests: Mapping[str, str]) -> TierMap:
    known: dict[str, int] = {}

    def number(tests: set[int]) -> int:
        return known.setdefault(pack(tests), len(known))

    ran: dict[str, dict[str, int]] = {}
    for (file, block), tests in sorted(tier.ran.items()):
        if file in digests:
            ran.setdefault(file, {})[block] = number(tests)
    read = {file: number(tests) for file, tests in sorted(tier.read.items()) if file in digests}
    folders = {parent for file in digests for parent in _parents(file)}
    listed = {folder: number(tests) for folder, tests in sorted(tier.listed.items()) if folder.rstrip("/") in folders}
    return TierMap(tuple(tier.tests), tuple(tier.files), Sets(tuple(known)), ran, read, listed, dict(tier.always))


def _parents(file: str) -> Iterable[str]:
    parts = file.split("/")[:-1]
    return ("/".join(parts[:depth]) for depth in range(len(parts) + 1))
