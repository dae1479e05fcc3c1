"""The record of the deployment under way: each phase is written at the target before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.deployment_state import Owner, Phase, Record
from ci_kit.smoke_and_rollback.target_state import TargetState


@dataclass(frozen=True)
class Step:
    """A phase and when it began, in seconds since this run took the record up."""

    phase: Phase
    at_seconds: float
    why: str


class Journal:
    """`writer` is the run that holds the lock; it need not be the one that began the deployment (`record.owner`)."""

    def __init__(
        self, state: TargetState, record: Record, writer: Owner, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._state = state
        self._writer = writer
        self._clock = clock
        self._say = say
        self._started = clock.monotonic()
        self.record = record
        self.steps: list[Step] = []

    def begin(self, phase: Phase, **changes: Any) -> None:  # noqa: ANN401 - fields of a Record
        """Write the phase (and other fields) before the act; raises `LostLock`, and then nothing may be touched."""
        now, known = self._clock.now(), self.record.why
        self._write(replace(self.record, **{"phase": phase, "since": now, **changes}))
        why = "" if self.record.why == known else self.record.why
        self.steps.append(Step(phase, round(self._clock.monotonic() - self._started, 3), why))
        self._say(f"{now:%H:%M:%S} {phase}{': ' + why if why else ''}")

    def told(self) -> None:
        """Somebody knows of the end."""
        self._write(replace(self.record, told=True))

    def forget(self) -> None:
        """The deployment has ended and left nothing to finish."""
        self._state.write(None, self._writer)

    def quarantine(self, identity: str, why: str) -> None:
        """No later run ships this release again."""
        self._state.quarantine(identity, why, self._writer)

    def _write(self, record: Record) -> None:
        self._state.write(record, self._writer)
        self.record = record
