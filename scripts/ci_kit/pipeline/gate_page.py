"""Say what the gate found: the Markdown page on top of the run."""

from __future__ import annotations

from collections import Counter

from ci_kit.pipeline.evidence import Evidence
from ci_kit.pipeline.gate import Verdict
from ci_kit.plan import Plan

SHOWN = 20


def page(plan: Plan, jobs: dict[str, str], evidence: Evidence, verdict: Verdict, coverage: float | None) -> str:
    """The summary: verdict, reasons, tests by tier and Python, gates, failures, flaky tests."""
    total = sum(verdict.counts.values())
    number = "no coverage number" if coverage is None else f"{coverage:.2f} % covered"
    head = "✅ Green" if not verdict.findings else "❌ Red"
    parts = [f"## {head}: {total} tests, {number}", ""]
    parts += [f"- **{finding.gate}**: {_text(finding.message)}" for finding in verdict.findings[:SHOWN]]
    if len(verdict.findings) > SHOWN:
        parts.append(f"- … and {len(verdict.findings) - SHOWN} more findings in the report.")
    parts += ["", *_tests(plan, evidence), "", *_gates(verdict), ""]
    parts += _failures(verdict)
    if verdict.flaky:
        parts += [
            "",
            "Flaky (passed only when run again): " + ", ".join(f"`{_code(test)}`" for test in verdict.flaky[:SHOWN]),
        ]
    parts += ["", "Jobs: " + ", ".join(f"{job} {result}" for job, result in jobs.items()) + "."]
    return "\n".join(parts)


def _tests(plan: Plan, evidence: Evidence) -> list[str]:
    rows = [
        "| tier | Python | tests | failed | flaky | skipped | shards | slowest shard |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for tier in plan.tiers:
        for python in plan.pythons:
            legs = [leg for leg in plan.legs() if (leg.tier, leg.python) == (tier.name, python)]
            reports = [evidence.reports[leg] for leg in legs if leg in evidence.reports]
            counts = Counter(result.outcome for report in reports for result in report.results)
            flaky = sum(result.flaky for report in reports for result in report.results)
            slowest = f"{max(report.seconds for report in reports):.1f} s" if reports else "-"
            rows.append(
                f"| {tier.name} | {python} | {sum(counts.values())} | {counts['failed'] + counts['error']} | {flaky} "
                f"| {counts['skipped']} | {len(reports)} of {len(legs)} | {slowest} |"
            )
    return rows


def _gates(verdict: Verdict) -> list[str]:
    rows = [f"| {g.gate} {g.name} | {g.found} | {g.wanted} | {'✅' if g.holds else '❌'} |" for g in verdict.judged]
    return ["| gate | found | wanted | |", "|---|---|---|---|", *rows]


def _failures(verdict: Verdict) -> list[str]:
    if not verdict.failures:
        return []
    rows = [
        f"| `{_code(test)}` | {leg} | {_text(message.splitlines()[0] if message else '')[:200]} |"
        for leg, test, message in verdict.failures[:SHOWN]
    ]
    more = len(verdict.failures) - SHOWN
    return ["| failed test | where | why |", "|---|---|---|", *rows, *([f"… and {more} more."] if more > 0 else [])]


def _text(text: str) -> str:
    """Text from tests, made harmless in a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _code(text: str) -> str:
    return text.replace("`", "'").replace("|", "\\|").replace("\n", " ")
