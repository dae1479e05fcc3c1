"""The classes of failures, decided on worlds of which the truth is known; no process runs here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from ci_kit.test.diagnosis import Case, Experiment, Observation, Seen, diagnose
from ci_kit.test.model import Failing, Finding
from hypothesis import given
from hypothesis import strategies as st

FAILS, PASSES, DIES = Observation(Seen.FAILED), Observation(Seen.PASSED), Observation(Seen.DIED, "exit code 7")
World = Callable[[Experiment], Observation]


@dataclass
class Told:
    """What came out, and which experiments it took."""

    finding: Finding
    asked: list[Experiment] = field(default_factory=list)


def tell(case: Case, world: World) -> Told:
    asked: list[Experiment] = []
    diagnosis = diagnose(case)
    experiment = next(diagnosis)
    while True:
        assert experiment.ids[-1] == case.id
        asked.append(experiment)
        assert len(asked) < 100
        try:
            experiment = diagnosis.send(world(experiment))
        except StopIteration as end:
            return Told(end.value, asked)


def case(**more: object) -> Case:
    base: dict[str, object] = {"id": "t", "attempts": 4, "before": ("a", "b", "c", "d")}
    return Case(**(base | more))  # type: ignore[arg-type]


def polluted_by(*names: str) -> World:
    return lambda experiment: FAILS if set(names) <= set(experiment.ids[:-1]) else PASSES


def alternating() -> World:
    seen: list[Experiment] = []

    def world(experiment: Experiment) -> Observation:
        seen.append(experiment)
        return PASSES if len(seen) % 2 else FAILS

    return world


@pytest.mark.parametrize(
    ("failure", "world", "failing", "polluter"),
    [
        (case(), lambda _: FAILS, Failing.REAL, None),
        (case(attempts=1), lambda _: FAILS, Failing.REAL, None),
        (case(), lambda _: PASSES, Failing.FLAKY, None),
        (case(before=()), lambda _: PASSES, Failing.FLAKY, None),
        (case(), lambda _: DIES, Failing.CRASHED, None),
        (case(crashed="SIGSEGV"), lambda _: PASSES, Failing.CRASHED, None),
        (case(crashed="SIGSEGV"), lambda _: DIES, Failing.CRASHED, None),
        (case(), polluted_by("a"), Failing.ORDER_DEPENDENT, "a"),
        (case(), polluted_by("d"), Failing.ORDER_DEPENDENT, "d"),
        (case(before=("a",)), polluted_by("a"), Failing.ORDER_DEPENDENT, "a"),
        (case(), polluted_by("a", "d"), Failing.ORDER_DEPENDENT, None),
        (case(given=("x", "y", "z")), lambda e: PASSES if "y" in e.ids else FAILS, Failing.ORDER_DEPENDENT, "y"),
        (case(given=("x", "y")), lambda _: FAILS, Failing.REAL, None),
        (case(workers=2, beside=("o",)), lambda e: FAILS if e.workers else PASSES, Failing.PARALLEL_UNSAFE, "o"),
        (case(workers=2, beside=("o",)), lambda e: Observation(Seen.PASSED, others=("o",) if e.workers else ()),
         Failing.PARALLEL_UNSAFE, "o"),
        (case(workers=2, beside=("o",)), lambda _: PASSES, Failing.FLAKY, None),
        (case(workers=2), polluted_by("b"), Failing.ORDER_DEPENDENT, "b"),
        (case(), lambda _: Observation(Seen.MISSING), Failing.UNCLASSIFIED, None),
        (case(), lambda _: Observation(Seen.LATE), Failing.UNCLASSIFIED, None),
        (case(before=("a",)), alternating(), Failing.FLAKY, None),
        (case(attempts=1, before=()), lambda e, seen=[]: (seen.append(e), FAILS if len(seen) == 1 else PASSES)[1],
         Failing.FLAKY, None),
    ],
)  # fmt: skip
def test_classes(failure: Case, world: World, failing: Failing, polluter: str | None) -> None:
    told = tell(failure, world)
    assert (told.finding.failing, told.finding.polluter) == (failing, polluter)
    assert told.finding.evidence.endswith(".")


@given(st.integers(1, 300), st.data())
def test_the_polluter_is_found_with_few_experiments(size: int, data: st.DataObject) -> None:
    names = tuple(f"n{number}" for number in range(size))
    polluter = data.draw(st.sampled_from(names))
    told = tell(case(before=names), polluted_by(polluter))
    assert told.finding.polluter == polluter
    assert told.finding.ids == (polluter, "t")
    assert len(told.asked) <= 4 + 2 * size.bit_length()


@given(st.integers(1, 300), st.data())
def test_what_a_test_needs_before_it_is_found_likewise(size: int, data: st.DataObject) -> None:
    names = tuple(f"n{number}" for number in range(size))
    needed = data.draw(st.sampled_from(names))
    told = tell(case(given=names), lambda experiment: PASSES if needed in experiment.ids else FAILS)
    assert (told.finding.failing, told.finding.polluter) == (Failing.ORDER_DEPENDENT, needed)
    assert len(told.asked) <= 5 + 2 * size.bit_length()


@given(st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_a_set_of_polluters_is_never_blamed_on_one_that_alone_does_nothing(needed: set[str]) -> None:
    told = tell(case(before=tuple("abcdefgh")), polluted_by(*needed))
    assert told.finding.failing is Failing.ORDER_DEPENDENT
    assert needed <= set(told.finding.ids)
    assert (told.finding.polluter is not None) == (len(needed) == 1)


def test_a_polluter_that_proves_nothing_twice_is_flakiness() -> None:
    """Seen to fail after others once, then not again: the order was not to blame."""
    answers = iter([PASSES, FAILS, PASSES, PASSES])
    told = tell(case(before=("a",)), lambda _: next(answers))
    assert told.finding.failing is Failing.FLAKY


def test_what_is_too_long_is_tried_with_the_nearest_half() -> None:
    def world(experiment: Experiment) -> Observation:
        if len(experiment.ids) > 3:
            return Observation(Seen.LATE)
        return FAILS if "d" in experiment.ids else PASSES

    assert tell(case(), world).finding.polluter == "d"

    def clean(experiment: Experiment) -> Observation:
        return Observation(Seen.LATE) if len(experiment.ids) > 3 else PASSES

    told = tell(case(), clean)
    assert told.finding.failing is Failing.UNCLASSIFIED
    assert "last 2 of the 4" in told.finding.evidence


def test_every_experiment_says_what_is_known_without_it() -> None:
    told = tell(case(), polluted_by("c"))
    assert [experiment.so_far.failing for experiment in told.asked[:2]] == [Failing.UNCLASSIFIED] * 2
    assert {experiment.so_far.failing for experiment in told.asked[2:]} == {Failing.ORDER_DEPENDENT}
