"""Decide whether a run is green: every announced job and leg delivered, every test ran exactly once, every gate holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ci_kit.config import Gates
from ci_kit.errors import Exit
from ci_kit.pipeline.evidence import Evidence, LegReport
from ci_kit.plan import AFTER, FIRST, Leg, Plan

SHOWN = 5
BAD = frozenset({"failed", "error"})


class Kind(Enum):
    """Why a finding is red: the code under test said no, or the proof is missing."""

    NO = Exit.NO
    UNPROVEN = Exit.INFRASTRUCTURE


@dataclass(frozen=True)
class Finding:
    """One reason for red. `gate` is the gate's id (TQ-01 …) or the job's name."""

    kind: Kind
    gate: str
    message: str


@dataclass(frozen=True)
class Judged:
    """A gate with a threshold: what was found against what is wanted, as shown to people."""

    gate: str
    name: str
    found: str
    wanted: str
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """The answer of the gate. No findings is green."""

    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    counts: Mapping[str, int]
    flaky: tuple[str, ...]
    failures: tuple[tuple[Leg, str, str], ...]

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
    results = [(report.leg, result) for report in reports for result in report.results]
    counts = Counter(result.outcome for _, result in results)
    flaky = tuple(sorted({result.id for _, result in results if result.flaky}))
    judged = tuple(_thresholds(reports, counts, sum(result.flaky for _, result in results), gates))
    findings = [
        *_job_findings(plan, jobs),
        *(Finding(Kind.UNPROVEN, "TQ-01", text) for text in evidence.unreadable),
        *_leg_findings(plan, jobs, evidence),
        *_completeness(plan, reports),
        *(
            Finding(Kind.NO, gate.gate, f"{gate.name}: {gate.found}, wanted {gate.wanted}.")
            for gate in judged
            if not gate.holds
        ),
    ]
    failures = tuple((leg, r.id, r.message or r.outcome) for leg, r in results if r.outcome in BAD)
    return Verdict(tuple(findings), judged, counts, flaky, failures)


def _job_findings(plan: Plan, jobs: Mapping[str, str]) -> Iterator[Finding]:
    for job, announced in plan.jobs.items():
        result = jobs.get(job, "missing")
        if announced and result != "success":
            kind = Kind.NO if result in {"failure", "skipped"} else Kind.UNPROVEN
            why = {
                "skipped": "was announced but did not run (a job before it failed, or it was switched off)",
                "cancelled": "was cancelled",
                "failure": "failed",
            }.get(result, f"has the result {result!r}")
            yield Finding(kind, job, f"The job {job} {why}.")
        elif not announced and result not in {"skipped", "missing"}:
            yield Finding(Kind.UNPROVEN, job, f"The job {job} ran ({result}) though the plan did not announce it.")


def _leg_findings(plan: Plan, jobs: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    for stage, job in ((FIRST, "test"), (AFTER, "test-after")):
        if jobs.get(job) == "skipped":
            continue  # the job itself is a finding; its legs add nothing
        for leg in plan.legs(stage):
            report = evidence.reports.get(leg)
            if report is None:
                yield Finding(Kind.UNPROVEN, "TQ-01", f"{leg} delivered no report: re-run that job of {job!r}.")
            elif report.commit != plan.commit:
                text = f"{leg} tested commit {report.commit[:12]}, the plan is for {plan.commit[:12]}."
                yield Finding(Kind.UNPROVEN, "TQ-01", text)
            elif report.verdict not in {"passed", "empty"}:
                yield Finding(
                    Kind.NO if report.verdict == "failed" else Kind.UNPROVEN, "TQ-02", f"{leg}: {report.verdict}."
                )


def _completeness(plan: Plan, reports: list[LegReport]) -> Iterator[Finding]:
    """Every collected test has exactly one final result, and no test belongs to two shards."""
    for tier in plan.tiers:
        for python in plan.pythons:
            mine = [report for report in reports if (report.leg.tier, report.leg.python) == (tier.name, python)]
            place = f"{tier.name}, Python {python}"
            for report in mine:
                yield from _one_leg(report, tier.shards[report.leg.shard.index - 1])
            owners: dict[str, Leg] = {}
            twice = [i for report in mine for i in report.collected if owners.setdefault(i, report.leg) != report.leg]
            if twice:
                yield Finding(Kind.UNPROVEN, "TQ-01", f"{place}: {len(twice)} tests ran in two shards: {_some(twice)}.")
            if len(mine) == len(tier.shards) and not owners:
                text = f"{place}: no test was collected in any shard. Check the tier's paths and marker."
                yield Finding(Kind.NO, "TQ-01", text)


def _one_leg(report: LegReport, planned: tuple[str, ...]) -> Iterator[Finding]:
    if set(report.files) != set(planned):
        text = f"{report.leg} ran {len(report.files)} files where the plan gives it {len(planned)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text)
    times = Counter(result.id for result in report.results)
    if missing := [test for test in report.collected if not times[test]]:
        text = (
            f"{report.leg}: {len(missing)} of {len(report.collected)} collected tests have no result: {_some(missing)}."
        )
        yield Finding(Kind.NO if report.verdict == "failed" else Kind.UNPROVEN, "TQ-01", text)
    if doubled := [test for test, count in times.items() if count > 1]:
        yield Finding(Kind.UNPROVEN, "TQ-01", f"{report.leg}: {len(doubled)} tests have two results: {_some(doubled)}.")


def _thresholds(reports: list[LegReport], counts: Counter[str], flaky: int, gates: Gates) -> Iterator[Judged]:
    ran = sum(counts[outcome] for outcome in ("passed", "failed", "error", "xfailed", "xpassed"))
    bad = counts["failed"] + counts["error"]
    # Integers decide; a percentage is only for people.
    allowed_bad = int((1 - gates.pass_rate) * ran + 1e-9)
    yield Judged(
        "TQ-02",
        "pass rate",
        f"{_percent(ran - bad, ran)} ({bad} failed)",
        f"≥ {gates.pass_rate:.1%}",
        bad <= allowed_bad,
    )
    allowed_flaky = int(gates.flake_rate * ran + 1e-9)
    yield Judged(
        "TQ-04", "flaky tests", f"{_percent(flaky, ran)} ({flaky})", f"≤ {gates.flake_rate:.1%}", flaky <= allowed_flaky
    )
    if gates.ignored_tests is not None:
        ignored = counts["skipped"] + sum(report.deselected for report in reports)
        holds = ignored <= gates.ignored_tests
        yield Judged("T5", "skipped or deselected tests", str(ignored), f"≤ {gates.ignored_tests}", holds)


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "no tests"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
