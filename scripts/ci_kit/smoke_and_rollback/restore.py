"""Take a release back, and prove that the release before is good again."""

from __future__ import annotations

from dataclasses import replace

from ci_kit.errors import KitError
from ci_kit.smoke_and_rollback.deployment_state import Phase, Snapshot
from ci_kit.smoke_and_rollback.ending import Ending, Times
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.notify.event import Kind
from ci_kit.smoke_and_rollback.parts import Asked, Parts
from ci_kit.smoke_and_rollback.target_errors import LostLock


def take_back(
    parts: Parts, asked: Asked, journal: Journal, before: Snapshot, why: str, *, detected: bool, times: Times
) -> Ending:
    """One attempt. `detected`: the release was found to be bad, so it is quarantined. Raises only `LostLock`."""
    if detected and not asked.drill:
        _quarantine(parts, journal, before, why)
    journal.begin(Phase.ROLLING_BACK, why=why)
    started = parts.clock.monotonic()
    try:
        parts.strategy.rollback(before)
        parts.strategy.wait(started + asked.rollback_seconds)
        journal.begin(Phase.RESTORED)
    except LostLock:
        raise
    except KitError as error:
        return _failed(journal, error.message, error.next_step, detected=detected, times=times)
    return prove_restored(parts, journal, before, why, started, detected=detected, times=times)


def prove_restored(
    parts: Parts, journal: Journal, before: Snapshot, why: str, started: float, *, detected: bool, times: Times
) -> Ending:
    """By the strategy, and then by the smoke run, which must be answered by the release before."""
    version = journal.record.version_before
    try:
        parts.strategy.verify(before)
        times = replace(times, rollback=parts.clock.monotonic() - started)
        if version:
            proof = parts.prove(version, False)
            if not proof.ok:
                return _failed(
                    journal,
                    f"{before.identity} is back, and its smoke run says no: {proof.why}.",
                    "Find out what else is broken: the environment, or the database.",
                    detected=detected,
                    times=times,
                )
    except LostLock:
        raise
    except KitError as error:
        return _failed(journal, error.message, error.next_step, detected=detected, times=times)
    times = replace(times, recover=parts.clock.monotonic() - started)
    journal.begin(Phase.ROLLED_BACK)
    said = why if version else f"{why} The release before had told no version, so no smoke run was made of it."
    return Ending(Kind.ROLLED_BACK, said, detected=detected, times=times)


def _failed(journal: Journal, message: str, by_hand: str, *, detected: bool, times: Times) -> Ending:
    bad = journal.record.why
    journal.begin(Phase.ROLLBACK_FAILED, why=f"{bad} The rollback failed: {message}")
    return Ending(Kind.ROLLBACK_FAILED, journal.record.why, by_hand, detected, times)


def _quarantine(parts: Parts, journal: Journal, before: Snapshot, why: str) -> None:
    """The release by its name and by what it put at the target; never what was there before."""
    after = journal.record.after
    names = {journal.record.release, after.artifact if after is not None else None} - {before.artifact, None}
    for name in sorted(filter(None, names)):
        try:
            journal.quarantine(name, why)
        except LostLock:
            raise
        except KitError as error:
            parts.say(f"{name} could not be quarantined, and the rollback goes on: {error}")
