"""The step summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci_kit.markdown import cell, code, fence, text
from ci_kit.selective_mutation.advice import advice
from ci_kit.selective_mutation.history_page import fallen, history
from ci_kit.selective_mutation.judging import Judged, Policy
from ci_kit.selective_mutation.result import Result
from ci_kit.selective_mutation.wording import diff, noticed

SHOWN = 20
_TITLE = {
    "passed": "✅ Mutants",
    "failed": "❌ Mutants",
    "nothing": "Mutants: nothing to mutate",
    "not-run": "Mutants: not part of this run",
    "interrupted": "❌ Mutants: interrupted",
}
_SCOPE = {
    "diff": "the changed lines, and the security-critical files that changed tests use",
    "critical": "all security-critical files",
    "all": "all source files",
}


def headline(result: Result) -> str:
    """One line for the log."""
    if result.outcome in {"not-run", "nothing"}:
        return f"{_TITLE[result.outcome]}. {result.decision.reason}"
    of = result.counts.of
    counted = ", ".join(f"{count} {status}" for status, count in of.items() if count)
    return f"Mutation score {percent(result.counts.score)} ({result.outcome}): {counted or 'no mutants'}."


def percent(score: float | None) -> str:
    """A score for people."""
    return "unknown" if score is None else f"{score:g} %"


def markdown(result: Result) -> str:
    """All of it, the most urgent first."""
    title = _TITLE[result.outcome]
    if result.judged:
        title += f": score {percent(result.counts.score)}"
    lines = [f"## {title}", "", text(result.decision.reason)]
    if why := list(_why(result)):
        lines += ["", "**Why it fails:**", "", *why]
    if result.decision.run:
        lines += ["", *_scope(result)]
    if result.judged:
        lines += ["", *_numbers(result)]
    parts = (
        _policies(result.policies),
        history(result),
        _without(result),
        _survivors(result.undetected),
        _costs(result),
    )
    for part in parts:
        found = list(part)
        lines += ["", *found] if found else []
    for note in result.notes:
        lines += ["", f"- {text(note)}"]
    return "\n".join(lines)


def _why(result: Result) -> Iterator[str]:
    """What makes it fail, one line each."""
    if result.weakened:
        count = len(result.weakened)
        what = "a change of the code" if count == 1 else f"{count} changes of the code"
        yield f"- The tests before this change notice {what} that they do not notice any more. They are the first below."
    yield from (f"- {text(missed(policy))}" for policy in result.failed)
    yield from (f"- {text(fallen(hold))}" for hold in result.fallen)


def missed(policy: Policy) -> str:
    """Why a policy is not met."""
    if policy.counts.total and not policy.counts.valid:
        return f"Of {policy.counts.total} mutants of {policy.pattern} none was judged."
    if not policy.reached:
        return f"The mutation score of {policy.pattern} is {percent(policy.counts.score)}, less than {policy.min_score:g} %."
    return f"{policy.new} mutants of {policy.pattern} survive here and not on the default branch."


def _scope(result: Result) -> Iterator[str]:
    yield f"Mutated: {_SCOPE[result.decision.scope]}."
    if result.decision.proposed:
        patterns = ", ".join(code(pattern) for pattern in result.decision.targets)
        yield f"`mutation.critical` is not configured, so files named like {patterns} count as security-critical."


def _numbers(result: Result) -> Iterator[str]:
    of = result.counts.of
    yield "| killed | timeout | survived | no coverage | pending | error |"
    yield "|--:|--:|--:|--:|--:|--:|"
    yield "| " + " | ".join(str(count) for count in of.values()) + " |"


def _policies(policies: Sequence[Policy]) -> Iterator[str]:
    if not policies:
        return
    yield "| policy | least score | score | new survivors | |"
    yield "|---|--:|--:|--:|---|"
    for policy in policies:
        said = "met" if policy.passed else "**not met**"
        if not policy.counts.total:
            said = "no mutants there"
        elif not policy.counts.valid:
            said = "**none was judged**"
        least = "" if policy.min_score is None else f"{policy.min_score:g} %"
        new = "not known" if policy.new is None else str(policy.new)
        new += " (none may be)" if policy.forbids_new else ""
        yield f"| {code(policy.pattern)} | {least} | {percent(policy.counts.score)} | {new} | {said} |"


def _without(result: Result) -> Iterator[str]:
    if result.unmutated:
        yield "**Changed security-critical lines for which there is no mutant; look at their tests yourself:**"
        yield ""
        yield from (f"- {code(place)}" for place in places(result.unmutated)[:SHOWN])
        if len(result.unmutated) > SHOWN:
            yield f"- and {len(result.unmutated) - SHOWN} more"


def places(unmutated: Sequence[tuple[str, int, int]]) -> list[str]:
    """`path:first-last`."""
    return [f"{path}:{first}" + (f"-{last}" if last > first else "") for path, first, last in unmutated]


def _survivors(found: Sequence[Judged]) -> Iterator[str]:
    if not found:
        return
    yield f"### {len(found)} change{'s' if len(found) > 1 else ''} that no test notices"
    for each in found[:SHOWN]:
        mutant = each.mutant
        place, inside = code(f"{mutant.path}:{mutant.first_line}"), code(mutant.function or "module")
        yield ""
        yield f"**{place}** in {inside} ({cell(mutant.operator)})"
        yield ""
        yield fence(diff(mutant), "diff")
        yield ""
        if each.weakened:
            yield "**The tests before this change noticed it.**"
        yield f"{text(noticed(each))}"
        yield f"**{advice(mutant)}**"
    if len(found) > SHOWN:
        yield ""
        yield f"And {len(found) - SHOWN} more, in the report."


def _costs(result: Result) -> Iterator[str]:
    if not result.costliest:
        return
    yield f"The run took {result.seconds:.0f} s. What took longest (seconds of work):"
    yield ""
    yield "| file | function | mutants | seconds |"
    yield "|---|---|--:|--:|"
    for cost in result.costliest:
        yield f"| {code(cost.path)} | {code(cost.function or 'module')} | {cost.mutants} | {cost.seconds:.1f} |"
