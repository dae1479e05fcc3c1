"""How a deployment ends, and the exit code of that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_kit.errors import Exit
from ci_kit.smoke_and_rollback.notify.event import Kind

_EXITS = {
    Kind.PROMOTED: Exit.GOOD,
    Kind.ROLLED_BACK: Exit.ROLLED_BACK,
    Kind.ROLLBACK_FAILED: Exit.ROLLBACK_FAILED,
    Kind.NOT_ROLLED_BACK: Exit.NO,
    Kind.NOT_DEPLOYED: Exit.NO,
    Kind.HELD: Exit.INCONCLUSIVE,
}


@dataclass(frozen=True)
class Times:
    """Seconds; None: it did not come to that.

    `detect`: from the deploy command's end to the decision that the release is bad. `rollback`: from the rollback's first
    act until its strategy has verified the release before, `recover` until the smoke run has proven it.
    """

    deploy: float | None = None
    detect: float | None = None
    rollback: float | None = None
    recover: float | None = None


@dataclass(frozen=True)
class Ending:
    """`why` and `by_hand` are sentences for people. `detected`: the release was found to be bad, and not merely unproven."""

    kind: Kind
    why: str
    by_hand: str = ""
    detected: bool = False
    times: Times = field(default=Times())


def exit_code(ending: Ending, *, drill: bool) -> Exit:
    """The code of the run. A drill is good when the bad build was found to be bad and taken back."""
    if drill and ending.kind is Kind.ROLLED_BACK:
        return Exit.GOOD if ending.detected else Exit.NO
    return _EXITS[ending.kind]


def in_a_drill(ending: Ending) -> Ending:
    """A sentence more, for whoever reads that a drill passed or failed."""
    if ending.kind is not Kind.ROLLED_BACK:
        return ending
    said = "The drill passed" if ending.detected else "The drill FAILED: the bad build was not found to be bad"
    return Ending(ending.kind, f"{said}. {ending.why}", ending.by_hand, ending.detected, ending.times)
