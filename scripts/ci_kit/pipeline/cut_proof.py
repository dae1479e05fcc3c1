"""Prove that of a file that is cut over shards every test had a shard that ran it.

The shard that owns the rest of the file runs whatever the plan does not name for another one, so only a named test can
be lost: one that this shard saw and left, and that the other did not see, because its id changes from process to process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ci_kit.pipeline.evidence import LegReport, Tally, printable
from ci_kit.pipeline.findings import RERUN, Finding, Kind
from ci_kit.pipeline.words import tests
from ci_kit.plan import PlannedTier

NONE = Tally()


def cut_findings(tier: PlannedTier, place: str, reports: Mapping[int, LegReport]) -> Iterator[Finding]:
    """`reports` are those of one tier and Python, by the shard's index from 1."""
    owners: dict[str, int] = {}
    keepers: dict[str, list[int]] = {}
    for index, share in enumerate(tier.shards, 1):
        for part in share.parts:
            if part.rest:
                owners[part.file] = index
            else:
                keepers.setdefault(part.file, []).append(index)
    for file, owner in owners.items():
        ran, silent = NONE, []
        for index in (owner, *keepers.get(file, ())):
            report = reports.get(index)
            tally = None if report is None else (report.left if index == owner else report.kept).get(file)
            if tally is None:
                silent.append(report)
            elif index != owner:
                ran += tally
        if any(report is not None and report.verdict != "error" for report in silent):
            text = f"{place}: a shard does not say what it ran of {printable(file)}, which is cut."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, RERUN)
        elif not silent and (left := reports[owner].left[file]) != ran:
            text = (
                f"{place}: of {printable(file)}, which is cut, shard {owner} left {tests(left.tests)} to other shards, "
                f"but they ran {tests(ran.tests)} of its ids: these differ from job to job."
            )
            then = "Give the parameters fixed ids in a fixed order (no sets, no time, no addresses of objects)."
            yield Finding(Kind.UNPROVEN, "TQ-01", text, then)
