"""Plan one tier: find its files, weigh them, deal them to shards. For a whole run, and for `test run` without a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit import split
from ci_kit.config import Tier
from ci_kit.discovery import TestFile, find_test_files
from ci_kit.plan import AFTER, FIRST, PlannedTier
from ci_kit.pytest_config import read_pytest_config
from ci_kit.shard_count import Terms, choose_count
from ci_kit.split import Recorded

DEFAULT_TIER = "tests"


@dataclass(frozen=True)
class TierFiles:
    """A tier, the test files found under its paths, and what is recorded of their tests."""

    tier: Tier
    files: Sequence[TestFile]
    recorded: Recorded

    @property
    def share_recorded(self) -> float:
        """Which part of the tests has a record, 0-1."""
        tests = sum(file.tests for file in self.files)
        known = sum(len(self.recorded.get(file.path, ())) for file in self.files)
        return known / tests if tests else 0.0


def tiers_or_default(tiers: Sequence[Tier]) -> Sequence[Tier]:
    """The configured tiers, else one with pytest's own test paths."""
    return tiers or (Tier(DEFAULT_TIER),)


def find_tier(root: Path, tier: Tier, recorded: Recorded) -> TierFiles:
    """Raises `CallerMistake` for a path of the tier that does not exist."""
    files = find_test_files(root, read_pytest_config(root, tier.paths), tier.paths, recorded)
    if tier.marker is not None and recorded:
        # The file alone does not say which of its tests the marker takes; the record does, and mostly it is none.
        files = [replace(file, tests=max(1, len(recorded.get(file.path, ())))) for file in files]
    planned = {file.path for file in files}
    return TierFiles(tier, files, {file: tests for file, tests in recorded.items() if file in planned})


def plan_tier(found: TierFiles, terms: Terms, count: int | None = None) -> PlannedTier:
    """The tier in `count` shards, else in as many as it configures, else by its target and `terms`."""
    tier: Tier = found.tier
    terms = replace(terms, target_seconds=tier.target_seconds, most=min(terms.most, tier.max_shards))
    count = count or tier.shards or choose_count(split.works(found.files, found.recorded), terms)
    return PlannedTier(
        name=tier.name,
        shards=split.deal(found.files, found.recorded, count),
        stage=AFTER if tier.after else FIRST,
        paths=tier.paths,
        marker=tier.marker,
        env=tier.env,
        services=tier.services,
    )
