"""The one JSON document that a target keeps: lock, record of the deployment, quarantine. Pure functions over it.

One document, replaced as a whole and only when nobody else has replaced it meanwhile, is all that a target must offer;
so an annotation, a file and a label keep the same promises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ci_kit.smoke_and_rollback.deployment_state import SCHEMA, Owner, Record
from ci_kit.smoke_and_rollback.target_errors import LostLock, TargetBusy, TargetFailure

# Two machines' clocks may differ by this much before a lock that has just run out is taken over.
CLOCK_SKEW = timedelta(minutes=2)
QUARANTINE_LIMIT = 50


@dataclass(frozen=True)
class Lock:
    """Held by `owner`; stale from `until` on, when its owner has not renewed it."""

    owner: Owner
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Quarantined:
    """A release that was proven bad, by its identity, and why."""

    identity: str
    why: str
    owner: Owner
    at: datetime


@dataclass(frozen=True)
class TargetDocument:
    """Everything that is remembered at the target."""

    lock: Lock | None = None
    record: Record | None = None
    quarantine: tuple[Quarantined, ...] = field(default=())

    def to_text(self) -> str:
        """Compact JSON."""
        data: dict[str, Any] = {
            "schema": SCHEMA,
            "lock": None if self.lock is None else {
                "owner": self.lock.owner.to_json(),
                "since": self.lock.since.isoformat(),
                "until": self.lock.until.isoformat(),
            },
            "record": None if self.record is None else self.record.to_json(),
            "quarantine": [
                {"identity": q.identity, "why": q.why, "owner": q.owner.to_json(), "at": q.at.isoformat()}
                for q in self.quarantine
            ],
        }  # fmt: skip
        return json.dumps(data, separators=(",", ":"))  # ASCII: an answer may hold half a surrogate pair

    @classmethod
    def from_text(cls, text: str | None, where: str) -> TargetDocument:
        """None or nothing but blanks is an empty document; raises `TargetFailure` for what is no such document."""
        if text is None or not text.strip():
            return cls()
        try:
            data = json.loads(text)
            _understood(data["schema"])
            return cls(
                lock=None if data["lock"] is None else _lock(data["lock"]),
                record=None if data["record"] is None else Record.from_json(data["record"]),
                quarantine=tuple(
                    Quarantined(
                        str(q["identity"]), str(q["why"]), Owner.from_json(q["owner"]), datetime.fromisoformat(q["at"])
                    )
                    for q in data["quarantine"]
                ),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise TargetFailure(
                f"the state of the deployment, {where}, cannot be read: {_wrong(error)}.",
                next_step="Check what runs at the target, then remove the state and run again.",
            ) from error


def _wrong(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg} in line {error.lineno})"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error) if isinstance(error, ValueError) else "it is not built as one"


def _understood(found: object) -> None:
    if found != SCHEMA:
        raise ValueError(f"its schema is {found!r}, not {SCHEMA!r}")


def _lock(data: Mapping[str, Any]) -> Lock:
    return Lock(
        Owner.from_json(data["owner"]), datetime.fromisoformat(data["since"]), datetime.fromisoformat(data["until"])
    )


def nobody_has_ended(_owner: Owner) -> bool:
    """The answer when nobody can be asked whether another run has ended."""
    return False


def with_lock(
    document: TargetDocument,
    owner: Owner,
    now: datetime,
    lease_seconds: float,
    has_ended: Callable[[Owner], bool] = nobody_has_ended,
) -> TargetDocument:
    """The document with the lock taken, or renewed, by `owner`; raises `TargetBusy`.

    Another run's lock is stale when its time has run out, when a later attempt of the same run asks (GitHub ends one
    attempt before it starts the next), or when `has_ended(holder)`.
    """
    held = document.lock
    since = now
    if held is not None:
        stale = now > held.until + CLOCK_SKEW
        mine = held.owner.run == owner.run
        if mine and held.owner.attempt == owner.attempt:
            since = held.since
        elif not stale and not (mine and held.owner.attempt < owner.attempt) and not has_ended(held.owner):
            raise TargetBusy(
                f"{held.owner} deploys here since {held.since.isoformat()}.",
                next_step=f"Wait for it. If it is dead, its lock is taken over after {held.until.isoformat()}.",
            )
    return replace(document, lock=Lock(owner, since, now + timedelta(seconds=lease_seconds)))


def held_by(document: TargetDocument, owner: Owner) -> Lock:
    """The lock, when `owner` holds it; raises `LostLock` otherwise. A lock that ran out, but was not taken, is held."""
    held = document.lock
    if held is None or (held.owner.run, held.owner.attempt) != (owner.run, owner.attempt):
        holder = "nobody" if held is None else str(held.owner)
        raise LostLock(
            f"this run lost its lock at the target; {holder} holds it.",
            next_step="Nothing more was touched. Look at the other run, then run this one again.",
        )
    return held


def with_record(
    document: TargetDocument, record: Record | None, owner: Owner, now: datetime, lease_seconds: float
) -> TargetDocument:
    """The document with the record written (None clears it) and the lock renewed; raises `LostLock`."""
    held = held_by(document, owner)
    return replace(document, record=record, lock=replace(held, until=now + timedelta(seconds=lease_seconds)))


def without_lock(document: TargetDocument, owner: Owner) -> TargetDocument:
    """The document without this owner's lock; somebody else's lock stays."""
    held = document.lock
    if held is None or (held.owner.run, held.owner.attempt) != (owner.run, owner.attempt):
        return document
    return replace(document, lock=None)


def with_quarantined(document: TargetDocument, bad: Quarantined) -> TargetDocument:
    """The document with one more bad release, newest last; the oldest beyond `QUARANTINE_LIMIT` are dropped."""
    others = tuple(q for q in document.quarantine if q.identity != bad.identity)
    return replace(document, quarantine=(*others, bad)[-QUARANTINE_LIMIT:])


def without_quarantined(document: TargetDocument, identity: str) -> TargetDocument:
    """The document with this release allowed again."""
    return replace(document, quarantine=tuple(q for q in document.quarantine if q.identity != identity))
