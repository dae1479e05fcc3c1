"""What an earlier run has left at the target: finished, told of, or explained, before anything new begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ci_kit.errors import Exit, KitError
from ci_kit.smoke_and_rollback.conclude import conclude
from ci_kit.smoke_and_rollback.deployment_state import (
    Action,
    Explain,
    Nothing,
    Phase,
    Record,
    Snapshot,
    next_step,
)
from ci_kit.smoke_and_rollback.ending import Ending, Times
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.notify.event import Kind
from ci_kit.smoke_and_rollback.parts import Asked, Parts
from ci_kit.smoke_and_rollback.restore import prove_restored, take_back
from ci_kit.smoke_and_rollback.target_errors import NoCanary
from ci_kit.smoke_and_rollback.telling import Told

Decision = Literal["promote", "rollback", "forget"]
_INTERRUPTED = "The run that deployed it was interrupted before it was proven good."
_FAILED = {Phase.ROLLING_BACK, Phase.RESTORED, Phase.ROLLBACK_FAILED}


class Explained(KitError):
    """An earlier deployment needs a person."""

    def __init__(self, message: str, *, next_step: str, failed: bool) -> None:
        super().__init__(message, next_step=next_step)
        self.exit = Exit.ROLLBACK_FAILED if failed else Exit.INCONCLUSIVE


@dataclass(frozen=True)
class Recovered:
    """`ending` None: nothing was left to do, and `why` says so."""

    why: str
    ending: Ending | None = None
    told: Sequence[Told] = ()
    journal: Journal | None = None


def recover(parts: Parts, asked: Asked, record: Record | None) -> Recovered:
    """Finish what `record` tells of, by this run, which holds the lock. Raises `Explained` where a person must decide."""
    if record is None or record.before is None:
        return Recovered("no deployment was recorded here")
    journal = Journal(parts.strategy.state, record, parts.owner, parts.clock, parts.say)
    if record.before.strategy != asked.strategy:
        raise Explained(
            f"the record at the target was made by the strategy {record.before.strategy}, and this run has {asked.strategy}.",
            next_step="Let the verb finish it with the old specification, or `forget` it.",
            failed=False,
        )
    standing = parts.strategy.standing(record.before, record.after)
    what = next_step(record, standing, repeatable=parts.strategy.repeatable)
    if isinstance(what, Nothing):
        return Recovered(what.why)
    if isinstance(what, Explain):
        _tell_of(parts, asked, journal, what)
        raise Explained(f"{what.why}.", next_step=what.by_hand, failed=record.phase in _FAILED)
    parts.say(f"Finishing an earlier deployment ({what.action}): {what.why}.")
    ending = _finish(parts, asked, journal, record.before, what.action)
    return Recovered(what.why, ending, conclude(parts, asked, journal, ending), journal)


def promote(parts: Parts, journal: Journal, before: Snapshot) -> Ending:
    """All the traffic to the new release, because it was proven good or because a person says so."""
    journal.begin(Phase.PROMOTING)
    try:
        parts.strategy.weight(100, before)
    except NoCanary:
        parts.say("The release has all the traffic already.")
    journal.begin(Phase.PROMOTED)
    return Ending(Kind.PROMOTED, "A later run gave it all the traffic.")


def decide(parts: Parts, asked: Asked, record: Record | None, decision: Decision) -> Recovered:
    """What a person has decided about a deployment that waits for one. `forget` touches nothing but the record."""
    if record is None or record.before is None:
        return Recovered("no deployment was recorded here")
    journal = Journal(parts.strategy.state, record, parts.owner, parts.clock, parts.say)
    if decision == "forget":
        journal.forget()
        return Recovered(f"the record is gone: {record.owner} was {record.phase} release {record.release}")
    if decision == "promote":
        ending = promote(parts, journal, record.before)
    else:
        why = record.why or "A person decided so."
        ending = take_back(parts, asked, journal, record.before, why, detected=False, times=Times())
    return Recovered(f"decided: {decision}", ending, conclude(parts, asked, journal, ending), journal)


def _finish(parts: Parts, asked: Asked, journal: Journal, before: Snapshot, action: Action) -> Ending:
    why = journal.record.why
    if action is Action.ROLL_BACK:
        begun = journal.record.phase is Phase.ROLLING_BACK and why
        return take_back(parts, asked, journal, before, why if begun else _INTERRUPTED, detected=False, times=Times())
    if action is Action.VERIFY:
        return prove_restored(
            parts, journal, before, why or _INTERRUPTED, parts.clock.monotonic(), detected=False, times=Times()
        )
    if action is Action.PROMOTE:
        return promote(parts, journal, before)
    promoted = journal.record.phase is Phase.PROMOTED
    return Ending(Kind.PROMOTED if promoted else Kind.ROLLED_BACK, why or "Every check passed.")


def _tell_of(parts: Parts, asked: Asked, journal: Journal, what: Explain) -> None:
    """A run that was killed before it could tell leaves this to the next one. The record stays for the person."""
    if not journal.record.told:
        kind = Kind.ROLLBACK_FAILED if journal.record.phase in _FAILED else Kind.HELD
        conclude(parts, asked, journal, Ending(kind, f"{what.why}.", what.by_hand))
