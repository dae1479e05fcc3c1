"""Where measured files are in this checkout, and what to write when they are nowhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Unmapped:
    """A measured file that is not in this checkout; `inside` is its path below the root where it was measured."""

    path: str
    inside: str | None


def aliases(configured: Mapping[str, Sequence[str]], roots: Iterable[str], here: str) -> dict[str, list[str]]:
    """The `[paths]` to combine with: the consumer's own first, then every other root onto this checkout."""
    foreign = sorted({literal(root) for root in roots if _plain(root) != _plain(here)})
    found = {name: list(paths) for name, paths in configured.items()}
    return {**found, "ci-kit workspace": ["./", *foreign]} if foreign else found


def below(path: str, roots: Iterable[str]) -> str | None:
    """The POSIX path of `path` below the first root that holds it; a relative path is below every root."""
    plain = _plain(path)
    if not re.match(r"/|[A-Za-z]:/", plain):
        return plain
    for root in roots:
        if plain.startswith(f"{_plain(root)}/"):
            return plain[len(_plain(root)) + 1 :]
    return None


def unmapped(paths: Iterable[str], roots: Collection[str]) -> list[Unmapped]:
    """Where each measured path was below the roots it was measured in."""
    return [Unmapped(path, below(path, roots)) for path in sorted(paths)]


def suggest_paths(strangers: Iterable[str], files: Iterable[str]) -> dict[str, list[str]]:
    """For each folder of this checkout what leads `strangers` to its `files`, for a `[paths]` block; most files first.

    A stranger's home is the file that shares the longest end with it; at least a folder and a name must agree, or the
    name alone where it is the only one.
    """
    by_name: dict[str, list[tuple[str, ...]]] = {}
    for file in files:
        parts = PurePosixPath(file).parts
        by_name.setdefault(parts[-1], []).append(parts)
    pairs: Counter[tuple[str, str]] = Counter()
    for stranger in strangers:
        parts = tuple(_plain(stranger).split("/"))
        homes = by_name.get(parts[-1], [])
        shared = {home: _shared_end(parts, home) for home in homes}
        longest = max(shared.values(), default=0)
        best = [home for home in homes if shared[home] == longest]
        if len(best) == 1 and (longest > 1 or parts[-1] != "__init__.py"):
            foreign, local = parts[: len(parts) - longest], best[0][: len(best[0]) - longest]
            pairs["/".join(local) or ".", _generalised("/".join(foreign))] += 1
    most: Counter[str] = Counter()
    for (home, _), count in pairs.items():
        most[home] += count
    return {
        home: [foreign for (local, foreign), _ in pairs.most_common() if local == home]
        for home, _ in most.most_common()
    }


def paths_block(homes: Mapping[str, Sequence[str]], *, toml: bool) -> str:
    """What `suggest_paths` found, as the consumer writes it."""
    lines = ["[tool.coverage.paths]" if toml else "[paths]"]
    for number, (home, foreign) in enumerate(homes.items(), 1):
        name = "source" if number == 1 else f"source{number}"
        if toml:
            lines.append(f"{name} = [" + ", ".join(f'"{entry}"' for entry in (home, *foreign)) + "]")
        else:
            lines += [f"{name} =", *(f"    {entry}" for entry in (home, *foreign))]
    return "\n".join(lines)


def _shared_end(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _generalised(prefix: str) -> str:
    last = prefix.rpartition("/")[2]
    return f"*/{last}" if last in {"site-packages", "dist-packages"} else prefix or "/"


def _plain(path: str) -> str:
    return path.replace("\\", "/").rstrip("/")


def literal(path: str) -> str:
    """A root as a pattern of coverage: `?` stands for a character that would mean something else in a pattern."""
    return re.sub(r"[*?\[\]]", "?", path)
