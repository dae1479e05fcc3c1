"""Decide how long pytest may run: `test.timeout` of the configuration, or less where the step itself must end earlier."""

from __future__ import annotations

from dataclasses import dataclass

REPORTING_SECONDS = 20.0  # what is left of the step's time limit for the report


@dataclass(frozen=True)
class Limit:
    """pytest's limit. `note` says what cut it short of the configuration's, empty when nothing did."""

    seconds: float
    note: str = ""


def limit_of(test_seconds: float, step_seconds: float | None, used_seconds: float) -> Limit:
    """`step_seconds` is the launcher's limit, None without one, of which `used_seconds` are over."""
    if step_seconds is None:
        return Limit(test_seconds)
    left = max(1.0, step_seconds - used_seconds - min(REPORTING_SECONDS, step_seconds / 5))
    if left >= test_seconds:
        return Limit(test_seconds)
    note = (
        f"The time limit of the step (input timeout, {step_seconds:.0f} s) left {left:.0f} s for the tests, less than "
        f"test.timeout of the configuration ({test_seconds:.0f} s): raise the input timeout."
    )
    return Limit(left, note)
