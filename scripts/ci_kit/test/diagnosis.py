"""Decide what kind of failure a test has: which experiment comes next, and what the observations so far mean.

`diagnose` is a generator: it yields an `Experiment`, is sent what was observed, and returns the `Finding`. So it runs no
process, and a table of behaviours tests all of it. Polluters are found by halving, as in delta debugging (A. Zeller and
R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), for a single test that is to blame.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ci_kit.test.model import Failing, Finding

TOGETHER_TRIES = 2
SHORTER_TRIES = 4


class Seen(Enum):
    """What became of the test in an experiment."""

    PASSED = "passed"
    FAILED = "failed"
    DIED = "its process died"
    MISSING = "it was not collected again"
    LATE = "it took too long"


@dataclass(frozen=True)
class Experiment:
    """Run `ids` in this order in a fresh process, or on `workers`; the last one is the test in question.

    `so_far` is what is known when there is no time for it.
    """

    ids: tuple[str, ...]
    so_far: Finding
    workers: int = 0


@dataclass(frozen=True)
class Observation:
    """`how` tells how a process died. `others` are other tests of the experiment that failed."""

    seen: Seen
    how: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A failure as the run left it.

    `before` are the tests that its process ran before it, in their order. `given` are those that the project's own order
    puts before it in its file, when at least one of them had not run. `beside` ran at the same time on other workers.
    """

    id: str
    attempts: int
    before: tuple[str, ...]
    given: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    workers: int = 0
    crashed: str = ""


Diagnosis = Generator[Experiment, Observation, Finding]


def diagnose(case: Case) -> Diagnosis:
    """Ask for experiments until the class of the failure is known."""
    unknown = Finding(Failing.UNCLASSIFIED, "There was no time to run it again.", (case.id,))
    if case.crashed:
        return (yield from _crashed(case))
    alone = yield Experiment((case.id,), unknown)
    if alone.seen is Seen.DIED:
        return Finding(Failing.CRASHED, f"Run alone, it ends its process: {alone.how}.", (case.id,))
    if alone.seen in (Seen.MISSING, Seen.LATE):
        return replace(unknown, evidence=f"When it was run alone, {alone.seen.value}.")
    if alone.seen is Seen.FAILED:
        return (yield from _fails_alone(case))
    return (yield from _passes_alone(case))


def _crashed(case: Case) -> Diagnosis:
    known = Finding(Failing.CRASHED, f"It ended its process: {case.crashed}.", (case.id,))
    alone = yield Experiment((case.id,), known)
    if alone.seen is Seen.DIED:
        return replace(known, evidence=f"It ended its process, and does so alone: {alone.how}.")
    return replace(known, evidence=f"It ended its process ({case.crashed}). Alone, {_said(alone)}.")


def _fails_alone(case: Case) -> Diagnosis:
    real = Finding(Failing.REAL, "It fails alone too.", (case.id,))
    if case.given:
        ordered = yield Experiment((*case.given, case.id), real)
        if ordered.seen is Seen.PASSED:
            return (yield from _needs_another(case))
    if case.attempts < 2:
        again = yield Experiment((case.id,), real)
        if again.seen is Seen.PASSED:
            return Finding(Failing.FLAKY, "Run alone twice, it failed once and passed once.", (case.id,))
    return replace(real, evidence=f"It failed {_times(case.attempts)} in the run, and fails alone in a fresh process.")


def _passes_alone(case: Case) -> Diagnosis:
    passes = Finding(Failing.UNCLASSIFIED, "It passes alone; there was no time to find out more.", ())
    before = case.before
    if before:
        same = yield Experiment((*before, case.id), passes)
        for _ in range(SHORTER_TRIES):
            if same.seen is not Seen.LATE or len(before) < 2:
                break
            before = before[len(before) // 2 :]
            same = yield Experiment((*before, case.id), passes)
        if same.seen in (Seen.FAILED, Seen.DIED):
            return (yield from _polluted(replace(case, before=before)))
        if same.seen is not Seen.PASSED:
            return replace(passes, evidence=f"It passes alone; after {_tests(before)}, {same.seen.value}.")
        if len(before) < len(case.before) and not case.workers:
            text = (
                f"It passes alone and after the last {len(before)} of the {len(case.before)} tests that ran before it."
            )
            return replace(passes, evidence=f"{text} All of them take longer than there is time for.")
    serially = "alone" + (" and in the same order" if before else "") + (" without workers" if case.workers else "")
    for _ in range(TOGETHER_TRIES if case.workers and case.beside else 0):
        known = replace(passes, evidence=f"It passes {serially}; there was no time to try it with workers.")
        together = yield Experiment((*case.beside, case.id), known, case.workers)
        if together.seen in (Seen.FAILED, Seen.DIED) or together.others:
            which = "it" if together.seen is not Seen.PASSED else together.others[0]
            return Finding(
                Failing.PARALLEL_UNSAFE,
                f"It passes {serially}; beside {_tests(case.beside)} on {case.workers} workers, {which} fails.",
                (*case.beside, case.id),
                case.workers,
                case.beside[0] if len(case.beside) == 1 else None,
            )
    passed = f"{serially}, and on {case.workers} workers" if case.workers and case.beside else serially
    return Finding(Failing.FLAKY, f"It failed in the run and passes {passed}.", (case.id,))


def _polluted(case: Case) -> Diagnosis:
    """It passes alone and fails after `before`: find the one that it fails after."""
    suspects = case.before
    while len(suspects) > 1:
        half = len(suspects) // 2
        near = suspects[half:]
        seen = yield Experiment((*near, case.id), _after(case, suspects))
        if seen.seen in (Seen.FAILED, Seen.DIED):
            suspects = near
            continue
        far = suspects[:half]
        seen = yield Experiment((*far, case.id), _after(case, suspects))
        if seen.seen not in (Seen.FAILED, Seen.DIED):
            break
        suspects = far
    found = _after(case, suspects)
    again = yield Experiment((*suspects, case.id), found)
    alone = yield Experiment((case.id,), found)
    if again.seen is Seen.PASSED or alone.seen is Seen.FAILED:
        text = f"It fails now and then, whatever ran before it: after the same {_tests(suspects)} it failed and passed."
        return Finding(Failing.FLAKY, text if again.seen is Seen.PASSED else "Alone it failed and passed.", (case.id,))
    return found


def _after(case: Case, suspects: Sequence[str]) -> Finding:
    one = suspects[0] if len(suspects) == 1 else None
    what = one or f"one or more of {_tests(suspects)} that ran before it"
    return Finding(
        Failing.ORDER_DEPENDENT, f"It passes alone and fails after {what}.", (*suspects, case.id), polluter=one
    )


def _needs_another(case: Case) -> Diagnosis:
    """It fails alone and passes after `given`: find the one that it needs before it."""
    needed = case.given
    while len(needed) > 1:
        half = len(needed) // 2
        near = needed[half:]
        seen = yield Experiment((*near, case.id), _needs(case, needed))
        if seen.seen is Seen.PASSED:
            needed = near
            continue
        far = needed[:half]
        seen = yield Experiment((*far, case.id), _needs(case, needed))
        if seen.seen is not Seen.PASSED:
            break
        needed = far
    found = _needs(case, needed)
    again = yield Experiment((*needed, case.id), found)
    alone = yield Experiment((case.id,), found)
    if again.seen is not Seen.PASSED or alone.seen is Seen.PASSED:
        return Finding(
            Failing.FLAKY, f"Alone and after {_tests(needed)} it sometimes fails and sometimes passes.", (case.id,)
        )
    return found


def _needs(case: Case, needed: Sequence[str]) -> Finding:
    one = needed[0] if len(needed) == 1 else None
    what = one or f"some of {_tests(needed)} of its file that stand before it"
    # Alone it is what fails, so alone is what reproduces it.
    return Finding(Failing.ORDER_DEPENDENT, f"It fails alone and passes after {what}.", (case.id,), polluter=one)


def _said(observation: Observation) -> str:
    words = {Seen.PASSED: "it passes", Seen.FAILED: "it fails"}
    return words.get(observation.seen, observation.seen.value)


def _tests(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tests"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
