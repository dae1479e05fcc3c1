"""Lock, record and quarantine where the deployment's target is, so that they outlive the runner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.deployment_state import Owner, Record
from ci_kit.smoke_and_rollback.target_document import (
    Quarantined,
    TargetDocument,
    held_by,
    nobody_has_ended,
    with_lock,
    with_quarantined,
    with_record,
    without_lock,
    without_quarantined,
)
from ci_kit.smoke_and_rollback.target_errors import TargetFailure

LEASE_SECONDS = 1800.0
TRIES = 20
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Stored:
    """The document's text (None: there is none yet) and the version that `Store.save` must be told."""

    text: str | None
    version: str


class Store(Protocol):
    """One text at the target, replaced atomically."""

    where: str

    def load(self) -> Stored:
        """The text as it is now; raises `TargetFailure`."""

    def save(self, text: str, version: str) -> bool:
        """Replace the text of `version`; False, with nothing written, when somebody else has replaced it since."""


class TargetState:
    """`store` read and changed, each change as a whole or not at all."""

    def __init__(self, store: Store, clock: Clock, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds

    @property
    def where(self) -> str:
        """Where the document is, for people."""
        return self._store.where

    def read(self) -> TargetDocument:
        """Everything; raises `TargetFailure`."""
        return TargetDocument.from_text(self._store.load().text, self.where)

    def lock(self, owner: Owner, has_ended: Callable[[Owner], bool] = nobody_has_ended) -> TargetDocument:
        """Take or renew the lock, and answer what was found there; raises `TargetBusy` (see `with_lock`)."""
        return self._change(lambda d: with_lock(d, owner, self._clock.now(), self._lease_seconds, has_ended))

    def write(self, record: Record | None, owner: Owner) -> None:
        """Write the record before the act that it names (None: clear it), renewing the lock; raises `LostLock`."""
        self._change(lambda d: with_record(d, record, owner, self._clock.now(), self._lease_seconds))

    def unlock(self, owner: Owner) -> None:
        """Give the lock back; nothing happens when somebody else holds it."""
        self._change(lambda d: without_lock(d, owner))

    def quarantine(self, identity: str, why: str, owner: Owner) -> None:
        """Remember a bad release; raises `LostLock`."""

        def change(document: TargetDocument) -> TargetDocument:
            held_by(document, owner)
            return with_quarantined(document, Quarantined(identity, why, owner, self._clock.now()))

        self._change(change)

    def is_quarantined(self, identity: str) -> Quarantined | None:
        """Whether this release was proven bad here."""
        return next((q for q in self.read().quarantine if q.identity == identity), None)

    def allow(self, identity: str) -> None:
        """Lift a quarantine."""
        self._change(lambda d: without_quarantined(d, identity))

    def _change(self, change: Callable[[TargetDocument], TargetDocument]) -> TargetDocument:
        for _ in range(TRIES):
            stored = self._store.load()
            before = TargetDocument.from_text(stored.text, self.where)
            after = change(before)
            if after == before or self._store.save(after.to_text(), stored.version):
                return before
            self._clock.sleep(PAUSE_SECONDS)
        raise TargetFailure(
            f"the state of the deployment, {self.where}, was changed by somebody else {TRIES} times in a row.",
            next_step="Find out what else writes there, then run again.",
        )
