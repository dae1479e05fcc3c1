"""Which tests this shard runs: from the plan of the run, or planned here when there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.config import Config
from ci_kit.errors import CallerMistake
from ci_kit.inputs import Shard
from ci_kit.plan import Plan, PlannedTier, given_plan
from ci_kit.shard_count import Terms
from ci_kit.share import Selection
from ci_kit.test.command import Size
from ci_kit.test_count import count_tests
from ci_kit.tier_plan import find_tier, plan_tier, tiers_or_default


@dataclass(frozen=True)
class Workload:
    """The tier as planned, this shard's part of it, and the plan's seed of the random order."""

    tier: PlannedTier
    selection: Selection
    seed: int | None = None


def find_workload(root: Path, config: Config, *, plan: Path | None, tier: str, shard: Shard) -> Workload:
    """Raises `CallerMistake` for a tier that does not exist, and for a shard that does not fit the plan."""
    made = given_plan(plan) if plan is not None else _own_plan(root, config, tier, shard)
    if not tier and len(made.tiers) != 1:
        raise CallerMistake(
            "input tier: the plan has several tiers and none is chosen.",
            next_step=f"Choose one of: {', '.join(planned.name for planned in made.tiers)}.",
        )
    planned = made.tier(tier or made.tiers[0].name)
    return Workload(planned, made.selection(planned.name, shard), made.seed)


def _own_plan(root: Path, config: Config, name: str, shard: Shard) -> Plan:
    tiers = tiers_or_default(config.tiers)
    planned = [plan_tier(find_tier(root, tier, {}), Terms(), shard.count) for tier in tiers if name in ("", tier.name)]
    if not planned:
        known = ", ".join(tier.name for tier in tiers)
        raise CallerMistake(
            f"input tier: there is no tier {name!r}.", next_step=f"The tiers are: {known}.", file=config.file
        )
    return Plan("", "", "", tuple(planned), ())


def estimate(root: Path, files: Iterable[str], durations: Mapping[str, float], *, owns_unplanned: bool) -> Size | None:
    """A guess at the work in `files`; None when there are no files to judge from. `durations` are those of their tests."""
    found = [root / file for file in files]
    if not found:
        return Size(0, 0, 0) if not owns_unplanned else None
    tests = sum(map(count_tests, found))
    seconds = sum(durations.values()) if durations and len(durations) * 2 >= tests else None
    return Size(len(found), tests, sum(map(_units, found)), seconds)


def _units(path: Path) -> int:
    """Classes of tests, and one for the functions beside them."""
    try:
        source = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 1
    classes = len(re.findall(r"^class\s+\w*Test\w*", source, re.MULTILINE))
    functions = re.search(r"^(?:async\s+)?def\s+test", source, re.MULTILINE) is not None
    return max(1, classes + functions)
