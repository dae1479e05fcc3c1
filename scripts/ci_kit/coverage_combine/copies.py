"""Installed copies: what was measured in a `site-packages` is led to the file of the checkout that it was made from.

The digests prove it. A copy whose text is another one is led home too, by its name, so that the error can name the file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\]|(?:site|dist)-packages[/\\]")

MOST_PLACES = 100
"""Every measured name is held against every place, and a fork can make up as many as it likes; what is left is unmapped."""


@dataclass(frozen=True)
class Copy:
    """A file as it was measured: the folder that it is installed in, and its POSIX path below that."""

    name: str
    place: str
    inside: str


def installed(names: Iterable[str]) -> list[Copy]:
    """Those of some measured names that are in a `site-packages` or `dist-packages`, of any system."""
    found = ((name, match) for name in sorted(names) if (match := INSTALLED.match(name)))
    return [Copy(name, match[0][:-1], name[match.end() :].replace("\\", "/")) for name, match in found]


def homes(copies: Iterable[Copy], files: Iterable[str], same: Callable[[str, str], bool]) -> dict[str, list[str]]:
    """For each folder of the checkout from which something was installed (`.` is the checkout), the places of its copies.

    `files` are the checkout's, `same` says whether a measured name and a file have the same text. The folder with
    most proof comes first. A module outside any package needs proof: its name alone says too little.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_name[file.rpartition("/")[2]].append(file)
    candidates: dict[Copy, dict[str, bool]] = {}
    for copy in copies:
        ends = [file for file in by_name[copy.inside.rpartition("/")[2]] if f"/{file}".endswith(f"/{copy.inside}")]
        roots = {file[: -len(copy.inside)].rstrip("/") or ".": same(copy.name, file) for file in ends}
        candidates[copy] = {root: proven for root, proven in roots.items() if proven or "/" in copy.inside}
    proven = Counter(root for roots in candidates.values() for root, alike in roots.items() if alike)
    named = Counter(root for roots in candidates.values() for root in roots)

    def rank(root: str) -> tuple[int, int, int, str]:
        return -proven[root], -named[root], root.count("/") + (root != "."), root

    places: dict[str, set[str]] = defaultdict(set)
    allowed = set(sorted({copy.place for copy, roots in candidates.items() if roots})[:MOST_PLACES])
    for copy, roots in candidates.items():
        if roots and copy.place in allowed:
            places[min(roots, key=lambda root: (not roots[root], rank(root)))].add(copy.place)
    return {root: sorted(places[root]) for root in sorted(places, key=rank)}


def aliases(found: Mapping[str, Iterable[str]], literal: Callable[[str], str]) -> dict[str, list[str]]:
    """`homes` as entries of `[paths]`."""
    return {
        f"ci-kit installed from {root}": [f"{root}/" if root != "." else "./", *dict.fromkeys(map(literal, places))]
        for root, places in found.items()
    }
