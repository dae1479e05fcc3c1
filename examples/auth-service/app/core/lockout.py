"""When an account is locked after failed logins, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempts:
    """The failed logins of one account since the last good one."""

    failed: int = 0
    locked_until: float = 0.0


@dataclass(frozen=True)
class LockoutPolicy:
    """Locks at the given number of failures, then doubles the time with each further failure."""

    attempts: int
    base_seconds: float
    max_seconds: float

    def remaining_seconds(self, state: Attempts, now: float) -> float:
        return max(0.0, state.locked_until - now)

    def is_locked(self, state: Attempts, now: float) -> bool:
        return self.remaining_seconds(state, now) > 0

    def after_failure(self, state: Attempts, now: float) -> Attempts:
        failed = state.failed + 1
        if failed < self.attempts:
            return Attempts(failed=failed)
        # The exponent is bounded because 2.0 ** 1024 overflows.
        doublings = min(failed - self.attempts, 60)
        duration = min(self.base_seconds * 2.0**doublings, self.max_seconds)
        return Attempts(failed=failed, locked_until=now + duration)
