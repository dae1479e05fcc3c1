"""Numbers of requests and errors, from which the decision is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Requests that were answered, and how many of them with an error."""

    requests: int
    errors: int

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.requests:
            raise ValueError(f"expected 0 <= errors <= requests, found {self.errors} of {self.requests}")


@dataclass(frozen=True)
class Interval:
    """What the canary and the baseline were asked in the same time."""

    canary: Counts
    baseline: Counts
