"""Bring together what the jobs of a run delivered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.reading import reason
from ci_kit.selective_mutation.shard import NAME, Origin, Tried, artifact, read_shard, tried_from


@dataclass(frozen=True)
class Collected:
    """What each share found, in their order, and the files that it is from. `problems` name shares without a good delivery."""

    tried: tuple[Tried, ...]
    paths: tuple[Path, ...]
    problems: tuple[str, ...]


def collect(folder: Path, wanted: Sequence[Origin], dealt: Sequence[Sequence[Mutant]]) -> Collected:
    """The newest delivery of each of the `wanted` shares up to their attempt; `dealt` are their mutants.

    What an earlier attempt left does not matter, nor what other calls did: a delivery's folder has its artifact's name.
    """
    tried, paths, problems = [], [], []
    for origin, mutants in zip(wanted, dealt, strict=True):
        attempt = _newest(folder, origin)
        if not attempt:
            problems.append(f"share {origin.shard} delivered nothing")
            continue
        path = folder / artifact(origin.name, origin.shard, attempt) / NAME
        try:
            data = read_shard(path, replace(origin, attempt=attempt))
            tried.append(tried_from(data, mutants))
            paths.append(path)
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"share {origin.shard} cannot be used ({reason(error)})")
    return Collected(tuple(tried), tuple(paths), tuple(problems))


def together(tried: Iterable[Tried], mutants: Sequence[Mutant]) -> Tried:
    """All shares as one run, in the order of the mutants. The jobs ran side by side: the slowest counts."""
    shares = list(tried)
    of = {each.mutant.id: each for share in shares for each in share.judged}
    notes = tuple(
        f"Share {number} of {len(shares)}: {note}" for number, share in enumerate(shares, 1) for note in share.notes
    )
    return Tried(
        tuple(of[mutant.id] for mutant in mutants),
        notes,
        max((share.seconds for share in shares), default=0.0),
        max((share.fixed_seconds for share in shares), default=0.0),
    )


def _newest(folder: Path, origin: Origin) -> int:
    """The highest attempt that delivered, at most this one's; 0 for none."""
    stem = artifact(origin.name, origin.shard, 0).removesuffix("0")
    names = (path.name for path in folder.glob(f"{stem}*") if path.is_dir())
    attempts = (int(name[len(stem) :]) for name in names if re.fullmatch(r"[0-9]{1,6}", name[len(stem) :]))
    return max((attempt for attempt in attempts if attempt <= origin.attempt), default=0)
