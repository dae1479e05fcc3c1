"""Tell of the end of a deployment, and write down that somebody knows."""

from __future__ import annotations

from collections.abc import Sequence

from ci_kit.smoke_and_rollback.deployment_state import Record
from ci_kit.smoke_and_rollback.ending import Ending
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.notify.event import Event, Kind
from ci_kit.smoke_and_rollback.parts import Asked, Parts
from ci_kit.smoke_and_rollback.telling import Told, somebody_was_told

_LEAVES_NOTHING = {Kind.NOT_DEPLOYED, Kind.NOT_ROLLED_BACK}


def conclude(parts: Parts, asked: Asked, journal: Journal, ending: Ending) -> Sequence[Told]:
    """Tell first: a run that is killed between the two tells again, and a channel that can be asked does not repeat it."""
    event = event_of(asked, journal.record, ending, parts)
    found = parts.tell(event)
    told = somebody_was_told(event, found)
    if ending.kind in _LEAVES_NOTHING and (told or ending.kind is Kind.NOT_DEPLOYED):
        journal.forget()
    elif told:
        journal.told()
    return found


def event_of(asked: Asked, record: Record, ending: Ending, parts: Parts) -> Event:
    """The end of the recorded deployment, whichever run finished it."""
    times = ending.times
    facts = (
        ("Release before", "" if record.before is None else record.before.identity),
        ("Version before", record.version_before),
        ("Deployed by", record.owner.actor),
        ("Found after", _seconds(times.detect) if ending.detected else ""),
        ("Restored and proven after", _seconds(times.recover)),
        ("Finished by", "" if record.owner == parts.owner else str(parts.owner)),
    )
    same = record.release == asked.release
    return Event(
        kind=ending.kind,
        environment=record.environment,
        release=record.release,
        commit=asked.commit if same else record.release,
        repository=asked.repository,
        run=f"{record.owner.run}#{record.owner.attempt}",
        run_url=record.owner.url,
        at=parts.clock.now(),
        why=ending.why,
        by_hand=ending.by_hand,
        facts=tuple((name, value) for name, value in facts if value),
        drill=asked.drill and same,
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
