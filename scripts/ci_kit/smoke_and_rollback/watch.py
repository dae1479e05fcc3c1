"""Watch a release until the counts decide or the time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.clopper_pearson import more_requests
from ci_kit.smoke_and_rollback.judge import Verdict, judge
from ci_kit.smoke_and_rollback.prometheus import Reading, Unknown

POLLS_PER_SCRAPE = 5
SHORTEST_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Rules:
    """How long is watched, and what decides. Rates are 0 to 1."""

    threshold: float
    scrape_seconds: float
    min_seconds: float = 60.0
    max_seconds: float = 900.0
    alpha: float = 0.01
    confidence: float = 0.95


@dataclass(frozen=True)
class Watched:
    """The verdict, never `watching`, and what it took."""

    verdict: Verdict
    seconds: float
    polls: int


def watch(
    read: Callable[[float], Reading | Unknown],
    clock: Clock,
    rules: Rules,
    *,
    on_poll: Callable[[Verdict, float], None] | None = None,
) -> Watched:
    """Poll `read(now)` (Unix seconds) until a verdict.

    A failure ends the watch at once. Otherwise it ends after `min_seconds`, as soon as there are as many requests as a
    release without an error needs for a pass, and after `max_seconds` at the latest: the number of errors has no say in when
    it ends, so that the bound of the pass holds. `on_poll` hears of every verdict and the seconds until it.
    """
    started, polls = clock.monotonic(), 0
    goal = more_requests(0, 0, rules.threshold, rules.confidence)
    pause = max(SHORTEST_POLL_SECONDS, rules.scrape_seconds / POLLS_PER_SCRAPE)
    while True:
        reading = read(clock.now().timestamp())
        seconds = clock.monotonic() - started
        enough = isinstance(reading, Reading) and goal is not None and reading.canary.requests >= goal
        at_end = seconds >= rules.max_seconds or (seconds >= rules.min_seconds and enough)
        verdict = _verdict(reading, rules, at_end=at_end)
        polls += 1
        if on_poll is not None:
            on_poll(verdict, seconds)
        if at_end or verdict.kind == "fail":
            return Watched(verdict, seconds, polls)
        next_end = rules.min_seconds if seconds < rules.min_seconds else rules.max_seconds
        clock.sleep(min(pause, max(0.0, next_end - seconds)))


def _verdict(reading: Reading | Unknown, rules: Rules, *, at_end: bool) -> Verdict:
    if isinstance(reading, Unknown):
        return Verdict("unknown", f"{reading.why}.")
    baseline = reading.baseline
    found = judge(
        reading.canary,
        None if isinstance(baseline, Unknown) else baseline,
        threshold=rules.threshold,
        alpha=rules.alpha,
        confidence=rules.confidence,
        at_end=at_end,
        intervals=reading.intervals,
    )
    if found.kind == "fail" and isinstance(baseline, Unknown):
        # What took the baseline away may be what makes the release fail.
        return replace(found, kind="unknown", why=f"{found.why} Of the baseline nothing is known: {baseline.why}.")
    return found
