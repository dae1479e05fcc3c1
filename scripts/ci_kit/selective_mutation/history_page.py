"""The part of the summary that speaks of earlier runs: what is new, what has fallen, and the score over time."""

from __future__ import annotations

from collections.abc import Iterator

from ci_kit.markdown import code, text
from ci_kit.selective_mutation.before import Compared
from ci_kit.selective_mutation.ratchet import Hold
from ci_kit.selective_mutation.result import Result
from ci_kit.trend import chart, sparkline

SAID = {
    "held": "held",
    "fallen": "**fallen**",
    "excused": "not held against it",
    "unknown": "cannot be told",
}


def history(result: Result) -> Iterator[str]:
    """Nothing where nothing was judged."""
    if result.compared is None:
        return
    yield text(compared_with(result.compared))
    if result.compared.unseen:
        names = ", ".join(code(path) for path in result.compared.unseen[:5])
        yield ""
        yield f"Only changed lines were mutated, so whether the score of {names} holds shows on the default branch."
    if result.compared.holds:
        yield ""
        yield from _table(result.compared.holds)
    if line := sparkline(result.points):
        yield ""
        yield f"The score of the last {len(result.points)} runs with this one: {line}"
        yield ""
        yield "<details><summary>As a chart</summary>"
        yield ""
        yield from chart(result.points, "Mutation score")
        yield "</details>"


def compared_with(compared: Compared) -> str:
    """A sentence: which run, and what is new since."""
    if compared.new is None:
        return (
            f"Which survivors are new, and whether a score has fallen, is not known: {_sentence(compared.before.how)}"
        )
    count = len(compared.new)
    new = "No survivor is new" if not count else f"{count} survivor{'s are' if count > 1 else ' is'} new"
    return f"{new}, {_sentence(compared.before.how)}"


def fallen(hold: Hold) -> str:
    """What to say of a file whose score is less than it was."""
    now = "none of its mutants was judged" if hold.now is None else f"it is {hold.now:g} %"
    why = f" ({hold.why})" if hold.why and hold.now is not None else ""
    return (
        f"The mutation score of {hold.path} was {hold.was:g} %, and now {now}{why}. Mend its tests. What may survive gets a "
        "comment `# ci-kit: no-mutation <reason>`; a file that is not security-critical any more goes to `mutation.released`."
    )


def _table(holds: tuple[Hold, ...]) -> Iterator[str]:
    yield "| security-critical file | score was | is | |"
    yield "|---|--:|--:|---|"
    for hold in holds:
        now = "none" if hold.now is None else f"{hold.now:g} %"
        why = f": {text(hold.why)}" if hold.why else ""
        yield f"| {code(hold.path)} | {hold.was:g} % | {now} | {SAID[hold.state]}{why} |"


def _sentence(how: str) -> str:
    return how if how.endswith(".") else f"{how}."
