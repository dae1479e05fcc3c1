"""TQ-01, the part about the tests: none may depend on which tests ran before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ci_kit.pipeline.evidence import LegReport, TestResult, printable
from ci_kit.pipeline.findings import Finding, Judged, Kind
from ci_kit.pipeline.words import SHOWN, SHOWN_TEXT, tests

ORDER_DEPENDENT = "order-dependent"


def judged(results: Iterable[TestResult]) -> Judged:
    """How many tests depend on the order; quarantined ones do not count."""
    found = len({result.id for result in results if _depends(result)})
    off = f"{found} too many" if found else "holds"
    return Judged("TQ-01", "order-dependent tests", str(found), "none", off, not found)


def findings(reports: Iterable[LegReport]) -> Iterator[Finding]:
    """The tests that depend on the order, each with the test that spoils it and the command that shows it."""
    found: dict[str, TestResult] = {}
    for report in reports:
        for result in report.results:
            if _depends(result):
                found.setdefault(result.id, result)
    for result in list(found.values())[:SHOWN]:
        polluter = f" after {printable(result.polluter, SHOWN_TEXT)}" if result.polluter else ""
        why = f" {result.evidence}" if result.evidence else ""
        text = f"{printable(result.id, SHOWN_TEXT)} depends on the order of the tests: it fails{polluter}.{why}"
        show = f"Reproduce it with `{result.reproduce}`." if result.reproduce else "Its job's summary shows how."
        yield Finding(Kind.NO, "TQ-01", text, show)
    if len(found) > SHOWN:
        text = f"{tests(len(found) - SHOWN)} more depend on the order of the tests."
        yield Finding(Kind.NO, "TQ-01", text, "The summaries of the test jobs name them.")


def _depends(result: TestResult) -> bool:
    return result.failing == ORDER_DEPENDENT and not result.quarantined
