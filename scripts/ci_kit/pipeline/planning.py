"""Decide what a run does: which tiers, on which Pythons, in how many shards, and which jobs that announces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ci_kit import split
from ci_kit.config import Config, Depth, Tier
from ci_kit.discovery import TestFile
from ci_kit.errors import CallerMistake
from ci_kit.github import Event
from ci_kit.plan import AFTER, FIRST, Plan, PlannedTier, service_mapping
from ci_kit.project import Project, default_python, newest

MOST_LEGS = 256
DEFAULT_TIER = "tests"
NOT_SINGLE = "Call .github/workflows/python-ci.yml instead; it runs the whole configuration."


def event_kind(event: Event) -> str:
    """`pull-request`, `default-branch` or `other`: the three depths. A merge queue and a laptop count as a pull request."""
    if event.is_pull_request or event.name in {"merge_group", "local"}:
        return "pull-request"
    return "default-branch" if event.on_default_branch else "other"


def tiers_of(config: Config, kind: str) -> tuple[Tier, ...]:
    """The tiers that this kind of event runs. Without `depth`, other branches run the first tier, the rest all."""
    tiers = config.tiers or (Tier(DEFAULT_TIER),)
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


def single_tier(config: Config, tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """All tiers as one, for the single-job action. Raises `CallerMistake` for what one job cannot hold."""
    if len(config.python) > 1:
        raise _not_single(config, f"{len(config.python)} Python versions")
    if serviced := [tier.name for tier in tiers if tier.services]:
        raise _not_single(config, f"services (tier {serviced[0]})")
    if len({tier.marker for tier in tiers}) > 1:
        raise _not_single(config, "tiers with different markers")
    env: dict[str, str] = {}
    for tier in tiers:
        for name, value in tier.env.items():
            if env.setdefault(name, value) != value:
                raise _not_single(config, f"tiers that set {name} differently")
    if any(not tier.paths for tier in tiers):
        paths: tuple[str, ...] = ()
    else:
        paths = tuple(dict.fromkeys(path for tier in tiers for path in tier.paths))
    name = tiers[0].name if len(tiers) == 1 else DEFAULT_TIER
    return (Tier(name, paths, tiers[0].marker, shards=1, env=env),)


def _not_single(config: Config, what: str) -> CallerMistake:
    return CallerMistake(f"the single-job action cannot run {what}.", next_step=NOT_SINGLE, file=config.file)


def make_plan(
    config: Config,
    project: Project,
    event: Event,
    *,
    name: str,
    files: Mapping[str, Sequence[TestFile]],
    single: bool = False,
) -> Plan:
    """The plan of this run. `files` holds, for each tier by name, the test files found under its paths.

    Raises `CallerMistake` when there is nothing to run, when two tiers would run the same file twice, and when the
    matrix would be larger than GitHub's 256 legs.
    """
    kind = event_kind(event)
    tiers = tiers_of(config, kind)
    tiers = single_tier(config, tiers) if single else tiers
    _refuse_doubles(tiers, files, config)
    planned = tuple(_planned(tier, files[tier.name]) for tier in tiers)
    pythons = pythons_of(config, project, kind)
    if not any(files[tier.name] for tier in tiers):
        where = ", ".join(path for tier in tiers for path in tier.paths) or "pytest's test paths"
        raise CallerMistake(
            f"no test files were found in {where}.",
            next_step="Add tests, or correct `tiers[].paths` (or pytest's testpaths and python_files).",
            file=config.file,
        )
    plan = Plan(name, kind, event.sha, planned, pythons, attempt=event.run_attempt)
    for stage in (FIRST, AFTER):
        if (legs := len(list(plan.legs(stage)))) > MOST_LEGS:
            raise CallerMistake(
                f"the plan has {legs} matrix legs; GitHub allows {MOST_LEGS}.",
                next_step="Lower `shards`, or the Python versions that this event runs (`depth`).",
                file=config.file,
            )
    lint = config.lint if config.lint is not None else project.lint
    stages = {tier.stage for tier in planned}
    return replace(plan, jobs={"lint": bool(lint), "test": FIRST in stages, "test-after": AFTER in stages})


def _planned(tier: Tier, files: Sequence[TestFile]) -> PlannedTier:
    return PlannedTier(
        name=tier.name,
        shards=split.split(files, tier.shards or split.choose_count(files)),
        stage=AFTER if tier.after else FIRST,
        paths=tier.paths,
        marker=tier.marker,
        env=tier.env,
        services=tier.services,
    )


def _refuse_doubles(tiers: Sequence[Tier], files: Mapping[str, Sequence[TestFile]], config: Config) -> None:
    """Only different markers can keep the tests of a shared file apart; whether they do, the gate sees from the results."""
    holders: dict[str, list[Tier]] = {}
    for tier in tiers:
        for file in files[tier.name]:
            for other in holders.setdefault(file.path, []):
                if tier.marker is None or other.marker in (None, tier.marker):
                    raise CallerMistake(
                        f"the tiers {other.name} and {tier.name} both hold {file.path}, so its tests would run twice.",
                        next_step="Give the tiers paths that do not overlap, or each a marker, and markers that exclude "
                        'each other (such as "slow" and "not slow").',
                        file=config.file,
                    )
            holders[file.path].append(tier)


def unassigned(plan: Plan, everything: Sequence[str]) -> tuple[str, ...]:
    """Test files that pytest would find and no tier of this plan holds."""
    held = {file for tier in plan.tiers for shard in tier.shards for file in shard}
    return tuple(file for file in everything if file not in held)


def matrix(plan: Plan, stage: int) -> dict[str, list[dict[str, Any]]]:
    """GitHub's matrix for one stage: one entry a leg, with its services in the slots `s1`, `s2`, …."""
    legs = []
    for leg in plan.legs(stage):
        tier = plan.tier(leg.tier)
        entry: dict[str, Any] = {"tier": leg.tier, "python": leg.python, "shard": str(leg.shard)}
        if tier.services:
            entry["services"] = {
                f"s{slot}": {key: value for key, value in service_mapping(service).items() if key != "ready" and value}
                for slot, service in enumerate(tier.services.values(), 1)
            }
        legs.append(entry)
    return {"include": legs}
