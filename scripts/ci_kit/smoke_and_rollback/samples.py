"""From the raw samples of counters to numbers of requests: exact, without the guesses of `rate()` and `increase()`.

Those two extrapolate, and know nothing of what a series counted before its first sample; but what a series of a new release
shows in its first sample is exactly what happened since the deployment.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci_kit.smoke_and_rollback.counts import Counts, Interval

# So far before the deployment a sample is looked for that tells where a series stood; Prometheus' own look-back.
LOOK_BACK_SECONDS = 300.0
QUIET_SCRAPES = 3
Target = tuple[str, str]


@dataclass(frozen=True)
class Series:
    """One counter: its labels, and its samples as (Unix seconds, value), the oldest first."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]

    @property
    def target(self) -> Target:
        """The job and the instance that it was scraped from; what has neither is all of one target."""
        return self.labels.get("job", ""), self.labels.get("instance", "")

    @property
    def newest(self) -> float:
        """When it was last seen."""
        return self.samples[-1][0] if self.samples else -math.inf


def increases(samples: Sequence[tuple[float, float]], edges: Sequence[float], until: float = math.inf) -> list[float]:
    """What a counter counted between neighbouring `edges` (rising), each span without its beginning and with its end.

    Samples after `until` are not looked at. A value that is lower than the one before is a process that started again from
    0. A series without a sample at or before the first edge was born after it, at 0.
    """
    found = [0.0] * (len(edges) - 1)
    before, span = 0.0, 0
    for when, value in samples:
        if when > min(until, edges[-1]):
            break
        if when > edges[0]:
            while when > edges[span + 1]:
                span += 1
            found[span] += value - before if value >= before else value
        before = value
    return found


def count(series: Sequence[Series], edges: Sequence[float], seen: Mapping[Target, float] | None = None) -> list[int]:
    """The sum over all series between neighbouring edges.

    `seen` says up to when each target is looked at, so that two queries see the same scrapes.
    """
    whole = seen or {}
    each = [increases(one.samples, edges, whole.get(one.target, math.inf)) for one in series]
    return [round(math.fsum(column)) for column in zip(*each, strict=True)] if each else [0] * (len(edges) - 1)


def count_both(requests: Sequence[Series], errors: Sequence[Series], edges: Sequence[float]) -> list[Counts]:
    """Requests and errors between neighbouring edges, of the same scrapes.

    Raises `ValueError` where there are more errors than requests in all: then the one selector is not a part of the other.
    Between two edges an error may come before its request where they are counted apart.
    """
    seen = newest_by_target(requests)
    asked, failed = count(requests, edges), count(errors, edges, seen)
    Counts(sum(asked), sum(failed))
    return [Counts(number, min(number, bad)) for number, bad in zip(asked, failed, strict=True)]


def intervals(
    canary: tuple[Sequence[Series], Sequence[Series]],
    baseline: tuple[Sequence[Series], Sequence[Series]],
    since: float,
    step: float,
) -> tuple[Interval, ...]:
    """Cut the time since the deployment, for `comparison.log_worse`; each pair holds series of requests and of errors.

    The cuts are the scrapes of that target of the baseline that was seen least lately: what the canary did after the last
    of them has nothing to be compared with yet. A target that is two scrapes behind the others is not waited for. An interval in which the baseline was asked
    nothing is joined to the next one; after three of them in a row the baseline is not live, and the last one is without it.
    """
    newest = newest_by_target(baseline[0])
    live = {target: when for target, when in newest.items() if when >= max(newest.values()) - 2.0 * step}
    last = min(live, key=lambda target: live[target], default=None)
    scrapes = {when for each in baseline[0] if each.target == last for when, _ in each.samples if when > since}
    if not scrapes:
        return ()
    edges = [since, *sorted(scrapes)]
    found: list[Interval] = []
    waiting, quiet = Counts(0, 0), 0
    for own, other in zip(count_both(*canary, edges), count_both(*baseline, edges), strict=True):
        waiting = Counts(waiting.requests + own.requests, waiting.errors + own.errors)
        quiet += 1
        if other.requests:
            found.append(Interval(waiting, other))
            waiting, quiet = Counts(0, 0), 0
    return (*found, Interval(waiting, Counts(0, 0))) if quiet >= QUIET_SCRAPES else tuple(found)


def newest_by_target(series: Sequence[Series]) -> dict[Target, float]:
    """When each target was last seen."""
    found: dict[Target, float] = {}
    for each in series:
        found[each.target] = max(each.newest, found.get(each.target, -math.inf))
    return found


def scrape_interval(series: Sequence[Series]) -> float | None:
    """The seconds between scrapes, as the samples show them; None for fewer than two samples of every series."""
    gaps = [
        later - earlier
        for each in series
        for (earlier, _), (later, _) in zip(each.samples, each.samples[1:], strict=False)
    ]
    return statistics.median(gaps) if gaps else None
