"""What both verbs end with: judge all mutants, tell, and leave a record for later runs."""

from __future__ import annotations

from dataclasses import replace

from ci_kit.config import Mutation
from ci_kit.errors import Exit, InfrastructureFailure
from ci_kit.selective_mutation import say
from ci_kit.selective_mutation.budget import costliest
from ci_kit.selective_mutation.compared import compare
from ci_kit.selective_mutation.judging import judge
from ci_kit.selective_mutation.prepare import Ready
from ci_kit.selective_mutation.remember import points, remember
from ci_kit.selective_mutation.result import Result
from ci_kit.selective_mutation.shard import Tried
from ci_kit.tools import Tools


def not_run(ready: Ready, tools: Tools) -> int:
    """The event asks for no mutants."""
    say.tell(Result(ready.plan.name, ready.plan.commit, ready.seen.decision), ready.temp, tools)
    return Exit.GOOD


def result_of(ready: Ready, tried: Tried, seconds: float) -> Result:
    """What is known without any comparison."""
    verdicts = {each.verdict.mutant: each.verdict for each in tried.judged}
    return Result(
        ready.plan.name,
        ready.plan.commit,
        ready.seen.decision,
        ready.generated,
        judged=tried.judged,
        unmutated=ready.unmutated,
        costliest=costliest([each.mutant for each in tried.judged], verdicts),
        seconds=seconds,
        interrupted=tried.interrupted,
        notes=(*ready.notes, *tried.notes),
    )


def conclude(ready: Ready, tried: Tried, seconds: float, html: str, tools: Tools) -> int:
    """Judge, tell and remember. Raises `InfrastructureFailure` where there are mutants and none was judged."""
    result = result_of(ready, tried, seconds)
    if tried.judged:
        compared = compare(tried.judged, ready, tools)
        judged = tuple(replace(each, new=each.mutant.id in (compared.new or ())) for each in tried.judged)
        settings: Mutation = ready.config.mutation
        policies = judge(judged, settings.policies, compared=compared.new is not None)
        trend = points(ready.plan.records, result.counts, tools)
        result = replace(result, judged=judged, policies=policies, compared=compared, points=trend)
    say.tell(result, ready.temp, tools, html)
    if result.judged and not result.counts.valid:
        raise InfrastructureFailure(
            f"of {len(result.judged)} mutants none was judged, so nothing is known of the tests.",
            next_step="Raise `mutation.budget`, or list fewer files in `mutation.critical`.",
        )
    if kept := remember(result, ready, tried, tools):
        tools.workflow.output("state", str(kept))
    return Exit.NO if result.outcome == "failed" else Exit.GOOD
