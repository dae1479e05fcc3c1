"""Decide whether a run is green: every announced job and leg delivered, every test ran exactly once, every gate holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ci_kit.affected_plan import TestChoice
from ci_kit.config import Gates
from ci_kit.history import History, trend
from ci_kit.pipeline import durations, independence, proof, quarantined, thresholds
from ci_kit.pipeline.collection import Collection
from ci_kit.pipeline.evidence import Evidence, LegReport, TestResult, printable
from ci_kit.pipeline.findings import RERUN, Failure, Finding, FlakyTest, Judged, Kind, Verdict, Warned
from ci_kit.plan import Plan
from ci_kit.quarantine import Quarantine

BAD = thresholds.BAD
NEXT_STEPS = {
    "TQ-02": "Mend the tests below; each has its full output in the log of its job.",
    "TQ-03": "The summaries of the test jobs name the slowest tests; more shards help, or raise `gates.duration`.",
    "TQ-04": "Mend the flaky tests below; each failed once and passed when it was run again.",
    "T5": "Let these tests run, give each a reason, or raise `gates.ignored-tests`.",
}
"""For each gate that a number breaks; the others say what broke them, finding by finding."""


@dataclass(frozen=True)
class Surroundings:
    """What is known beside plan and results; without it, the gates that need it are left out.

    `all_tiers`: the run has every tier of the configuration. `today`, in UTC, is for reasons that expire. `choice` is
    what the shards were told to leave out.
    """

    history: History = field(default_factory=History)
    spent: durations.Spent = field(default_factory=durations.Spent)
    collection: Collection | None = None
    quarantine: Quarantine = field(default_factory=Quarantine)
    all_tiers: bool = False
    today: date | None = None
    choice: TestChoice = field(default_factory=TestChoice)


def judge(
    plan: Plan, jobs: Mapping[str, str], evidence: Evidence, gates: Gates, around: Surroundings | None = None
) -> Verdict:
    """Hold the run against its plan. `jobs` maps each job to its result in GitHub's words (success, failure, …)."""
    around = around or Surroundings()
    reports = [evidence.reports[leg] for leg in plan.legs() if leg in evidence.reports]
    results = [result for report in reports for result in report.results]
    tally = thresholds.count(plan, reports, around.today)
    times = durations.judged(plan, reports, gates, around.spent)
    judged = (independence.judged(results), *thresholds.judged(tally, gates), *times)
    findings = [
        *(_broken_gate(gate) for gate in judged if not gate.holds and gate.binding and gate.gate in NEXT_STEPS),
        *independence.findings(reports),
        *quarantined.findings(plan, evidence, around.quarantine, all_tiers=around.all_tiers),
        *proof.job_findings(plan, jobs, evidence),
        *(Finding(Kind.UNPROVEN, "TQ-01", text, RERUN) for text in evidence.unreadable),
        *proof.leg_findings(plan, jobs, evidence),
        *proof.completeness(plan, reports),
        *proof.left_out(reports, around.choice),
        *proof.twice(reports),
        *(proof.union(plan, reports, around.collection) if around.collection else ()),
    ]
    return Verdict(
        findings=tuple(findings),
        judged=judged,
        counts=Counter(result.outcome for result in results),
        flaky=_flaky(reports, around.history),
        failures=_failures(reports, excused=False),
        warnings=(*_broken_budgets(judged), *durations.slower(reports, around.history)),
        quarantined=_failures(reports, excused=True),
        reasons=tally.reasons,
        trend=_trend(around.history, results),
    )


def _broken_gate(gate: Judged) -> Finding:
    text = f"{gate.name.capitalize()}: {gate.found}, wanted {gate.wanted}: {gate.off}."
    return Finding(Kind.NO, gate.gate, text, NEXT_STEPS[gate.gate])


def _broken_budgets(judged: Iterable[Judged]) -> Iterator[Warned]:
    for gate in judged:
        if not gate.holds and not gate.binding:
            yield Warned(gate.gate, f"{gate.name.capitalize()}: {gate.found}, wanted {gate.wanted}: {gate.off}.")


def _failures(reports: Iterable[LegReport], *, excused: bool) -> tuple[Failure, ...]:
    legs: dict[str, list[LegReport]] = {}
    first: dict[str, TestResult] = {}
    for report in reports:
        for result in report.results:
            if result.outcome in BAD and result.quarantined == excused:
                legs.setdefault(result.id, []).append(report)
                first.setdefault(result.id, result)
    return tuple(_failure(first[test], where) for test, where in legs.items())


def _failure(result: TestResult, where: Iterable[LegReport]) -> Failure:
    why = ": ".join(part for part in (result.failing, result.evidence) if part)
    legs = tuple(report.leg for report in where)
    return Failure(printable(result.id), legs, result.message or result.outcome, why, result.reproduce)


def _flaky(reports: Iterable[LegReport], history: History) -> tuple[FlakyTest, ...]:
    tiers: dict[str, str] = {}
    for report in reports:
        for result in report.results:
            if result.flaky:
                tiers.setdefault(result.id, report.leg.tier)
    ledgers = {tier: history.ledger(tier) for tier in set(tiers.values())}
    runs = {tier: sum(tier in run.tiers for run in history.runs) for tier in ledgers}
    found = []
    for test, tier in sorted(tiers.items()):
        known = ledgers[tier].get(test)
        found.append(FlakyTest(printable(test), known.flaky if known else 0, runs[tier]))
    return tuple(found)


def _trend(history: History, results: Iterable[TestResult]) -> tuple[tuple[float, int], ...]:
    """Test seconds and flaky tests of the remembered runs and, last, of this one."""
    before = [(seconds, flaky) for _, seconds, flaky in trend(history)]
    good = [result for result in results if result.outcome not in BAD]
    now = (sum(sum(result.phases) for result in good), len({result.id for result in good if result.flaky}))
    return (*before, now)
