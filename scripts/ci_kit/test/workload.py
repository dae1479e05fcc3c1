"""Which tests this shard runs: from the plan of the run, or planned here when there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci_kit import split
from ci_kit.config import Config, Tier
from ci_kit.discovery import find_test_files
from ci_kit.errors import CallerMistake
from ci_kit.inputs import Shard
from ci_kit.plan import Plan, PlannedTier, Selection, read_plan
from ci_kit.pytest_config import read_pytest_config
from ci_kit.test.command import Size
from ci_kit.test_count import count_tests

DEFAULT_TIER = "tests"


@dataclass(frozen=True)
class Workload:
    """The tier as planned, and this shard's part of it."""

    tier: PlannedTier
    selection: Selection


def find_workload(root: Path, config: Config, *, plan: Path | None, tier: str, shard: Shard) -> Workload:
    """Raises `CallerMistake` for a tier that does not exist, and for a shard that does not fit the plan."""
    made = read_plan(plan) if plan is not None else _own_plan(root, config, tier, shard)
    if not tier and len(made.tiers) != 1:
        raise CallerMistake(
            "input tier: the plan has several tiers and none is chosen.",
            next_step=f"Choose one of: {', '.join(planned.name for planned in made.tiers)}.",
        )
    planned = made.tier(tier or made.tiers[0].name)
    return Workload(planned, made.selection(planned.name, shard))


def _own_plan(root: Path, config: Config, name: str, shard: Shard) -> Plan:
    tiers = config.tiers or (Tier(DEFAULT_TIER),)
    planned = []
    for tier in tiers:
        if name in ("", tier.name):
            files = find_test_files(root, read_pytest_config(root, tier.paths), tier.paths)
            planned.append(
                PlannedTier(
                    tier.name,
                    split.split(files, shard.count),
                    paths=tier.paths,
                    marker=tier.marker,
                    env=tier.env,
                    services=tier.services,
                )
            )
    if not planned:
        known = ", ".join(tier.name for tier in tiers)
        raise CallerMistake(
            f"input tier: there is no tier {name!r}.", next_step=f"The tiers are: {known}.", file=config.file
        )
    return Plan("", "", "", tuple(planned), ())


def estimate(root: Path, files: Iterable[str], *, owns_unplanned: bool) -> Size | None:
    """A guess at the work in `files`; None when there are no files to judge from."""
    found = [root / file for file in files]
    if not found:
        return Size(0, 0, 0) if not owns_unplanned else None
    return Size(len(found), sum(map(count_tests, found)), sum(map(_units, found)))


def _units(path: Path) -> int:
    """Classes of tests, and one for the functions beside them."""
    try:
        source = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 1
    classes = len(re.findall(r"^class\s+\w*Test\w*", source, re.MULTILINE))
    functions = re.search(r"^(?:async\s+)?def\s+test", source, re.MULTILINE) is not None
    return max(1, classes + functions)
