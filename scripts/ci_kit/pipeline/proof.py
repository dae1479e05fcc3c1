"""Is the run proven? Every announced job and leg delivered, and every collected test has exactly one final result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ci_kit.affected_plan import ONLY, TestChoice
from ci_kit.pipeline.collection import Collection
from ci_kit.pipeline.cut_proof import cut_findings
from ci_kit.pipeline.evidence import Evidence, LegReport
from ci_kit.pipeline.findings import RERUN, Finding, Kind
from ci_kit.pipeline.thresholds import BAD
from ci_kit.pipeline.words import some, tests
from ci_kit.plan import AFTER, FIRST, Leg, Plan
from ci_kit.project import newest

SAME_IDS = "Every job must collect the same tests: look for ids from a set, the time, a random value or the machine."
TEST_JOBS = ((FIRST, "test"), (AFTER, "test-after"))


def job_findings(plan: Plan, jobs: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    """Jobs that did not end as the plan announced them, where no leg says it better."""
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


def leg_findings(plan: Plan, jobs: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    """Legs without a report of this plan, and those that did not come to their end."""
    for stage, job in TEST_JOBS:
        if jobs.get(job) == "skipped":
            continue  # the job itself is a finding; its legs add nothing
        legs = list(plan.legs(stage))
        if missing := [str(leg) for leg in legs if leg not in evidence.reports]:
            text = f"{len(missing)} of {len(legs)} {job} jobs delivered no report: {some(missing)}."
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


def completeness(plan: Plan, reports: Iterable[LegReport]) -> Iterator[Finding]:
    """Every collected test has exactly one final result, and no test belongs to two shards."""
    by_group: dict[tuple[str, str], list[LegReport]] = {}
    for report in reports:
        by_group.setdefault((report.leg.tier, report.leg.python), []).append(report)
    for (name, python), mine in by_group.items():
        tier, place = plan.tier(name), f"{name} · Python {python}"
        for report in mine:
            yield from _one_leg(report, tier.shards[report.leg.shard.index - 1].every_file)
        yield from cut_findings(tier, place, {report.leg.shard.index: report for report in mine})
        owners: dict[str, Leg] = {}
        twice = {i for report in mine for i in report.collected if owners.setdefault(i, report.leg) != report.leg}
        if twice:
            text = f"{place}: {tests(len(twice))} ran in two shards: {some(sorted(twice))}."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, "Test ids must be unique; give parameters distinct ids.")
        chosen_out = any(report.not_selected for report in mine)
        if not owners and not chosen_out and len(mine) == len(tier.shards) and all(map(_is_good, mine)):
            text = f"{place}: no test was collected in any shard."
            yield Finding(Kind.NO, "TQ-01", text, "Check the paths and the marker of this tier.")


def twice(reports: Iterable[LegReport]) -> Iterator[Finding]:
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
        both = sorted(set().union(*found.values()))
        text = f"The tiers {one} and {other} both ran {tests(len(both))} on Python {', '.join(found)}: {some(both)}."
        then = 'Give the tiers markers that exclude each other (such as "slow" and "not slow").'
        yield Finding(Kind.NO, "TQ-01", text, then)


def _one_leg(report: LegReport, planned: tuple[str, ...]) -> Iterator[Finding]:
    if set(report.files) != set(planned):
        text = f"{report.leg} was given {len(report.files)} files where the plan gives it {len(planned)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, "Run the whole workflow again, so that all jobs share one plan.")
    times = Counter(result.id for result in report.results)
    if missing := [test for test in dict.fromkeys(report.collected) if not times[test]]:
        text = f"{report.leg}: {len(missing)} of {len(report.collected)} tests have no result: {some(missing)}."
        stopped = report.verdict == "failed"
        then = "The shard stopped early (`test.maxfail`); mend its failures first." if stopped else RERUN
        yield Finding(Kind.NO if stopped else Kind.UNPROVEN, "TQ-01", text, then)
    if doubled := [test for test, count in times.items() if count > 1]:
        text = f"{report.leg}: {tests(len(doubled))} with two results: {some(doubled)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)
    collected = set(report.collected)
    if strange := [r.id for r in report.results if r.id not in collected and r.outcome != "error"]:
        text = f"{report.leg}: {tests(len(strange))} with a result but not collected: {some(strange)}."
        yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)


def left_out(reports: Iterable[LegReport], choice: TestChoice) -> Iterator[Finding]:
    """A shard leaves out only what the plan says that the change cannot reach."""
    for report in reports:
        tier = choice.tiers.get(report.leg.tier) if choice.select == ONLY else None
        allowed = tier.unaffected if tier is not None else frozenset[str]()
        if found := sorted(set(report.not_selected) - allowed):
            text = f"{report.leg}: {tests(len(found))} left out that the plan did not leave out: {some(found)}."
            yield Finding(
                Kind.UNPROVEN, "TQ-01", text, "Run the whole workflow again, so that all jobs share one plan."
            )


def union(plan: Plan, reports: Iterable[LegReport], collection: Collection) -> Iterator[Finding]:
    """On the Python of the lint job, all shards of a tier together collected what one plain collection there did.

    They may collect more: without its service or its secret, the lint job sees less of a module that skips itself.
    """
    python = newest(plan.pythons)
    for tier in plan.tiers:
        mine = [report for report in reports if (report.leg.tier, report.leg.python) == (tier.name, python)]
        whole = collection.tiers.get(tier.name)
        if whole is None or len(mine) != len(tier.shards) or any(report.verdict == "error" for report in mine):
            continue  # nothing to compare with, or the legs themselves are findings
        known = {test for report in mine for test in (*report.collected, *report.deselected, *report.not_selected)}
        if missing := sorted(whole.collected - known):
            text = f"{tier.name} · Python {python}: {tests(len(missing))} that the lint job collected ran in no shard: {some(missing)}."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, SAME_IDS)
