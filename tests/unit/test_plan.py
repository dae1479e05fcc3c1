"""The laws of a plan: what is written is read, legs and artifacts are unique, and shards share nothing."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.discovery import TestFile
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.inputs import Shard
from ci_kit.pipeline.planning import matrix
from ci_kit.plan import AFTER, FIRST, Plan, PlannedTier, artifact_name, given_plan, read_plan, write_plan
from ci_kit.service import Service
from ci_kit.share import Share
from ci_kit.split import deal
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,39}", fullmatch=True)
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VARIABLES = st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), PLAIN, max_size=3)
SERVICES = st.builds(
    Service,
    st.sampled_from(["redis:7", "postgres:17"]),
    st.lists(st.sampled_from(["6379", "5433:5432", "53/udp"]), max_size=2).map(tuple),
    VARIABLES,
    PLAIN,
    st.none() | st.just("redis://127.0.0.1:6379"),
)


@st.composite
def tiers(draw: st.DrawFn) -> PlannedTier:
    paths = draw(st.lists(PLAIN.filter(bool), max_size=12, unique=True))
    files = [TestFile(path, draw(st.integers(1, 50))) for path in paths]
    recorded = {
        path: {f"{path}::{n}": draw(st.floats(0.001, 9)) for n in range(draw(st.integers(1, 9)))} for path in paths[::2]
    }
    return PlannedTier(
        name=draw(NAMES),
        shards=tuple(replace(s, seconds=round(s.seconds, 3)) for s in deal(files, recorded, draw(st.integers(1, 6)))),
        stage=draw(st.sampled_from([FIRST, AFTER])),
        paths=tuple(draw(st.lists(PLAIN, max_size=2))),
        marker=draw(st.none() | PLAIN),
        env=draw(VARIABLES),
        services=draw(st.dictionaries(NAMES, SERVICES, max_size=4)),
    )


PLANS = st.builds(
    Plan,
    name=NAMES,
    event=st.sampled_from(["pull-request", "default-branch", "other"]),
    commit=PLAIN,
    tiers=st.lists(tiers(), min_size=1, max_size=4, unique_by=lambda tier: tier.name).map(tuple),
    pythons=st.lists(st.sampled_from(["3.9", "3.12", "3.13t", "3.12.4"]), min_size=1, unique=True).map(tuple),
    jobs=st.dictionaries(NAMES, st.booleans()),
    attempt=st.integers(1, 50),
    seed=st.none() | st.integers(0, 2**32 - 1),
    billed_minutes=st.integers(0, 10**6),
    history=PLAIN,
)


@given(plan=PLANS)
def test_a_written_plan_reads_the_same(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert read_plan(write_plan(Path(folder), plan)) == plan


@given(plan=PLANS, attempts=st.integers(1, 3))
def test_legs_and_artifact_names_are_unique(plan: Plan, attempts: int) -> None:
    legs = list(plan.legs())
    assert len(set(legs)) == len(legs) == sum(len(tier.shards) for tier in plan.tiers) * len(plan.pythons)
    assert {*plan.legs(FIRST)} | {*plan.legs(AFTER)} == {*legs}
    names = {
        artifact_name(plan.name, kind, leg, attempt)
        for kind in ("results", "coverage")
        for leg in legs
        for attempt in range(1, attempts + 1)
    }
    assert len(names) == 2 * len(legs) * attempts


@given(plan=PLANS)
def test_the_matrix_holds_every_leg_once(plan: Plan) -> None:
    for stage in (FIRST, AFTER):
        entries = matrix(plan, stage)["include"]
        found = [(entry["tier"], entry["python"], entry["shard"]) for entry in entries]
        assert found == [(leg.tier, leg.python, str(leg.shard)) for leg in plan.legs(stage)]
        assert len(set(found)) == len(found)
        for entry in entries:
            services = plan.tier(entry["tier"]).services
            assert list(entry.get("services", {})) == [f"s{slot + 1}" for slot in range(len(services))]


@given(plan=PLANS)
def test_the_selections_of_a_tier_cover_it_and_share_nothing(plan: Plan) -> None:
    for tier in plan.tiers:
        every = {file for share in tier.shards for file in share.every_file}
        cut = {part.file for share in tier.shards for part in share.parts}
        chosen = [plan.selection(tier.name, Shard(i + 1, len(tier.shards))) for i in range(len(tier.shards))]
        assert sorted(file for one in chosen for file in one.mine - cut) == sorted(every - cut)
        for file in cut:
            parts = [selection.parts[file] for selection in chosen if file in selection.mine]
            [rest] = [part for part in parts if part.mine is None]
            named = [test for part in parts if part.mine is not None for test in part.mine]
            assert sorted(named) == sorted(rest.others)
        assert all(selection.mine | selection.others == every for selection in chosen)
        assert not any(selection.mine & selection.others for selection in chosen)
        assert [selection.owns_unplanned for selection in chosen] == [True] + [False] * (len(chosen) - 1)


PLAN = Plan("ci", "other", "", (PlannedTier("unit", (Share(("a.py",)), Share(("b.py",)))),), ("3.12",))


def test_an_unknown_tier_is_named_with_the_known_ones() -> None:
    with pytest.raises(CallerMistake, match=r"'uint' is not in the plan") as caught:
        PLAN.tier("uint")
    assert "unit" in caught.value.next_step


def test_a_shard_of_another_plan_is_refused() -> None:
    with pytest.raises(CallerMistake, match=r"3/3 does not fit the plan, which cuts unit into 2") as caught:
        PLAN.selection("unit", Shard(3, 3))
    assert "Use one of 1/2 to 2/2" in caught.value.next_step


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "ci-kit/plan/2"}'])
def test_what_is_no_plan_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(content, encoding="utf-8")
    with pytest.raises(InfrastructureFailure, match=r"plan\.json in .* is not a readable plan report"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(InfrastructureFailure):
        read_plan(tmp_path / "missing.json")


def test_an_input_that_names_no_plan_is_the_callers_mistake_and_a_broken_plan_is_not(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match=r"input plan: there is no file .*missing\.json"):
        given_plan(tmp_path / "missing.json")
    (tmp_path / "plan.json").write_text("{", encoding="utf-8")
    with pytest.raises(InfrastructureFailure):
        given_plan(tmp_path / "plan.json")
    assert given_plan(write_plan(tmp_path, PLAN)) == PLAN
