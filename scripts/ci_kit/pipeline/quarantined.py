"""TQ-02, the part about quarantine: an entry that has expired, or that matches no test, is red on its own line."""

from __future__ import annotations

from collections.abc import Iterator

from ci_kit.pipeline.evidence import Evidence, printable
from ci_kit.pipeline.findings import Finding, Kind
from ci_kit.plan import Plan
from ci_kit.quarantine import Quarantine


def findings(plan: Plan, evidence: Evidence, quarantine: Quarantine, *, all_tiers: bool) -> Iterator[Finding]:
    """Expired entries always; unknown ones only when every test of the project was collected: `all_tiers`, all legs."""
    for entry in quarantine.expired:
        text = f"The quarantine of {printable(entry.id)} ended on {entry.expires}."
        then = f"Mend the test and remove the entry, or let its owner {printable(entry.owner)} give it another day."
        yield Finding(Kind.NO, "TQ-02", text, then, quarantine.file, entry.line)
    if not all_tiers or any(leg not in evidence.reports for leg in plan.legs()):
        return
    reports = evidence.reports.values()
    known = {test for report in reports for test in (*report.collected, *report.deselected, *report.not_selected)}
    for entry, tests in quarantine.matches(sorted(known)).items():
        if not tests and entry in quarantine.entries:
            text = f"The quarantine entry {printable(entry.id)} matches no test."
            yield Finding(Kind.NO, "TQ-02", text, "Correct the id, or remove the entry.", quarantine.file, entry.line)
