"""Decide whether a run is green: every announced job and leg delivered, every test ran exactly once, every gate holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from ci_kit.config import Gates
from ci_kit.errors import Exit
from ci_kit.pipeline.evidence import Evidence, LegReport, printable
from ci_kit.plan import AFTER, FIRST, Leg, Plan

SHOWN = 3
SHOWN_TEXT = 120
BAD = frozenset({"failed", "error"})
RAN = ("passed", "failed", "error", "xfailed", "xpassed")
TEST_JOBS = ((FIRST, "test"), (AFTER, "test-after"))
RERUN = "Open the log of that job for the reason; when the machine was to blame, use 'Re-run failed jobs'."


class Kind(Enum):
    """Why a finding is red: the code under test said no, or the proof is missing."""

    NO = Exit.NO
    UNPROVEN = Exit.INFRASTRUCTURE


@dataclass(frozen=True)
class Finding:
    """One reason for red and what to do about it. `gate` is the gate's id (TQ-01 …) or the job's name."""

    kind: Kind
    gate: str
    message: str
    next_step: str


@dataclass(frozen=True)
class Judged:
    """A gate with a threshold: what was found against what is wanted, as shown to people."""

    gate: str
    name: str
    found: str
    wanted: str
    holds: bool


@dataclass(frozen=True)
class Failure:
    """A test that failed, with every leg in which it did; `message` is the first leg's."""

    id: str
    legs: tuple[Leg, ...]
    message: str


@dataclass(frozen=True)
class Verdict:
    """The answer of the gate. No findings is green."""

    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    counts: Mapping[str, int]
    flaky: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def exit(self) -> Exit:
        """1 when something said no; 3 when nothing did but the proof is incomplete; 0 for green."""
        kinds = {finding.kind for finding in self.findings}
        if Kind.NO in kinds:
            return Exit.NO
        return Exit.INFRASTRUCTURE if kinds else Exit.GOOD


def judge(plan: Plan, jobs: Mapping[str, str], evidence: Evidence, gates: Gates) -> Verdict:
    """Hold the run against its plan. `jobs` maps each job to its result in GitHub's words (success, failure, …)."""
    reports = [evidence.reports[leg] for leg in plan.legs() if leg in evidence.reports]
    results = [result for report in reports for result in report.results]
    counts = Counter(result.outcome for result in results)
    flaky = sum(result.flaky for result in results)
    ignored = counts["skipped"] + sum(report.deselected for report in reports)
    judged = tuple(_thresholds(counts, flaky, ignored, gates))
    findings = [
        *(_broken_gate(gate) for gate in judged if not gate.holds),
        *_job_findings(plan, jobs, evidence),
        *(Finding(Kind.UNPROVEN, "TQ-01", text, RERUN) for text in evidence.unreadable),
        *_leg_findings(plan, jobs, evidence),
        *_completeness(plan, reports),
        *_twice(reports),
    ]
    return Verdict(
        findings=tuple(findings),
        judged=judged,
        counts=counts,
        flaky=tuple(sorted({printable(result.id) for result in results if result.flaky})),
        failures=_failures(reports),
    )


def _failures(reports: Iterable[LegReport]) -> tuple[Failure, ...]:
    legs: dict[str, list[Leg]] = {}
    messages: dict[str, str] = {}
    for report in reports:
        for result in report.results:
            if result.outcome in BAD:
                legs.setdefault(result.id, []).append(report.leg)
                messages.setdefault(result.id, result.message or result.outcome)
    return tuple(Failure(printable(test), tuple(where), messages[test]) for test, where in legs.items())


def _broken_gate(gate: Judged) -> Finding:
    next_step = {
        "TQ-02": "Mend the tests below; each has its full output in the log of its job.",
        "TQ-04": "Mend the flaky tests below; each failed once and passed when it was run again.",
        "T5": "Let these tests run, or raise `gates.ignored-tests`.",
    }[gate.gate]
    return Finding(Kind.NO, gate.gate, f"{gate.name.capitalize()}: {gate.found}, wanted {gate.wanted}.", next_step)


def _job_findings(plan: Plan, jobs: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    stages = {job: stage for stage, job in TEST_JOBS}
    for job, announced in plan.jobs.items():
        result = jobs.get(job, "missing")
        if not announced:
            if result not in {"skipped", "missing"}:
                text = f"The job {job} ran ({result}) though the plan did not announce it."
                yield Finding(Kind.UNPROVEN, job, text, "Run the whole workflow again, so that plan and jobs agree.")
        elif result == "failure" and job in stages:
            # The legs say more than the job: one that failed or is missing is a finding, or is judged by the pass rate.
            reports = [evidence.reports.get(leg) for leg in plan.legs(stages[job])]
            if all(report and _is_good(report) and report.attempt >= plan.attempt for report in reports):
                text = f"The job {job} failed, though every part of it reported success."
                yield Finding(Kind.UNPROVEN, job, text, "Its log says which step failed.")
        elif result == "failure":
            yield Finding(Kind.NO, job, f"The job {job} failed.", "Its summary and its log say why.")
        elif result != "success":
            yield Finding(Kind.UNPROVEN, job, f"The job {job} {_WHY[result]}.", _THEN[result])


_WHY = {
    "skipped": "was announced but did not run",
    "cancelled": "was cancelled",
    "missing": "has no result",
}
_THEN = {
    "skipped": "A job before it failed: mend that first.",
    "cancelled": "Run it again ('Re-run failed jobs'), unless a newer push replaced this run.",
    "missing": "The gate's input jobs must name the result of every job before it.",
}


def _is_good(report: LegReport) -> bool:
    return report.verdict in {"passed", "empty"}


def _leg_findings(plan: Plan, jobs: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    for stage, job in TEST_JOBS:
        if jobs.get(job) == "skipped":
            continue  # the job itself is a finding; its legs add nothing
        legs = list(plan.legs(stage))
        if missing := [str(leg) for leg in legs if leg not in evidence.reports]:
            text = f"{len(missing)} of {len(legs)} {job} jobs delivered no report: {_some(missing)}."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)
        for report in (evidence.reports[leg] for leg in legs if leg in evidence.reports):
            if report.commit != plan.commit:
                text = f"{report.leg} tested commit {report.commit[:12]}, but the plan is for {plan.commit[:12]}."
                yield Finding(Kind.UNPROVEN, "TQ-01", text, "Run the whole workflow again.")
            elif report.attempt < plan.attempt:
                text = f"{report.leg} has only a report of attempt {report.attempt}; the plan is of attempt {plan.attempt}."
                yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)
            elif not _is_good(report) and not any(result.outcome in BAD for result in report.results):
                kind = Kind.NO if report.verdict == "failed" else Kind.UNPROVEN
                text = f"{report.leg} ended with the verdict {report.verdict}. {report.why}".strip()
                yield Finding(kind, "TQ-02", text, "The log of that job has the whole story.")
            elif report.verdict == "error":
                text = f"{report.leg} did not come to its end. {report.why}".strip()
                yield Finding(Kind.UNPROVEN, "TQ-02", text, "The log of that job has the whole story.")


def _completeness(plan: Plan, reports: Iterable[LegReport]) -> Iterator[Finding]:
    """Every collected test has exactly one final result, and no test belongs to two shards."""
    by_group: dict[tuple[str, str], list[LegReport]] = {}
    for report in reports:
        by_group.setdefault((report.leg.tier, report.leg.python), []).append(report)
    for (name, python), mine in by_group.items():
        tier, place = plan.tier(name), f"{name} · Python {python}"
        for report in mine:
            yield from _one_leg(report, tier.shards[report.leg.shard.index - 1])
        owners: dict[str, Leg] = {}
        twice = {i for report in mine for i in report.collected if owners.setdefault(i, report.leg) != report.leg}
        if twice:
            text = f"{place}: {_tests(len(twice))} ran in two shards: {_some(sorted(twice))}."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, "Test ids must be unique; give parameters distinct ids.")
        if not owners and len(mine) == len(tier.shards) and all(map(_is_good, mine)):
            text = f"{place}: no test was collected in any shard."
            yield Finding(Kind.NO, "TQ-01", text, "Check the paths and the marker of this tier.")


def _twice(reports: Iterable[LegReport]) -> Iterator[Finding]:
    """Tests that ran in two tiers on one Python: markers that overlap."""
    first: dict[tuple[str, str], str] = {}
    doubled: dict[tuple[str, str], dict[str, set[str]]] = {}
    for report in reports:
        tier, python, collected = report.leg.tier, report.leg.python, set(report.collected)
        for test in (result.id for result in report.results if result.id in collected):
            other = first.setdefault((python, test), tier)
            if other != tier:
                doubled.setdefault((other, tier), {}).setdefault(python, set()).add(test)
    for (one, other), found in doubled.items():
        tests = sorted(set().union(*found.values()))
        text = (
            f"The tiers {one} and {other} both ran {_tests(len(tests))} on Python {', '.join(found)}: {_some(tests)}."
        )
        then = 'Give the tiers markers that exclude each other (such as "slow" and "not slow").'
        yield Finding(Kind.NO, "TQ-01", text, then)


def _one_leg(report: LegReport, planned: tuple[str, ...]) -> Iterator[Finding]:
    if set(report.files) != set(planned):
        text = f"{report.leg} was given {len(report.files)} files where the plan gives it {len(planned)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, "Run the whole workflow again, so that all jobs share one plan.")
    times = Counter(result.id for result in report.results)
    if missing := [test for test in dict.fromkeys(report.collected) if not times[test]]:
        text = f"{report.leg}: {len(missing)} of {len(report.collected)} tests have no result: {_some(missing)}."
        stopped = report.verdict == "failed"
        then = "The shard stopped early (`test.maxfail`); mend its failures first." if stopped else RERUN
        yield Finding(Kind.NO if stopped else Kind.UNPROVEN, "TQ-01", text, then)
    if doubled := [test for test, count in times.items() if count > 1]:
        text = f"{report.leg}: {_tests(len(doubled))} with two results: {_some(doubled)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)
    collected = set(report.collected)
    if strange := [r.id for r in report.results if r.id not in collected and r.outcome != "error"]:
        text = f"{report.leg}: {_tests(len(strange))} with a result but not collected: {_some(strange)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)


def _thresholds(counts: Mapping[str, int], flaky: int, ignored: int, gates: Gates) -> Iterator[Judged]:
    """Whole numbers decide; the percentages are only shown, rounded so that none looks better than it is."""
    ran = sum(counts.get(outcome, 0) for outcome in RAN)
    bad = sum(counts.get(outcome, 0) for outcome in BAD)
    passed = f"{_percent(Fraction(ran - bad, ran))} ({bad} of {_tests(ran)} failed)" if ran else "no tests ran"
    holds = bad <= (1 - _exact(gates.pass_rate)) * ran
    yield Judged("TQ-02", "pass rate", passed, f"at least {gates.pass_rate * 100:g} %", holds)
    shown = f"{_percent(Fraction(flaky, ran), up=True)} ({flaky} of {_tests(ran)})" if ran else "no tests ran"
    holds = flaky <= _exact(gates.flake_rate) * ran
    yield Judged("TQ-04", "flaky tests", shown, f"at most {gates.flake_rate * 100:g} %", holds)
    if gates.ignored_tests is not None:
        holds = ignored <= gates.ignored_tests
        yield Judged("T5", "skipped or deselected tests", str(ignored), f"at most {gates.ignored_tests}", holds)


def _exact(rate: float) -> Fraction:
    """The ratio that was written as a percentage, without what binary floating point made of it."""
    return Fraction(rate).limit_denominator(1_000_000)


def _percent(ratio: Fraction, *, up: bool = False) -> str:
    tenths = math.ceil(ratio * 1000) if up else math.floor(ratio * 1000)
    return f"{tenths / 10:g} %"


def _tests(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(printable(name, SHOWN_TEXT) for name in names[:SHOWN]) + more
