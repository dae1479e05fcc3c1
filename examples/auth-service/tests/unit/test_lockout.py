from __future__ import annotations

from app.core.lockout import Attempts, LockoutPolicy

POLICY = LockoutPolicy(attempts=3, base_seconds=10, max_seconds=60)
NOW = 1000.0


def after(failures: int) -> Attempts:
    state = Attempts()
    for _ in range(failures):
        state = POLICY.after_failure(state, NOW)
    return state


def test_a_new_account_is_open() -> None:
    assert not POLICY.is_locked(Attempts(), NOW)
    assert POLICY.remaining_seconds(Attempts(), NOW) == 0


def test_the_time_doubles_up_to_its_maximum() -> None:
    seconds = {
        failures: POLICY.remaining_seconds(after(failures), NOW)
        for failures in (1, 2, 3, 4, 5, 6, 7, 2000)
    }

    assert seconds == {1: 0, 2: 0, 3: 10, 4: 20, 5: 40, 6: 60, 7: 60, 2000: 60}
    assert not POLICY.is_locked(after(2), NOW)
    assert POLICY.is_locked(after(3), NOW)
    assert after(7).failed == 7


def test_a_lock_opens_at_its_end_and_not_before() -> None:
    state = after(3)

    assert POLICY.is_locked(state, NOW + 9.999)
    assert not POLICY.is_locked(state, NOW + 10)


def test_a_failure_after_the_lock_locks_again_and_longer() -> None:
    state = POLICY.after_failure(after(3), NOW + 100)

    assert state == Attempts(failed=4, locked_until=NOW + 120)
