"""The course of a deployment on a target in memory: every end, and a kill before and after every act."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from ci_kit.errors import CallerMistake, Exit
from ci_kit.smoke_and_rollback.deployment_state import Phase, Record
from ci_kit.smoke_and_rollback.ending import Ending, exit_code, in_a_drill
from ci_kit.smoke_and_rollback.judge import Verdict
from ci_kit.smoke_and_rollback.notify.event import Kind
from ci_kit.smoke_and_rollback.recovery import Explained, decide, recover
from ci_kit.smoke_and_rollback.target_document import TargetDocument
from ci_kit.smoke_and_rollback.target_errors import LostLock, RollbackError, TargetFailure
from unit.deploy_fakes import Killed, World, asked, parts, run_deployment, run_recovery

GOOD = Verdict("pass", "well")
BAD = Verdict("fail", "30 of 230 requests failed.")


def document(world: World) -> TargetDocument:
    return TargetDocument.from_text(world.text, "here")


def record(world: World) -> Record:
    found = document(world).record
    assert found is not None
    return found


def test_a_good_release_is_promoted_step_by_step() -> None:
    world = World(verdicts={10: GOOD, 100: GOOD})
    ending = run_deployment(world)
    assert (ending.kind, world.running, world.share) == (Kind.PROMOTED, "new", 100)
    assert [act for act in world.acts if act != "write"] == [
        "deploy", "smoke", "weight 10", "watch 10", "weight 100", "watch 100", "weight 100", "tell",
    ]  # fmt: skip
    assert record(world).phase is Phase.PROMOTED
    assert record(world).told
    assert document(world).lock is None
    assert exit_code(ending, drill=False) is Exit.GOOD


def test_a_target_without_shares_takes_a_release_whole() -> None:
    world = World(shares=False)
    assert run_deployment(world, wanted=asked(steps=(100,))).kind is Kind.PROMOTED


def test_a_release_that_fails_its_smoke_run_is_taken_back_proven_told_of_once_and_quarantined() -> None:
    world = World(good={"old"})
    ending = run_deployment(world)
    assert (ending.kind, ending.detected, world.running) == (Kind.ROLLED_BACK, True, "old")
    assert exit_code(ending, drill=False) is Exit.ROLLED_BACK
    assert [act for act in world.acts if act != "write"] == [
        "deploy", "smoke", "rollback", "wait", "verify", "smoke", "tell",
    ]  # fmt: skip
    assert [event.kind for event in world.events] == [Kind.ROLLED_BACK]
    assert {each.identity for each in document(world).quarantine} == {"new"}
    assert ending.times.detect is not None
    assert ending.times.recover is not None


def test_a_release_that_fails_under_traffic_is_taken_back() -> None:
    world = World(verdicts={10: BAD, 100: GOOD})
    ending = run_deployment(world)
    assert (ending.kind, world.running) == (Kind.ROLLED_BACK, "old")
    assert "At 10 % of the traffic: 30 of 230" in ending.why


def test_a_release_that_is_quarantined_under_another_name_is_taken_back_unasked() -> None:
    world = World()
    first = parts(world, 0)
    first.strategy.state.lock(first.owner)
    first.strategy.state.quarantine("new", "bad in another run", first.owner)
    first.strategy.state.unlock(first.owner)
    ending = run_deployment(world, wanted=asked())
    assert ending.kind is Kind.ROLLED_BACK
    assert "is quarantined: bad in another run" in ending.why


@pytest.mark.parametrize(
    ("verdict", "policy", "kind", "running"),
    [
        (Verdict("inconclusive", "few"), "warn", Kind.PROMOTED, "new"),
        (Verdict("inconclusive", "few"), "hold", Kind.HELD, "new"),
        (Verdict("inconclusive", "few"), "rollback", Kind.ROLLED_BACK, "old"),
        (Verdict("sick-environment", "both"), "rollback", Kind.HELD, "new"),
        (Verdict("unknown", "no Prometheus"), "rollback", Kind.HELD, "new"),
    ],
)
def test_what_is_not_known_follows_the_environments_policy(
    verdict: Verdict, policy: str, kind: Kind, running: str
) -> None:
    world = World(verdicts={10: GOOD, 100: verdict})
    ending = run_deployment(world, wanted=asked(inconclusive=policy))
    assert (ending.kind, world.running) == (kind, running)
    assert not ending.detected
    assert document(world).quarantine == (), "only what was found to be bad is quarantined"


def test_a_breaking_schema_is_told_of_and_not_taken_back() -> None:
    world = World(good={"old"})
    ending = run_deployment(world, wanted=asked(can_roll_back=False))
    assert (ending.kind, world.running) == (Kind.NOT_ROLLED_BACK, "new")
    assert exit_code(ending, drill=False) is Exit.NO
    assert len(world.events) == 1
    assert document(world).record is None, "the release that mends it must not be refused"


def test_a_deploy_command_that_fails_and_changes_nothing_is_no_rollback() -> None:
    world = World(command_code=1)
    ending = run_deployment(world)
    assert (ending.kind, exit_code(ending, drill=False)) == (Kind.NOT_DEPLOYED, Exit.NO)
    assert "rollback" not in world.acts
    assert len(world.events) == 1


def test_a_deploy_command_that_is_not_there_is_no_rollback() -> None:
    world = World(errors={"deploy": CallerMistake("cannot start ./deploy: no such file.", next_step="look")})
    ending = run_deployment(world)
    assert (ending.kind, "rollback" in world.acts) == (Kind.NOT_DEPLOYED, False)
    assert "(cannot start ./deploy: no such file)" in ending.why


def test_a_deploy_command_that_fails_halfway_is_taken_back() -> None:
    world = World(command_code=2)
    ending = run_deployment(world)
    assert (ending.kind, world.running) == (Kind.ROLLED_BACK, "old")
    assert document(world).quarantine == ()


def test_a_rollback_that_fails_says_what_to_do_and_is_not_made_again() -> None:
    world = World(good={"old"}, errors={"rollback": RollbackError("the folder is gone", next_step="restore it")})
    ending = run_deployment(world)
    assert (ending.kind, ending.by_hand) == (Kind.ROLLBACK_FAILED, "restore it")
    assert exit_code(ending, drill=False) is Exit.ROLLBACK_FAILED
    with pytest.raises(Explained, match="tried only once") as caught:
        run_recovery(world)
    assert caught.value.exit is Exit.ROLLBACK_FAILED
    assert world.acts.count("rollback") == len(world.events) == 1


def test_a_release_before_that_is_bad_too_is_a_failed_rollback() -> None:
    world = World(good=set())
    ending = run_deployment(world)
    assert ending.kind is Kind.ROLLBACK_FAILED
    assert "old is back, and its smoke run says no: me: 503 from old" in ending.why


def test_a_target_that_cannot_be_asked_after_the_deploy_command_is_taken_back() -> None:
    world = World(errors={"weight 10": TargetFailure("the socket is gone", next_step="look")})
    ending = run_deployment(world)
    assert (ending.kind, ending.detected, world.running) == (Kind.ROLLED_BACK, False, "old")


def test_a_defect_of_the_kits_own_leaves_no_unproven_release() -> None:
    world = World(errors={"weight 10": ValueError("surprise")})
    ending = run_deployment(world)
    assert (ending.kind, ending.detected, world.running) == (Kind.ROLLED_BACK, False, "old")
    assert "a defect of ci-kit, ValueError" in ending.why


def test_who_lost_the_lock_touches_nothing_more() -> None:
    world = World(good={"old"}, errors={"smoke": LostLock("lost", next_step="look")})
    with pytest.raises(LostLock):
        run_deployment(world)
    assert "rollback" not in world.acts


def test_a_drill_passes_only_when_the_bad_build_was_found_to_be_bad() -> None:
    found = run_deployment(found_world := World(good={"old"}), wanted=asked(drill=True))
    assert exit_code(found, drill=True) is Exit.GOOD
    assert document(found_world).quarantine == ()
    unseen = in_a_drill(run_deployment(unseen_world := World(verdicts={10: GOOD, 100: GOOD}), wanted=asked(drill=True)))
    assert (unseen_world.running, exit_code(unseen, drill=True)) == ("old", Exit.NO)
    assert unseen.why.startswith("The drill FAILED")


def test_a_rollback_that_nobody_heard_of_is_told_by_the_next_run() -> None:
    world = World(good={"old"}, deaf=True)
    run_deployment(world)
    assert not record(world).told
    world.deaf = False
    found = run_recovery(world)
    assert found.ending is not None
    assert [event.kind for event in world.events] == [Kind.ROLLED_BACK] * 2
    assert world.events[0].marker == world.events[1].marker, "a channel that was told can see it"
    assert run_recovery(world, 3).ending is None


def test_the_next_run_can_tell_from_the_record_who_deployed() -> None:
    world = World(kill_at=5)
    with pytest.raises(Killed):
        run_deployment(world)
    run_recovery(world)
    facts = dict(world.events[-1].facts)
    assert "acme/shop/2" in facts["Finished by"]
    assert world.events[-1].run == "acme/shop/1#1"


def test_another_strategys_record_is_explained() -> None:
    world = World(kill_at=5)
    with pytest.raises(Killed):
        run_deployment(world)
    with pytest.raises(Explained, match="made by the strategy memory"):
        run_recovery(world, wanted=asked(strategy="releases"))


@pytest.mark.parametrize(("decision", "running", "share"), [("promote", "new", 100), ("rollback", "old", 0)])
def test_a_person_decides_about_a_release_that_is_held(decision: str, running: str, share: int) -> None:
    world = World(verdicts={10: Verdict("inconclusive", "few")})
    assert run_deployment(world).kind is Kind.HELD
    with pytest.raises(Explained, match="waits for a person"):
        run_recovery(world)
    made = parts(world, 3)
    made.strategy.state.lock(made.owner, lambda _: True)
    decide(made, asked(), document(world).record, decision)  # type: ignore[arg-type]
    assert (world.running, world.share) == (running, share)
    assert run_recovery(world, 3).ending is None


def test_forgetting_touches_nothing_but_the_record() -> None:
    world = World(verdicts={10: Verdict("inconclusive", "few")})
    run_deployment(world)
    made = parts(world, 3)
    made.strategy.state.lock(made.owner, lambda _: True)
    acts = [act for act in world.acts if act != "write"]
    decide(made, asked(), document(world).record, "forget")
    assert [act for act in world.acts if act != "write"] == acts
    assert recover(made, asked(), document(world).record).ending is None


def good() -> World:
    return World(verdicts={10: GOOD, 100: GOOD})


def bad() -> World:
    return World(good={"old"})


def bad_under_traffic() -> World:
    return World(verdicts={10: GOOD, 100: BAD})


def half_deployed() -> World:
    return World(command_code=2)


@pytest.mark.parametrize("make", [good, bad, bad_under_traffic, half_deployed])
def test_killed_at_any_moment_the_next_run_finishes(make: Callable[[], World]) -> None:
    """And killed again while it finishes, the one after that does. Never are two releases at work, nor two rollbacks."""
    whole = make()
    run_deployment(whole)
    tried = 0
    for at, after in itertools.product(range(len(whole.acts)), (False, True)):
        world = make()
        world.kill_at, world.kill_after = at, after
        with pytest.raises(Killed):
            run_deployment(world)
        _finish_it(world, f"killed {'after' if after else 'before'} act {at}: {world.acts}")
        tried += 1
    assert tried == 2 * len(whole.acts)


@pytest.mark.parametrize("after", [False, True])
def test_killed_again_while_it_is_finished(after: bool) -> None:
    for first in range(len(_acts(bad()))):
        for second in itertools.count():
            world = bad()
            world.kill_at = first
            with pytest.raises(Killed):
                run_deployment(world)
            world.kill_at, world.kill_after = len(world.acts) + second, after
            try:
                run_recovery(world)
            except Killed:
                _finish_it(world, f"killed at {first} and {second}: {world.acts}", run=3)
            else:
                break


def _acts(world: World) -> list[str]:
    run_deployment(world)
    return world.acts


def _finish_it(world: World, what: str, run: int = 2) -> None:
    run_recovery(world, run)
    left = document(world)
    assert left.lock is None, what
    assert world.acts.count("rollback") <= 1, what
    promoted = left.record is not None and left.record.phase in {Phase.PROMOTING, Phase.PROMOTED}
    assert world.running == ("new" if promoted else "old"), what
    if world.acts.count("rollback"):
        assert {event.kind for event in world.events} == {Kind.ROLLED_BACK}, what
        assert len({event.marker for event in world.events}) == 1, what
    assert run_recovery(world, run + 1).ending is None, what


def test_every_ending_has_an_exit_code() -> None:
    codes = {kind: exit_code(Ending(kind, ""), drill=False) for kind in Kind}
    assert codes[Kind.PROMOTED] is Exit.GOOD
    assert Exit.GOOD not in {code for kind, code in codes.items() if kind is not Kind.PROMOTED}
