"""The map of what every test depends on, and its file `affected.json` (`ci-kit/affected/1`).

Many blocks run in the same tests, so sets of tests are written once, as ranges of test numbers ("0-41 57"), and referred to
by number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.report import write_text

SCHEMA = "ci-kit/affected/1"
FILE_NAME = "affected.json"
MOST_BYTES = 200_000_000


@dataclass(frozen=True)
class Sets:
    """Sets of test numbers, each written once."""

    packed: tuple[str, ...] = ()

    def members(self, number: int) -> frozenset[int]:
        """The set with this number."""
        return frozenset(unpack(self.packed[number]))


@dataclass(frozen=True)
class TierMap:
    """One tier. `ran` maps file → block → set of tests that ran it; `read` and `listed` map a file or folder to a set.

    Tests are named by their place in `tests`, `files` holds each one's own file, `always` the reason why a test counts as
    affected by every change.
    """

    tests: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sets: Sets = Sets()
    ran: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)
    always: Mapping[int, str] = field(default_factory=dict)

    def touching(self, file: str) -> frozenset[int]:
        """Tests that ran anything of `file`."""
        return frozenset().union(*(self.sets.members(number) for number in set(self.ran.get(file, {}).values())))


@dataclass(frozen=True)
class AffectedMap:
    """What the default branch's newest recorded run knows.

    `digests` holds every file of that commit, `blocks` the blocks of the Python files, `imports` the Python files that each
    imports. `loaded` are the Python files that tests load; `at_import` their blocks that ran outside of tests;
    `everywhere` files on which all tests depend. `unusable` says why the map must not be used, empty when it may.
    """

    commit: str
    digests: Mapping[str, str]
    blocks: Mapping[str, Mapping[str, str]]
    imports: Mapping[str, frozenset[str]]
    loaded: frozenset[str] = frozenset()
    at_import: Mapping[str, frozenset[str]] = field(default_factory=dict)
    everywhere: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    tiers: Mapping[str, TierMap] = field(default_factory=dict)
    unusable: str = ""


def pack(numbers: Iterable[int]) -> str:
    """Ranges: `{0, 1, 2, 7}` is "0-2 7"."""
    words: list[str] = []
    first = last = -2
    for number in [*sorted(numbers), -9]:
        if number == last + 1:
            last = number
            continue
        if first >= 0:
            words.append(str(first) if first == last else f"{first}-{last}")
        first = last = number
    return " ".join(words)


def unpack(text: str) -> Iterable[int]:
    """The numbers of `pack`."""
    for word in text.split():
        first, dash, last = word.partition("-")
        yield from range(int(first), int(last if dash else first) + 1)


def write_map(folder: Path, found: AffectedMap) -> Path:
    """Write `<folder>/affected.json`."""
    files = sorted({*found.digests, *found.imports, *found.loaded, *found.everywhere})
    number = {file: index for index, file in enumerate(files)}
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "commit": found.commit,
        "unusable": found.unusable,
        "environments": sorted(found.environments),
        "files": files,
        "digests": [found.digests.get(file, "") for file in files],
        "blocks": {str(number[file]): dict(found.blocks[file]) for file in sorted(found.blocks)},
        "imports": {str(number[file]): sorted(number[n] for n in found.imports[file]) for file in found.imports},
        "loaded": sorted(number[file] for file in found.loaded),
        "at-import": {str(number[file]): sorted(names) for file, names in found.at_import.items()},
        "everywhere": sorted(number[file] for file in found.everywhere),
        "tiers": {name: _tier_data(tier) for name, tier in found.tiers.items()},
    }
    schema.check({**data, "tiers": {}}, schema.load("affected"), what="map of affected tests")
    path = folder / FILE_NAME
    write_text(path, json.dumps(data, separators=(",", ":")))
    return path


def _tier_data(tier: TierMap) -> dict[str, Any]:
    known: dict[str, int] = {}
    return {
        "tests": tier.tests,
        "files": tier.files,
        "sets": tier.sets.packed,
        "ran": {file: dict(blocks) for file, blocks in tier.ran.items()},
        "read": dict(tier.read),
        "listed": dict(tier.listed),
        "always": {str(index): known.setdefault(reason, len(known)) for index, reason in tier.always.items()},
        "reasons": list(known),
    }


def read_map(path: Path) -> tuple[AffectedMap | None, str]:
    """The map, or None and a sentence that says why there is none; never an error: the map only saves time."""
    if not path.is_file():
        return None, "no map of the default branch was found"
    try:
        if path.stat().st_size > MOST_BYTES:
            return None, f"the map is larger than {MOST_BYTES // 1_000_000} MB"
        data = json.loads(path.read_text(encoding="utf-8"))
        schema.check({**data, "tiers": {}}, schema.load("affected"), what="map of affected tests")
        return _map(data), ""
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        return None, f"the map cannot be read ({type(error).__name__})"


def _map(data: Mapping[str, Any]) -> AffectedMap:
    files: list[str] = data["files"]
    return AffectedMap(
        commit=data["commit"],
        unusable=data["unusable"],
        environments=frozenset(data["environments"]),
        digests={file: digest for file, digest in zip(files, data["digests"], strict=True) if digest},
        blocks={files[int(index)]: blocks for index, blocks in data["blocks"].items()},
        imports={files[int(i)]: frozenset(files[n] for n in numbers) for i, numbers in data["imports"].items()},
        loaded=frozenset(files[n] for n in data["loaded"]),
        at_import={files[int(i)]: frozenset(names) for i, names in data["at-import"].items()},
        everywhere=frozenset(files[n] for n in data["everywhere"]),
        tiers={name: _tier(tier) for name, tier in data["tiers"].items()},
    )


def _tier(data: Mapping[str, Any]) -> TierMap:
    reasons = data["reasons"]
    tier = TierMap(
        tests=tuple(data["tests"]),
        files=tuple(data["files"]),
        sets=Sets(tuple(data["sets"])),
        ran=data["ran"],
        read=data["read"],
        listed=data["listed"],
        always={int(index): reasons[number] for index, number in data["always"].items()},
    )
    if len(tier.tests) != len(tier.files):
        raise ValueError("tests and files differ in number")
    return tier
