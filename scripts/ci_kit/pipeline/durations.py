"""TQ-03: how long the run, its tiers, lint and the gate took, and which tests have become slower.

A budget that the configuration sets is a gate. The kit's own budgets only warn: it knows neither the machine nor the
project, and a project must not turn red on the day it adopts the kit. That a single test is slower only warns, too: on
shared machines such a gate would itself be flaky.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ci_kit.config import Gates
from ci_kit.history import History
from ci_kit.history_samples import median
from ci_kit.pipeline.evidence import LegReport, TestResult, printable
from ci_kit.pipeline.findings import Judged, Warned
from ci_kit.pipeline.thresholds import spends
from ci_kit.pipeline.words import SHOWN, SHOWN_TEXT, distance, spell
from ci_kit.plan import Plan

LEAST_RUNS = 3
LEAST_SECONDS = 1.0
LEAST_SHARE = 0.5
MOST_DEVIATIONS = 3.0


@dataclass(frozen=True)
class Spent:
    """Seconds on the wall clock; None: not known. `run` is from the plan to the verdict, `gate` the gate's own job."""

    run: float | None = None
    lint: float | None = None
    gate: float | None = None


def judged(plan: Plan, reports: Sequence[LegReport], gates: Gates, spent: Spent) -> Iterator[Judged]:
    """The budgets, each with the time that was found; what is not known is left out."""
    yield from _budget(gates, plan.event, f"the whole run ({plan.event.replace('-', ' ')})", spent.run)
    yield from _budget(gates, "lint", "lint", spent.lint)
    for tier in plan.tiers:
        mine = [report.seconds for report in reports if report.leg.tier == tier.name]
        name = f"tier {tier.name}, its slowest job"
        yield from _budget(gates, f"tiers.{tier.name}", name, max(mine, default=None))
    yield from _budget(gates, "gate", "gate", spent.gate)


def _budget(gates: Gates, key: str, name: str, found: float | None) -> Iterator[Judged]:
    most = gates.budget(key)
    if found is not None and most is not None:
        binding = key in gates.duration_seconds
        wanted = f"at most {spell(most)}"
        yield Judged("TQ-03", f"time of {name}", spell(found), wanted, distance(found, most), found <= most, binding)


def slower(reports: Iterable[LegReport], history: History) -> Iterator[Warned]:
    """Tests whose call took longer than their history explains, in one warning.

    More than the median and, on top, the greatest of 3 median absolute deviations, half the median and one second, over
    at least 3 runs. Only the call counts: the set-up of a shared fixture is paid by whichever test comes first.
    """
    # Nothing under the least difference can be too slow, so few files have to be unpacked.
    slow: dict[tuple[str, str], dict[str, float]] = {}
    for report in reports:
        for result in report.results:
            if result.phases[1] > LEAST_SECONDS and spends(result) and not result.flaky:
                times = slow.setdefault((report.leg.tier, _file(result)), {})
                times[result.id] = max(result.phases[1], times.get(result.id, 0.0))
    found = []
    for (tier, file), times in slow.items():
        known = history.tiers[tier].files.get(file) if tier in history.tiers else None
        if known is None:
            continue
        for test, slots in zip(known.ids, known.recorded(), strict=True):
            calls = [call for _, call, _ in slots]
            if test in times and len(calls) >= LEAST_RUNS and times[test] > limit(calls):
                found.append((times[test] - median(calls), test, times[test], median(calls)))
    if found:
        found.sort(reverse=True)
        shown = [
            f"{printable(test, SHOWN_TEXT)} ({spell(now)}, usually {spell(usual)})" for _, test, now, usual in found
        ]
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        what = "1 test is" if len(found) == 1 else f"{len(found)} tests are"
        yield Warned("TQ-03", f"{what} slower than in the last runs: {', '.join(shown[:SHOWN])}{more}.")


def _file(result: TestResult) -> str:
    return result.file or result.id.partition("::")[0]


def limit(calls: Sequence[float]) -> float:
    """The seconds above which a test counts as slower than `calls`, its times in earlier runs."""
    usual = median(calls)
    spread = median([abs(call - usual) for call in calls])
    return usual + max(MOST_DEVIATIONS * spread, LEAST_SHARE * usual, LEAST_SECONDS)
