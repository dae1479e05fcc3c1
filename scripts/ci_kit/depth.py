"""Which tiers and Pythons a kind of event runs: the setting `depth`."""

from __future__ import annotations

from dataclasses import replace

from ci_kit.config import Config, Depth, Tier
from ci_kit.project import Project, default_python, newest
from ci_kit.tier_plan import tiers_or_default


def tiers_of(config: Config, kind: str) -> tuple[Tier, ...]:
    """The tiers that this kind of event runs. Without `depth`, other branches run the first tier, the rest all."""
    tiers = tiers_or_default(config.tiers)
    depth = config.depth.get(kind, Depth((tiers[0].name,) if kind == "other" else None, None))
    chosen = tuple(tier for tier in tiers if depth.tiers is None or tier.name in depth.tiers)
    names = {tier.name for tier in chosen}
    return tuple(tier if tier.after in names else replace(tier, after=None) for tier in chosen)


def pythons_of(config: Config, project: Project, kind: str) -> tuple[str, ...]:
    """The Python versions that this kind of event runs. Without `depth`, the default branch runs all, the rest the newest."""
    versions = config.python or (default_python(project),)
    depth = config.depth.get(kind)
    asked = depth.python if depth else (None if kind == "default-branch" else ("newest",))
    if asked is None:
        return versions
    chosen = {newest(versions) if version == "newest" else version for version in asked}
    return tuple(version for version in versions if version in chosen)
