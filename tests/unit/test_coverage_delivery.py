from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ci_kit.coverage_combine.delivery import Announced, Chosen, Delivery, Manifest, choose
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from hypothesis import given
from hypothesis import strategies as st

SOUND = Manifest(
    "/w",
    "c1",
    True,
    "7.17.3",
    ("src",),
    (Announced("coverage.1", "0" * 64, 1),),
    Announced("sources.sha256", "0" * 64, 1),
)


def leg(index: int, count: int = 3, tier: str = "unit", python: str = "3.12") -> Leg:
    return Leg(tier, python, Shard(index, count))


def delivery(
    index: int, count: int = 3, *, attempt: int = 1, manifest: Manifest | None = SOUND, verdict: str | None = None
) -> Delivery:
    return Delivery(leg(index, count), attempt, Path(f"r{index}of{count}a{attempt}"), manifest, verdict)


def said(chosen: Chosen) -> str:
    return "\n".join(map(str, chosen.problems))


def test_all_there_is_no_problem() -> None:
    chosen = choose([delivery(2), delivery(1), delivery(3)], None, "c1")
    assert chosen.problems == ()
    assert [d.leg.shard.index for d in chosen.deliveries] == [1, 2, 3]


@given(st.sets(st.integers(1, 8)), st.sets(st.integers(1, 8)))
def test_every_announced_leg_is_chosen_or_named(announced: set[int], delivered: set[int]) -> None:
    chosen = choose([delivery(i, 8) for i in delivered], {leg(i, 8) for i in announced}, "c1")
    assert {d.leg.shard.index for d in chosen.deliveries} == announced & delivered
    assert len(chosen.problems) == len(announced - delivered)
    for index in announced - delivered:
        assert f"unit · Python 3.12 · {index}/8: delivered nothing. Re-run the job of" in said(chosen)
    assert len(chosen.notes) == len(delivered - announced)


def test_without_a_plan_the_shards_say_how_many_there_are() -> None:
    assert "2/3: delivered nothing" in said(choose([delivery(1), delivery(3)], None, "c1"))


def test_a_leg_of_an_earlier_attempts_other_split_is_left_out() -> None:
    old = [delivery(1), delivery(2), delivery(3)]
    new = [delivery(1, 2, attempt=2), delivery(2, 2, attempt=2)]
    for announced in (None, {leg(1, 2), leg(2, 2)}):
        chosen = choose(old + new, announced, "c1")
        assert chosen.problems == ()
        assert [(d.leg.shard.index, d.leg.shard.count) for d in chosen.deliveries] == [(1, 2), (2, 2)]
        assert sum("left out" in note for note in chosen.notes) == 3


def test_a_broken_earlier_attempt_does_not_matter() -> None:
    broken = delivery(2, manifest=replace(SOUND, files=()))
    chosen = choose([delivery(1), broken, delivery(2, attempt=2), delivery(3)], None, "c1")
    assert chosen.problems == ()
    assert chosen.deliveries[1].attempt == 2


def test_the_same_attempt_twice() -> None:
    twice = replace(delivery(1), folder=Path("again"))
    assert "delivered attempt 1 twice" in said(choose([delivery(1), twice, delivery(2), delivery(3)], None, "c1"))


def test_only_a_leg_without_tests_may_come_without_data() -> None:
    for manifest in (None, replace(SOUND, files=())):
        for verdict, fine in (("empty", True), ("passed", False), ("error", False), (None, False)):
            found = [delivery(1), delivery(2), delivery(3, manifest=manifest, verdict=verdict)]
            assert (choose(found, None, "c1").problems == ()) is fine


def test_other_commits_are_named() -> None:
    found = [delivery(1), delivery(2, manifest=replace(SOUND, commit="c2")), delivery(3)]
    assert "2/3: measured commit c2; the checkout is at c1." in said(choose(found, None, "c1"))
    assert "2/3: measured commit c2; unit · Python 3.12 · 1/3 measured c1." in said(choose(found, None, ""))
    unknown = [delivery(i, manifest=replace(SOUND, commit="")) for i in (1, 2, 3)]
    assert choose(unknown, None, "c1").problems == ()


def test_one_mode_for_all() -> None:
    found = [delivery(1), delivery(2, manifest=replace(SOUND, branch=False)), delivery(3)]
    assert "without branches unit · Python 3.12 · 2/3" in said(choose(found, None, "c1"))


def test_an_old_coverage_is_refused() -> None:
    for version, fine in (("6.5.0", False), ("7.0", True), ("10.1", True), ("x", False)):
        found = [delivery(1), delivery(2), delivery(3, manifest=replace(SOUND, coverage_version=version))]
        assert (choose(found, None, "c1").problems == ()) is fine


def test_lost_data_is_refused() -> None:
    found = [delivery(1), delivery(2), delivery(3, manifest=replace(SOUND, broken=1))]
    assert "3/3: lost the coverage of a process that was killed." in said(choose(found, None, "c1"))


def test_tests_that_failed_are_a_note() -> None:
    chosen = choose([delivery(1, verdict="failed"), delivery(2, verdict="passed"), delivery(3)], None, "c1")
    assert chosen.problems == ()
    assert len(chosen.notes) == 1
    assert "'failed'" in chosen.notes[0]


def test_nothing_delivered_names_every_leg() -> None:
    assert len(choose([], {leg(1), leg(2), leg(3)}, "c1").problems) == 3
