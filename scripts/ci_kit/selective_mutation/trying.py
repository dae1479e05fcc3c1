"""Try mutants with the consumer's tests, and ask whether the change has weakened these."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ci_kit.selective_mutation.budget import Limits
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.prepare import Ready
from ci_kit.selective_mutation.running import Run, run_mutants, so_far
from ci_kit.selective_mutation.shard import Tried
from ci_kit.selective_mutation.suite import Suite
from ci_kit.selective_mutation.verdicts import Verdict
from ci_kit.selective_mutation.weakened import find_weakened
from ci_kit.tools import Tools

LEAST_SECONDS = 60.0
"""For the question whether the base's tests noticed more, however long the run itself took."""
CACHE = "cache.json"


@dataclass(frozen=True)
class Terms:
    """The budget in seconds, and what to do with what there is when the step is ended from outside."""

    budget_seconds: float
    on_interruption: Callable[[Tried], None]


def try_mutants(mutants: Sequence[Mutant], ready: Ready, suite: Suite, terms: Terms, tools: Tools) -> Tried:
    """The verdicts within the budget, and what there is to say about them."""
    state = ready.temp / "mutation-state"
    began = tools.clock.monotonic()
    tools.workflow.log(
        f"{len(mutants)} mutants in {len({each.path for each in mutants})} files. {ready.seen.decision.reason}"
    )
    try:
        with tools.workflow.foreign_output():
            limits = Limits(terms.budget_seconds)
            ran = run_mutants(mutants, suite, limits, tools, state=state, cache_file=ready.history / CACHE)
    except BaseException as error:
        if not isinstance(error, Exception):
            # The step itself is being ended: what is known so far is still worth its report.
            judged = _judged(mutants, so_far(mutants, state))
            took = tools.clock.monotonic() - began
            terms.on_interruption(Tried(judged, seconds=took, interrupted=True))
        raise
    took = tools.clock.monotonic() - began
    judged = _judged(mutants, ran.verdicts)
    notes = list(_facts(ran, judged))
    if tools.event.kind == "pull-request":
        left = max(LEAST_SECONDS, terms.budget_seconds - took)
        with tools.workflow.foreign_output():
            gone, note = find_weakened(judged, ready.seen, suite, Limits(left), tools)
        judged = tuple(replace(each, weakened=each.mutant.id in gone) for each in judged)
        notes += [note] if note else []
    work = math.fsum(verdict.seconds for verdict in ran.verdicts)
    fixed = max(0.0, took - work / max(ran.workers, 1))
    return Tried(judged, tuple(notes), tools.clock.monotonic() - began, fixed)


def _judged(mutants: Sequence[Mutant], verdicts: Sequence[Verdict]) -> tuple[Judged, ...]:
    return tuple(Judged(*pair) for pair in zip(mutants, verdicts, strict=True))


def _facts(ran: Run, judged: Sequence[Judged]) -> Iterator[str]:
    yield f"Which tests run which lines: {ran.covered_how}."
    if ran.why_fresh:
        yield f"Every mutant ran in a fresh process: {ran.why_fresh}."
    if ran.resumed or ran.cached:
        yield f"{ran.resumed} verdicts are from an interrupted run, {ran.cached} survivors from an earlier one."
    if ran.distrusted:
        yield f"Tests that fail alone without any mutant were not asked: {', '.join(ran.distrusted[:5])}."
    late = [each for each in judged if each.verdict.status == "pending"]
    if late:
        where = ", ".join(dict.fromkeys(each.mutant.path for each in late))
        yield f"The time was up before {len(late)} mutants were judged; they count for nothing: {where}."
    wrong = [each for each in judged if each.verdict.status == "error"]
    if wrong:
        yield f"{len(wrong)} mutants could not be judged: {wrong[0].verdict.detail}."
    yield from ran.notes
