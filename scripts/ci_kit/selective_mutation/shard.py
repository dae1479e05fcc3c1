"""What one of several jobs delivers, and how the job that merges them reads it.

`shard.json` (`ci-kit/mutation-shard/1`). Everything in it is held against what this job knows by itself: which mutants
there are, and which of them the shard was dealt.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.inputs import Shard
from ci_kit.report import write_text
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.reading import read_json
from ci_kit.selective_mutation.verdicts import Verdict

NAME = "shard.json"
SCHEMA = "mutation-shard"
MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Tried:
    """What became of mutants. `fixed_seconds` is what the job took beside the mutants themselves."""

    judged: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    fixed_seconds: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True)
class Origin:
    """Which job of which run."""

    name: str
    commit: str
    attempt: int
    shard: Shard


def artifact(name: str, shard: Shard, attempt: int) -> str:
    """Under which name a share is delivered, and so the name of its folder."""
    return f"{name}-mutation-{shard.index}of{shard.count}-a{attempt}"


def write_shard(folder: Path, origin: Origin, tried: Tried) -> Path:
    """Whole or not at all."""
    numbers: dict[str, int] = {}
    verdicts = [
        {
            "mutant": each.verdict.mutant,
            "status": each.verdict.status,
            "tests": [numbers.setdefault(test, len(numbers)) for test in each.verdict.tests],
            "killer": each.verdict.killer,
            "seconds": round(each.verdict.seconds, 3),
            "how": each.verdict.how,
            "detail": each.verdict.detail,
        }
        for each in tried.judged
    ]
    data = {
        "schema": f"ci-kit/{SCHEMA}/1",
        "name": origin.name,
        "commit": origin.commit,
        "attempt": origin.attempt,
        "shard": {"index": origin.shard.index, "count": origin.shard.count},
        "tests": list(numbers),
        "verdicts": verdicts,
        "weakened": [each.mutant.id for each in tried.judged if each.weakened],
        "notes": list(tried.notes),
        "seconds": round(tried.seconds, 3),
        "fixed-seconds": round(tried.fixed_seconds, 3),
    }
    schema.check(data, schema.load(SCHEMA), what="shard")
    path = folder / NAME
    write_text(path, json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def read_shard(path: Path, origin: Origin) -> Mapping[str, Any]:
    """All of it. Raises `ValueError` or `OSError` for anything else than what `write_shard` writes for that job."""
    data = read_json(path, MOST_BYTES)
    schema.check(data, schema.load(SCHEMA), what="shard")
    if not isinstance(data, dict):  # the schema says object; this tells the type checker
        raise TypeError(path)
    index, count = data["shard"]["index"], data["shard"]["count"]
    found = Origin(data["name"], data["commit"], data["attempt"], Shard(index, count))
    if found != origin:
        raise ValueError(f"it is share {found.shard} of {found.name} at {found.commit[:12]}, attempt {found.attempt}")
    return data


def tried_from(data: Mapping[str, Any], dealt: Sequence[Mutant]) -> Tried:
    """The verdicts of the mutants that the shard was dealt. Raises `ValueError` when it has others, or not all."""
    tests = data["tests"]
    verdicts = {each["mutant"]: _verdict(each, tests) for each in data["verdicts"]}
    _same(verdicts.keys(), {mutant.id for mutant in dealt}, len(data["verdicts"]))
    weakened = frozenset(data["weakened"])
    judged = tuple(Judged(mutant, verdicts[mutant.id], weakened=mutant.id in weakened) for mutant in dealt)
    if weakened - {each.mutant.id for each in judged if each.undetected}:
        raise ValueError("it says of mutants that do not survive that the change lets them go")
    return Tried(judged, tuple(data["notes"]), data["seconds"], data["fixed-seconds"])


def _same(found: Collection[str], dealt: Collection[str], entries: int) -> None:
    if len(found) != entries:
        raise ValueError("it has two verdicts of one mutant")
    if set(found) != set(dealt):
        lacks, more = len(set(dealt) - set(found)), len(set(found) - set(dealt))
        raise ValueError(f"of its {len(dealt)} mutants {lacks} have no verdict, and it has {more} of others")


def _verdict(data: Mapping[str, Any], tests: Sequence[str]) -> Verdict:
    numbers = data["tests"]
    if numbers and max(numbers) >= len(tests):
        raise ValueError("it names a test that is not in its list")
    named = tuple(tests[number] for number in numbers)
    return Verdict(
        data["mutant"], data["status"], named, data["killer"], float(data["seconds"]), data["how"], data["detail"]
    )
