"""What may not become worse: the ratchet, the baseline of survivors, and the policies that lean on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.config import Mutation, MutationPolicy
from ci_kit.mutation_decision import decide, is_critical, targets_of
from ci_kit.selective_mutation.judging import Judged, judge
from ci_kit.selective_mutation.mutants import Mutant, mutant_id
from ci_kit.selective_mutation.ratchet import Kept, judge_ratchet, kept
from ci_kit.selective_mutation.records import FileRecord, Held, RunRecord
from ci_kit.selective_mutation.survivors import new_survivors
from ci_kit.selective_mutation.verdicts import Status, Verdict

PATH = "app/jwt.py"


def judged(status: Status, after: str, *, number: int = 0, line: int = 1, path: str = PATH) -> Judged:
    name = mutant_id(path, "f", "op", "1", after, number)
    found = Mutant(name, path, "f", 1, line, line, "op", "1", after, security=False, start=0, original="1\n")
    return Judged(found, Verdict(name, status, killer="t" if status == "killed" else None))


def record(*mutants: Judged, critical: bool = True, held: Held | None = None, path: str = PATH) -> RunRecord:
    undetected = frozenset(each.mutant.id for each in mutants if each.undetected)
    detected = sum(each.verdict.detected for each in mutants)
    pending = sum(each.verdict.status == "pending" for each in mutants)
    file = FileRecord(critical, Held(detected, detected + len(undetected), undetected), pending, held)
    return RunRecord("1", 1, "c" * 40, "2026-11-23T01:00:00+00:00", 1, 1, 1.0, 1.0, {path: file})


KILLED = [judged("killed", str(number)) for number in range(3)]
LEFT = judged("survived", "left")
NEW = judged("survived", "new")


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        ([*KILLED, LEFT], [*KILLED, LEFT], "held"),
        ([*KILLED, LEFT], KILLED, "held"),
        ([*KILLED, LEFT], [*KILLED[:2], judged("survived", "2"), LEFT], "fallen"),
        (KILLED, [*KILLED, NEW], "fallen"),
        # Noticed code is gone, and what survives is what survived before.
        ([*KILLED, LEFT], [KILLED[0], LEFT], "excused"),
        ([*KILLED, LEFT], [], "excused"),
        ([*KILLED, LEFT], [judged("pending", "0"), judged("pending", "1")], "fallen"),
        ([*KILLED, LEFT], [*KILLED, LEFT, judged("pending", "x")], "unknown"),
        ([*KILLED, LEFT], [*KILLED, judged("pending", "x")], "held"),
        ([*KILLED, LEFT], [KILLED[0], LEFT, NEW, judged("pending", "x")], "fallen"),
        ([*KILLED, LEFT], [*KILLED, LEFT, judged("error", "x")], "held"),
        (KILLED, [*KILLED[:2], judged("timeout", "2")], "held"),
    ],
)
def test_the_score_of_a_file_does_not_fall(before: list[Judged], now: list[Judged], state: str) -> None:
    (hold,) = judge_ratchet(now, {PATH}, record(*before), {}, own_change=True)
    assert (hold.path, hold.state) == (PATH, state)


def test_a_file_without_mutants_before_or_that_was_not_critical_is_held_to_nothing() -> None:
    for before in (record(), record(*KILLED, critical=False), record(*KILLED, path="app/other.py")):
        assert judge_ratchet([NEW], {PATH}, before, {}, own_change=False) == ()
    assert judge_ratchet([NEW], (), record(*KILLED), {}, own_change=False) == (), "only changed lines were mutated"


def test_the_default_branch_is_held_to_what_it_once_had_and_a_pull_request_to_what_it_found() -> None:
    fallen = record(*KILLED, LEFT, held=Held(3, 3))
    (hold,) = judge_ratchet([*KILLED, LEFT], {PATH}, fallen, {}, own_change=False)
    assert (hold.state, hold.was, hold.now) == ("fallen", 100.0, 75.0)
    (hold,) = judge_ratchet([*KILLED, LEFT], {PATH}, fallen, {}, own_change=True)
    assert (hold.state, hold.was) == ("held", 75.0)


def test_a_run_whose_time_was_up_is_no_measure() -> None:
    late = record(*KILLED, judged("pending", "x"))
    assert judge_ratchet([NEW], {PATH}, late, {}, own_change=True) == ()
    late = record(*KILLED, judged("pending", "x"), held=Held(3, 4, frozenset({LEFT.mutant.id})))
    (hold,) = judge_ratchet([NEW], {PATH}, late, {}, own_change=True)
    assert (hold.state, hold.was) == ("fallen", 75.0)


def test_a_renamed_file_is_held_to_what_it_was_under_its_old_name() -> None:
    before = record(*KILLED, LEFT)
    now = [judged("killed", "0", path="app/tokens.py"), judged("survived", "left", path="app/tokens.py")]
    (hold,) = judge_ratchet(now, {"app/tokens.py"}, before, {"app/tokens.py": PATH}, own_change=True)
    assert (hold.path, hold.state) == ("app/tokens.py", "excused"), "its survivor is the old one"
    now.append(judged("survived", "new", path="app/tokens.py"))
    (hold,) = judge_ratchet(now, {"app/tokens.py"}, before, {"app/tokens.py": PATH}, own_change=True)
    assert hold.state == "fallen"


def test_what_was_critical_stays_a_target_until_it_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / PATH).write_text("")
    before = record(*KILLED)
    stays = kept(before, tmp_path, {})
    assert stays == Kept((PATH,))
    settings = Mutation(critical=("app/core.py",))
    assert is_critical(PATH, targets_of(settings, stays.patterns))
    assert decide("pull-request", (), [PATH], settings, kept=stays.patterns).run
    released = replace(settings, released={PATH: "only prints"})
    assert not is_critical(PATH, targets_of(released, stays.patterns))
    assert not decide("pull-request", (), [PATH], released, kept=stays.patterns).run
    assert is_critical("app/core.py", targets_of(released, stays.patterns))
    assert not is_critical("app/authors.py", targets_of(Mutation(released={"app/authors.py": "names"}), ()))


def test_a_file_that_is_gone_is_told_and_one_that_was_renamed_stays(tmp_path: Path) -> None:
    assert kept(None, tmp_path, {}) == Kept()
    assert kept(record(*KILLED), tmp_path, {}) == Kept((), (PATH,))
    (tmp_path / "[new].py").write_text("")
    (pattern,) = kept(record(*KILLED), tmp_path, {PATH: "[new].py"}).patterns
    assert is_critical("[new].py", (pattern,))
    assert not is_critical("n.py", (pattern,))
    assert kept(record(*KILLED, critical=False), tmp_path, {}) == Kept()


def test_survivors_that_the_default_branch_has_are_not_new() -> None:
    before = record(*KILLED, LEFT)
    assert new_survivors([*KILLED, LEFT, NEW], before.files, {}, {}) == {NEW.mutant.id}
    assert new_survivors([judged("no-coverage", "new")], before.files, {}, {}) == {NEW.mutant.id}
    assert new_survivors([judged("pending", "new"), judged("error", "x")], before.files, {}, {}) == frozenset()


def test_equal_changes_are_counted_so_that_one_more_in_front_makes_one_new() -> None:
    before = record(judged("survived", "x", number=0))
    both = [judged("survived", "x", number=0, line=3), judged("survived", "x", number=1, line=9)]
    assert new_survivors(both, before.files, {}, {PATH: frozenset({3})}) == {both[0].mutant.id}
    assert new_survivors(both, before.files, {}, {PATH: frozenset({9})}) == {both[1].mutant.id}
    noticed = [judged("killed", "x", number=0, line=3), both[1]]
    assert new_survivors(noticed, before.files, {}, {PATH: frozenset({3})}) == frozenset()


def test_of_a_file_without_a_record_only_changed_lines_can_be_new() -> None:
    changed = {PATH: frozenset({7})}
    on_it, beside = judged("survived", "a", line=7), judged("survived", "b", line=8)
    assert new_survivors([on_it, beside], {}, {}, changed) == {on_it.mutant.id}
    late = record(*KILLED, judged("pending", "b"))
    assert new_survivors([on_it, beside], late.files, {}, changed) == {on_it.mutant.id}, "it was not reached there"


def test_survivors_of_a_renamed_file_are_the_old_ones() -> None:
    before = record(*KILLED, LEFT)
    moved = [judged("survived", "left", path="b.py"), judged("survived", "new", path="b.py")]
    assert new_survivors(moved, before.files, {"b.py": PATH}, {}) == {moved[1].mutant.id}


@pytest.mark.parametrize(
    ("policy", "new", "compared", "passed"),
    [
        (MutationPolicy(), True, True, True),
        (MutationPolicy(new_survivors="forbid"), True, True, False),
        (MutationPolicy(new_survivors="forbid"), False, True, True),
        (MutationPolicy(new_survivors="forbid"), True, False, True),
        (MutationPolicy(min_score=75.0), True, True, True),
        (MutationPolicy(min_score=75.01), False, True, False),
        (MutationPolicy(min_score=50.0, new_survivors="forbid"), True, True, False),
    ],
)
def test_a_policy_can_forbid_new_survivors(policy: MutationPolicy, *, new: bool, compared: bool, passed: bool) -> None:
    (found,) = judge([*KILLED, replace(LEFT, new=new)], {"app/**": policy}, compared=compared)
    assert found.passed is passed
    assert (found.new is None) is not compared
    (found,) = judge([judged("pending", "0")], {"app/**": policy}, compared=compared)
    assert not found.passed, "none was judged"
