"""Decisions of the plan that need no files: kinds of events, tiers, Pythons, and what one job cannot hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.config import Config, Coverage, Depth, Tier
from ci_kit.depth import pythons_of, tiers_of
from ci_kit.discovery import TestFile
from ci_kit.errors import CallerMistake
from ci_kit.github import Event
from ci_kit.pipeline.planning import (
    fetch_depth,
    keeps_history,
    make_plan,
    single_tier,
    unassigned,
)
from ci_kit.plan import AFTER, FIRST
from ci_kit.project import Project
from ci_kit.service import Service
from ci_kit.shard_count import Terms
from ci_kit.tier_plan import TierFiles

EVENT = Event("push", "c" * 40, "refs/heads/main", "o/r", "1", 2, "w", "plan", Path(), "")
UNIT, SLOW = Tier("unit", ("tests/unit",)), Tier("slow", ("tests/slow",), after="unit")
CONFIG = Config(file="c.yml", python=("3.9", "3.11", "3.10"), tiers=(UNIT, SLOW))
ONE = TestFile("tests/unit/test_a.py", 1)
FOUND = [TierFiles(UNIT, [ONE], {}), TierFiles(SLOW, [TestFile("tests/slow/test_b.py", 1)], {})]


@pytest.mark.parametrize(
    ("name", "ref", "kind"),
    [
        ("push", "refs/heads/main", "default-branch"),
        ("workflow_dispatch", "refs/heads/main", "default-branch"),
        ("schedule", "refs/heads/trunk", "default-branch"),
        ("push", "refs/heads/maintenance", "other"),
        ("release", "refs/tags/v1", "other"),
        ("pull_request", "refs/pull/7/merge", "pull-request"),
        ("pull_request_target", "refs/heads/main", "pull-request"),
        ("merge_group", "refs/heads/gh-readonly-queue/main/x", "pull-request"),
        ("local", "", "pull-request"),
    ],
)
def test_kinds_of_events(name: str, ref: str, kind: str) -> None:
    assert replace(EVENT, name=name, ref=ref).kind == kind


def test_a_tier_whose_predecessor_does_not_run_waits_for_nothing() -> None:
    config = replace(CONFIG, depth={"other": Depth(("slow",), None)})
    assert tiers_of(config, "other") == (replace(SLOW, after=None),)
    assert tiers_of(config, "pull-request") == (UNIT, SLOW)
    assert tiers_of(CONFIG, "other") == (UNIT,)


@pytest.mark.parametrize(
    ("depth", "kind", "pythons"),
    [
        (None, "default-branch", ("3.9", "3.11", "3.10")),
        (None, "pull-request", ("3.11",)),
        (("newest",), "default-branch", ("3.11",)),
        (("3.9", "newest"), "pull-request", ("3.9", "3.11")),
        (("3.11", "newest"), "pull-request", ("3.11",)),
    ],
)
def test_pythons(depth: tuple[str, ...] | None, kind: str, pythons: tuple[str, ...]) -> None:
    config = replace(CONFIG, depth={kind: Depth(None, depth)} if depth else {})
    assert pythons_of(config, Project(), kind) == pythons


@pytest.mark.parametrize(
    ("name", "ref", "depth", "with_records", "kept"),
    [
        ("push", "refs/heads/main", 1, 50, True),
        ("schedule", "refs/heads/main", 1, 50, True),
        ("push", "refs/heads/other", 1, 50, False),
        ("pull_request", "refs/pull/7/merge", 2, 50, False),
        ("merge_group", "refs/heads/gh-readonly-queue/main/x", 50, 50, False),
    ],
)
def test_how_deep_the_gate_checks_out_and_whose_history_is_kept(
    name: str, ref: str, depth: int, with_records: int, kept: bool
) -> None:
    event = replace(EVENT, name=name, ref=ref)
    assert fetch_depth(Config(), event) == depth
    assert fetch_depth(Config(coverage=Coverage(regression="forbid")), event) == with_records
    assert keeps_history(Config(), event) is kept
    assert not keeps_history(Config(history="none"), event)


def test_without_configuration_the_project_says_which_python() -> None:
    assert pythons_of(Config(), Project(requires_python="<3.12"), "default-branch") == ("3.11",)


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ((replace(UNIT, services={"r": Service("redis")}), SLOW), "services (tier unit)"),
        ((replace(UNIT, marker="fast"), SLOW), "tiers with different markers"),
        ((replace(UNIT, env={"A": "1"}), replace(SLOW, env={"A": "2"})), "tiers that set A differently"),
    ],
)
def test_what_one_job_cannot_hold(tiers: tuple[Tier, ...], said: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        single_tier(Config(file="c.yml"), tiers)
    assert said in caught.value.message
    assert "python-ci.yml" in caught.value.next_step


def test_one_job_holds_all_tiers() -> None:
    tiers = (replace(UNIT, env={"A": "1"}), replace(SLOW, env={"B": "2"}, paths=("tests/unit", "tests/slow")))
    assert single_tier(Config(), tiers) == (
        Tier("tests", ("tests/unit", "tests/slow"), shards=1, env={"A": "1", "B": "2"}),
    )
    assert single_tier(Config(), (UNIT, Tier("rest"))) == (Tier("tests", (), shards=1),)
    assert single_tier(Config(), (UNIT,)) == (replace(UNIT, shards=1),)


def test_the_plan_announces_its_jobs_and_stages() -> None:
    plan = make_plan(CONFIG, Project(lint=("ruff check .",)), EVENT, name="ci", found=FOUND)
    assert plan.jobs == {"lint": True, "test": True, "test-after": True}
    assert [tier.stage for tier in plan.tiers] == [FIRST, AFTER]
    assert (plan.commit, plan.attempt, plan.event) == (EVENT.sha, 2, "default-branch")
    plan = make_plan(replace(CONFIG, lint=()), Project(lint=("ruff check .",)), EVENT, name="ci", found=FOUND)
    assert plan.jobs["lint"] is False


def test_more_shards_than_files_are_announced_all_the_same() -> None:
    config = replace(CONFIG, tiers=(replace(UNIT, shards=3),))
    found = [TierFiles(config.tiers[0], [ONE], {})]
    [tier] = make_plan(config, Project(), EVENT, name="ci", found=found).tiers
    assert sorted(share.files for share in tier.shards) == [(), (), ("tests/unit/test_a.py",)]


def test_tiers_with_markers_may_share_files() -> None:
    tiers = (Tier("fast", marker="not slow"), Tier("slow", marker="slow"))
    found = [TierFiles(tier, [ONE], {}) for tier in tiers]
    plan = make_plan(CONFIG, Project(), EVENT, name="ci", found=found)
    assert [[share.files for share in tier.shards] for tier in plan.tiers] == [[("tests/unit/test_a.py",)]] * 2


@pytest.mark.parametrize("markers", [(None, None), ("not slow", None), (None, "slow"), ("slow", "slow")])
def test_without_different_markers_a_shared_file_would_run_twice(markers: tuple[str | None, str | None]) -> None:
    tiers = tuple(Tier(name, marker=marker) for name, marker in zip(("one", "two"), markers, strict=True))
    found = [TierFiles(tier, [ONE], {}) for tier in tiers]
    with pytest.raises(CallerMistake) as caught:
        make_plan(CONFIG, Project(), EVENT, name="ci", found=found)
    assert caught.value.message.startswith("the tiers one and two both hold tests/unit/test_a.py")


def test_files_that_no_tier_holds() -> None:
    plan = make_plan(CONFIG, Project(), EVENT, name="ci", found=FOUND)
    assert unassigned(plan, ["tests/slow/test_b.py", "tests/new/test_c.py"]) == ("tests/new/test_c.py",)


def test_the_plan_says_what_it_costs() -> None:
    """Each job is rounded up to a whole minute: 30 s and 40 s of tests in three shards on two Pythons, and three more."""
    tier = replace(UNIT, shards=3)
    recorded = {f"{n}.py": {f"{n}.py::t": 40.0} for n in range(3)}
    found = [TierFiles(tier, [TestFile(file, 1) for file in recorded], recorded)]
    config = replace(CONFIG, python=("3.11", "3.12"), lint=("ruff check .",))
    terms = Terms(overhead_seconds=30)
    assert make_plan(config, Project(), EVENT, name="ci", found=found, terms=terms).billed_minutes == 2 * 3 * 2 + 3
    terms = Terms(overhead_seconds=30, speed=2.0)
    assert make_plan(config, Project(), EVENT, name="ci", found=found, terms=terms, single=True).billed_minutes == 6


def test_the_seed_is_one_for_the_run_and_another_for_the_next() -> None:
    one, again = (make_plan(CONFIG, Project(), EVENT, name="ci", found=FOUND).seed for _ in range(2))
    other = make_plan(CONFIG, Project(), replace(EVENT, run_id="3"), name="ci", found=FOUND).seed
    assert one == again != other
    ordered = replace(CONFIG, test=replace(CONFIG.test, random_order=False))
    assert make_plan(ordered, Project(), EVENT, name="ci", found=FOUND).seed is None


def test_auto_shards_never_make_more_legs_than_github_allows() -> None:
    recorded = {f"{n}.py": {f"{n}.py::t": 600.0} for n in range(300)}
    tier = replace(UNIT, max_shards=256)
    found = [TierFiles(tier, [TestFile(file, 1) for file in recorded], recorded)]
    config = replace(CONFIG, python=("3.11", "3.12", "3.13"))
    assert len(list(make_plan(config, Project(), EVENT, name="ci", found=found).legs())) == 255
