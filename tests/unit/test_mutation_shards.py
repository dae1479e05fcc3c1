"""How many jobs try the mutants, which of them each gets, and what the job that judges accepts from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ci_kit.inputs import Shard
from ci_kit.selective_mutation.deal import deal
from ci_kit.selective_mutation.estimate import FIXED_SECONDS, Estimate, estimate
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.merging import collect, together
from ci_kit.selective_mutation.mutants import Mutant, mutant_id
from ci_kit.selective_mutation.records import Records, RunRecord
from ci_kit.selective_mutation.shard import Origin, Tried, artifact, write_shard
from ci_kit.selective_mutation.targets import MOST_OF_A_CHANGE, Targets
from ci_kit.selective_mutation.verdicts import Verdict
from hypothesis import given
from hypothesis import strategies as st

COMMIT = "c" * 40


def mutant(number: int, function: str = "f", path: str = "a.py") -> Mutant:
    name = mutant_id(path, function, "op", "1", str(number), 0)
    return Mutant(name, path, function, 1, 1, 1, "op", "1", str(number), security=False, start=0, original="1\n")


MANY = tuple(mutant(number, "slow" if number % 10 == 0 else "quick") for number in range(200))
RECORDS = Records(costs={"a.py": {"slow": (20, 200.0), "quick": (180, 18.0)}})


def test_a_small_change_needs_one_job_and_a_large_one_as_many_as_bring_it_under_the_budget() -> None:
    source = "x = 1\n" * 1000
    small = estimate(Targets({"a.py": source}, {"a.py": frozenset(range(1, 30))}), Records())
    assert small.shards(420, workers=2, most=8) == 1
    assert not small.recorded
    largest = estimate(Targets({"a.py": source}, {"a.py": frozenset(range(1, 1001))}), Records())
    assert largest.mutants == MOST_OF_A_CHANGE, "of a change no more are tried"
    assert largest.shards(420, workers=2, most=8) == 1
    whole = estimate(Targets({f"{name}.py": source for name in range(10)}, None), Records())
    count = whole.shards(420, workers=2, most=64)
    assert count > 1
    assert whole.work_seconds / 2 / count + whole.fixed_seconds <= 0.8 * 420
    assert whole.work_seconds / 2 / (count - 1) + whole.fixed_seconds > 0.8 * 420
    assert whole.shards(420, workers=2, most=3) == 3


def test_what_earlier_runs_took_says_more_than_lines() -> None:
    targets = Targets({"a.py": "x = 1\n" * 10, "b.py": "x = 1\n" * 10}, None)
    run = RunRecord("1", 1, COMMIT, "2026-11-23T01:00:00+00:00", 1, 1, 60.0, 12.0)
    found = estimate(targets, replace(RECORDS, runs=(run,)))
    # The file without a record is as large as its lines say, and as slow as all others are.
    assert (found.mutants, found.fixed_seconds, found.recorded) == (220, 12.0, True)
    assert found.work_seconds == pytest.approx(218.0 + 20 * 218.0 / 200)
    assert estimate(targets, Records()).fixed_seconds == FIXED_SECONDS


def test_no_job_costs_more_to_start_than_it_works() -> None:
    assert Estimate(10, 100.0, 300.0, recorded=True).shards(60, workers=2, most=8) == 1
    assert Estimate(0, 0.0, 0.0, recorded=False).shards(0, workers=0, most=8) == 1


@given(st.integers(1, 9), st.permutations(MANY[:40]))
def test_every_mutant_is_in_one_share_whatever_the_order(count: int, mutants: list[Mutant]) -> None:
    dealt = deal(mutants, RECORDS, count)
    assert sorted(each.id for share in dealt for each in share) == sorted(each.id for each in mutants)
    assert dealt == deal(MANY[:40], RECORDS, count)


def test_shares_take_equally_long() -> None:
    cost = {"slow": 10.0, "quick": 0.1}
    loads = [sum(cost[each.function] for each in share) for share in deal(MANY, RECORDS, 4)]
    assert max(loads) - min(loads) < 0.5
    sizes = [len(share) for share in deal(MANY, Records(), 3)]
    assert max(sizes) - min(sizes) <= 1
    assert [len(share) for share in deal(MANY[:1], Records(), 3)] == [1, 0, 0]


DEALT = [list(MANY[:3]), list(MANY[3:5])]
WANTED = [Origin("ci", COMMIT, 2, Shard(1, 2)), Origin("ci", COMMIT, 2, Shard(2, 2))]


def tried(mutants: list[Mutant], seconds: float = 5.0) -> Tried:
    return Tried(
        tuple(Judged(each, Verdict(each.id, "killed", ("t::a", "t::b"), "t::b", 0.5, "fork", "E")) for each in mutants),
        ("a note",),
        seconds,
        2.0,
    )


def write(folder: Path, index: int, attempt: int = 1) -> Path:
    origin = replace(WANTED[index - 1], attempt=attempt)
    place = folder / artifact("ci", origin.shard, attempt)
    return write_shard(place, origin, tried(DEALT[index - 1], seconds=5.0 * index))


def test_shares_become_one_run(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    found = collect(tmp_path, WANTED, DEALT)
    assert found.problems == ()
    whole = together(found.tried, MANY[:5])
    assert whole.judged == tried(list(MANY[:5])).judged
    assert (whole.seconds, whole.fixed_seconds) == (10.0, 2.0), "they ran side by side"
    assert whole.notes == ("Share 1 of 2: a note", "Share 2 of 2: a note")


def test_a_share_that_is_missing_is_named(tmp_path: Path) -> None:
    assert collect(tmp_path / "nothing", WANTED, DEALT).problems == (
        "share 1/2 delivered nothing",
        "share 2/2 delivered nothing",
    )
    write(tmp_path, 2)
    (tmp_path / artifact("ci", Shard(1, 2), 1)).mkdir()
    assert collect(tmp_path, WANTED, DEALT).problems == ("share 1/2 cannot be used (No such file or directory)",)


def test_the_newest_attempt_counts(tmp_path: Path) -> None:
    write(tmp_path, 1).write_text("cut off")
    write(tmp_path, 2)
    assert "share 1/2 cannot be used" in collect(tmp_path, WANTED, DEALT).problems[0]
    write(tmp_path, 1, attempt=2)
    assert collect(tmp_path, WANTED, DEALT).problems == ()
    write(tmp_path, 1, attempt=3).write_text("of a later attempt than this one")
    assert collect(tmp_path, WANTED, DEALT).problems == ()
    write(tmp_path, 2, attempt=2).write_text("")
    assert "share 2/2 cannot be used" in collect(tmp_path, WANTED, DEALT).problems[0]


def damage(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.update(name="other"), "it is share 1/2 of other"),
        (lambda data: data.update(commit="d" * 40), "at dddddddddddd"),
        (lambda data: data.update(attempt=7), "attempt 7"),
        (lambda data: data["shard"].update(index=2), "it is share 2/2"),
        (lambda data: data["shard"].update(count=3), "it is share 1/3"),
        (lambda data: data.update(schema="ci-kit/mutation-shard/0"), "schema"),
        (lambda data: data.pop("verdicts"), "verdicts"),
        (lambda data: data["verdicts"].pop(), "of its 3 mutants 1 have no verdict"),
        (lambda data: data["verdicts"].append(data["verdicts"][0]), "two verdicts of one mutant"),
        (lambda data: data["verdicts"][0].update(mutant="0" * 16), "it has 1 of others"),
        (lambda data: data["verdicts"][0].update(status="fine"), "status"),
        (lambda data: data["verdicts"][0].update(tests=[2]), "a test that is not in its list"),
        (lambda data: data.update(weakened=[data["verdicts"][0]["mutant"]]), "mutants that do not survive"),
        (lambda data: data.update(seconds=-1), "seconds"),
    ],
)
def test_a_share_that_is_foreign_or_damaged_is_named(
    change: Callable[[dict[str, Any]], object], why: str, tmp_path: Path
) -> None:
    path = write(tmp_path, 1)
    write(tmp_path, 2)
    damage(path, change)
    (problem,) = collect(tmp_path, WANTED, DEALT).problems
    assert problem.startswith("share 1/2 cannot be used (")
    assert why in problem


def test_what_other_calls_delivered_is_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    for name in ("other-mutation-1of2-a1", "ci-mutation-1of3-a1", "ci-mutation-1of2-a1x", "ci-mutation-a1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shard.json").write_text("{}")
    assert collect(tmp_path, WANTED, DEALT).problems == ()
