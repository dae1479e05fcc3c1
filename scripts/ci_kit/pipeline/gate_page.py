"""Say what the gate found: the Markdown page on top of the run. What is wrong and what to do come first."""

from __future__ import annotations

from collections import Counter

from ci_kit.markdown import code, text
from ci_kit.pipeline import gate_trend
from ci_kit.pipeline.evidence import Evidence
from ci_kit.pipeline.findings import Failure, FlakyTest, Judged, Verdict
from ci_kit.plan import Plan

SHOWN = 20
SHOWN_LEGS = 2


def page(plan: Plan, jobs: dict[str, str], evidence: Evidence, verdict: Verdict, coverage: float | None) -> str:
    """The summary: verdict, reasons with next steps, failed tests, then the figures."""
    parts = [headline(verdict, coverage), "", *_findings(verdict), *_failures("Failed tests", verdict.failures)]
    parts += [
        *_failures("Failed in quarantine, not judged", verdict.quarantined),
        *_flaky(verdict.flaky),
        *_warnings(verdict),
    ]
    figures = [*_tests(plan, evidence), "", *_gates(verdict), "", *_reasons(verdict), *gate_trend.chart(verdict.trend)]
    figures.append(_jobs(plan, jobs))
    if verdict.findings:
        figures = ["<details><summary>Figures of this run</summary>", "", *figures, "", "</details>"]
    return "\n".join([*parts, *figures])


def headline(verdict: Verdict, coverage: float | None) -> str:
    """One line for a person with three seconds."""
    total = sum(verdict.counts.values())
    excused = sum(len(failure.legs) for failure in verdict.quarantined)
    bad = verdict.counts.get("failed", 0) + verdict.counts.get("error", 0) - excused
    aside = f", {excused} failed in quarantine" if excused else ""
    skipped = f", {verdict.counts['skipped']} skipped" if verdict.counts.get("skipped") else ""
    covered = "" if coverage is None else f", {coverage:.2f} % covered"
    tests = f"{total} test{'' if total == 1 else 's'}"
    if not verdict.findings:
        failed = f", {bad} failed within the pass rate" if bad else ""
        return f"## ✅ Green: {tests}{failed}{aside}{skipped}{covered}"
    what = f"{bad} of {tests} failed" if bad else f"no test failed ({total} ran), but this is wrong"
    return f"## ❌ Red: {what}{aside}{skipped}{covered}"


def _findings(verdict: Verdict) -> list[str]:
    if not verdict.findings:
        return []
    shown = verdict.findings[:SHOWN]
    rows = [f"| {text(f.message)} | {text(f.next_step)} | {f.gate} |" for f in shown]
    more = len(verdict.findings) - len(shown)
    tail = ["", f"… and {more} more reasons in the log and in gate.json."] if more else []
    return ["| What is wrong | What to do | Gate |", "|:--|:--|:--|", *rows, *tail, ""]


def _failures(title: str, failures: tuple[Failure, ...]) -> list[str]:
    if not failures:
        return []
    rows = []
    for failure in failures[:SHOWN]:
        legs = [text(leg) for leg in failure.legs[:SHOWN_LEGS]]
        more = len(failure.legs) - len(legs)
        where = "<br>".join([*legs, *([f"and {more} more"] if more else [])])
        rows.append(f"| {code(failure.id)} | {_why(failure)} | {where} |")
    more = len(failures) - SHOWN
    tail = ["", f"… and {more} more, in the logs of the test jobs."] if more > 0 else []
    return [f"### {title}", "", "| Test | Why | Where |", "|:--|:--|:--|", *rows, *tail, ""]


def _why(failure: Failure) -> str:
    parts = [text(failure.message[:200])]
    parts += [text(failure.why[:300])] if failure.why else []
    parts += [code(failure.reproduce[:300])] if failure.reproduce else []
    return "<br>".join(parts)


def _flaky(flaky: tuple[FlakyTest, ...]) -> list[str]:
    if not flaky:
        return []
    more = len(flaky) - SHOWN
    rows = [f"- {code(test.id)}{_lately(test)}" for test in flaky[:SHOWN]]
    tail = [f"- … and {more} more"] if more > 0 else []
    return ["### Flaky tests (passed only when run again)", "", *rows, *tail, ""]


def _lately(test: FlakyTest) -> str:
    return f": also in {test.in_runs} of the last {test.runs} runs" if test.in_runs else ""


def _warnings(verdict: Verdict) -> list[str]:
    rows = [f"- ⚠️ {text(warned.message)} {warned.gate}" for warned in verdict.warnings[:SHOWN]]
    return [*rows, ""] if rows else []


def _reasons(verdict: Verdict) -> list[str]:
    """Why tests did not run; what gives no reason comes as such."""
    if not verdict.reasons:
        return []
    rows = [f"| {number} | {text(reason) or 'no reason given'} |" for reason, number in verdict.reasons[:SHOWN]]
    more = sum(number for _, number in verdict.reasons[SHOWN:])
    tail = ["", f"… and {more} more tests for other reasons, in gate.json."] if more else []
    return ["| Did not run | Reason |", "|--:|:--|", *rows, *tail, ""]


def _tests(plan: Plan, evidence: Evidence) -> list[str]:
    rows = []
    for tier in plan.tiers:
        for python in plan.pythons:
            legs = [leg for leg in plan.legs() if (leg.tier, leg.python) == (tier.name, python)]
            reports = [evidence.reports[leg] for leg in legs if leg in evidence.reports]
            counts = Counter(result.outcome for report in reports for result in report.results)
            flaky = sum(result.flaky for report in reports for result in report.results)
            slowest = f"{max(report.seconds for report in reports):.1f} s" if reports else "-"
            rows.append(
                f"| {text(tier.name)} | {text(python)} | {sum(counts.values())} | {counts['failed'] + counts['error']} | {flaky} "
                f"| {counts['skipped']} | {len(reports)} of {len(legs)} | {slowest} |"
            )
    head = "| Tier | Python | Tests | Failed | Flaky | Skipped | Shards | Slowest shard |"
    unreached = sum(len(evidence.reports[leg].not_selected) for leg in plan.legs() if leg in evidence.reports)
    note = f"{unreached} more did not run, because the change cannot reach them (test.select: affected)."
    return [head, "|:--|:--|--:|--:|--:|--:|--:|--:|", *rows, *(["", text(note)] if unreached else [])]


def _gates(verdict: Verdict) -> list[str]:
    rows = [
        f"| {_mark(gate)} {text(gate.name)} | {text(gate.found)} | {text(gate.wanted)} | {text(gate.off)} | {gate.gate} |"
        for gate in verdict.judged
    ]
    return ["| Threshold | Found | Wanted | How far | Gate |", "|:--|:--|:--|:--|:--|", *rows]


def _mark(gate: Judged) -> str:
    return "✅" if gate.holds else "❌" if gate.binding else "⚠️"


def _jobs(plan: Plan, jobs: dict[str, str]) -> str:
    said = [f"{job} {'not part of this run' if plan.jobs.get(job) is False else found}" for job, found in jobs.items()]
    return f"Jobs: {text(', '.join(said))}."
