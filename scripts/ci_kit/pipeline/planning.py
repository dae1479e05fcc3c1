"""Decide what a run does: which tiers, on which Pythons, in how many shards, and which jobs that announces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ci_kit.config import Config, Tier
from ci_kit.depth import pythons_of, tiers_of
from ci_kit.errors import CallerMistake
from ci_kit.github import Event
from ci_kit.plan import AFTER, FIRST, Plan, service_mapping
from ci_kit.project import Project
from ci_kit.seed import seed_of
from ci_kit.shard_count import Terms, billed_minutes
from ci_kit.tier_plan import DEFAULT_TIER, TierFiles, plan_tier

MOST_LEGS = 256
HISTORY_DEPTH = 50
NOT_SINGLE = "Call .github/workflows/python-ci.yml instead; it runs the whole configuration."


def tiers_to_run(config: Config, event: Event, *, single: bool) -> tuple[Tier, ...]:
    """The tiers of this run, all as one when it is a single job."""
    tiers = tiers_of(config, event.kind)
    return single_tier(config, tiers) if single else tiers


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
    found: Sequence[TierFiles],
    terms: Terms = Terms(),  # noqa: B008 - frozen
    single: bool = False,
    history: str = "",
) -> Plan:
    """The plan of this run: the tiers in `found`, which `tiers_to_run` names, dealt to shards under `terms`.

    Raises `CallerMistake` when there is nothing to run, when two tiers would run the same file twice, and when the
    matrix would be larger than GitHub's 256 legs.
    """
    kind = event.kind
    _refuse_doubles(found, config)
    pythons = pythons_of(config, project, kind)
    terms = replace(terms, most=max(1, MOST_LEGS // (len(pythons) * len(found))))
    planned = tuple(plan_tier(one, terms) for one in found)
    if not any(one.files for one in found):
        where = ", ".join(path for one in found for path in one.tier.paths) or "pytest's test paths"
        raise CallerMistake(
            f"no test files were found in {where}.",
            next_step="Add tests, or correct `tiers[].paths` (or pytest's testpaths and python_files).",
            file=config.file,
        )
    plan = Plan(name, kind, event.sha, planned, pythons, attempt=event.run_attempt, history=history)
    for stage in (FIRST, AFTER):
        if (legs := len(list(plan.legs(stage)))) > MOST_LEGS:
            raise CallerMistake(
                f"the plan has {legs} matrix legs; GitHub allows {MOST_LEGS}.",
                next_step="Lower `shards`, or the Python versions that this event runs (`depth`).",
                file=config.file,
            )
    lint = bool(config.lint if config.lint is not None else project.lint)
    stages = {tier.stage for tier in planned}
    return replace(
        plan,
        jobs={"lint": lint, "test": FIRST in stages, "test-after": AFTER in stages},
        seed=seed_of(event) if config.test.random_order else None,
        billed_minutes=_billed(plan, terms, single=single, lint=lint),
    )


def keeps_history(config: Config, event: Event) -> bool:
    """Whether this run goes into the history: the default branch's do."""
    return config.history != "none" and event.on_default_branch


def fetch_depth(config: Config, event: Event) -> int:
    """How many commits deep the gate checks out: for a pull request the merge commit and what it is merged into.

    To find an earlier commit with a record of its coverage takes more, and so may the base of a merge group.
    """
    if config.coverage.regression == "forbid" or event.name == "merge_group":
        return HISTORY_DEPTH
    return 2 if event.is_pull_request else 1


def _billed(plan: Plan, terms: Terms, *, single: bool, lint: bool) -> int:
    """The minutes of all jobs. Plan, lint and gate take about one each; the single job holds them all."""
    tests = [billed_minutes(terms.job_seconds(share.seconds)) for tier in plan.tiers for share in tier.shards]
    return sum(tests) * len(plan.pythons) + (0 if single else 2 + lint)


def _refuse_doubles(found: Sequence[TierFiles], config: Config) -> None:
    """Only different markers can keep the tests of a shared file apart; whether they do, the gate sees from the results."""
    holders: dict[str, list[Tier]] = {}
    for one in found:
        tier = one.tier
        for file in one.files:
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
    held = {file for tier in plan.tiers for share in tier.shards for file in share.every_file}
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
