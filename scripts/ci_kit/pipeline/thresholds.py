"""TQ-02, TQ-04 and T5: how many tests passed, were flaky, and did not run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from ci_kit.config import Gates
from ci_kit.pipeline.evidence import LegReport, TestResult
from ci_kit.pipeline.findings import Judged
from ci_kit.pipeline.words import exact, percent, tests
from ci_kit.plan import Plan

BAD = frozenset({"failed", "error"})
RAN = frozenset({"passed", "failed", "error", "xfailed", "xpassed"})
NO_REASON = frozenset({"", "unconditional skip"})
"""What pytest says for `@pytest.mark.skip` without a reason, and the kit for `pytest.skip()`."""
_UNTIL = re.compile(r"\b(?:until|expires?:?|before)\s+(\d{4}-\d{2}-\d{2})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Tally:
    """The counts that the gates judge. `reasons` counts the tests that did not run by reason, most frequent first."""

    ran: int
    bad: int
    excused: int
    flaky: int
    unexplained: int
    reasons: tuple[tuple[str, int], ...]


def count(plan: Plan, reports: Sequence[LegReport], today: date | None) -> Tally:
    """Count tests; a failure in quarantine is excused, and counts neither as good nor as bad."""
    results = [result for report in reports for result in report.results]
    bad = [result for result in results if result.outcome in BAD]
    excused = sum(result.quarantined for result in bad)
    reasons = Counter(result.message for result in results if result.outcome == "skipped")
    reasons[""] += _left_out(plan, reports)
    unexplained = sum(number for reason, number in reasons.items() if not _explains(reason, today))
    return Tally(
        ran=sum(result.outcome in RAN for result in results) - excused,
        bad=len(bad) - excused,
        excused=excused,
        flaky=sum(result.flaky and not result.quarantined for result in results),
        unexplained=unexplained,
        reasons=tuple((reason, number) for reason, number in reasons.most_common() if number),
    )


def _left_out(plan: Plan, reports: Iterable[LegReport]) -> int:
    """Tests that were deselected and that no other tier ran on that Python."""
    found = 0
    for python in plan.pythons:
        mine = [report for report in reports if report.leg.python == python]
        run = {test for report in mine for test in report.collected}
        found += len({test for report in mine for test in report.deselected} - run)
    return found


def _explains(reason: str, today: date | None) -> bool:
    """Whether a skip has a reason, and one that has not expired: `until 2027-01-31` in it is its last day."""
    if reason.strip().lower() in NO_REASON:
        return False
    ends = [date.fromisoformat(found) for found in _UNTIL.findall(reason) if _is_date(found)]
    return today is None or not ends or today <= max(ends)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def judged(tally: Tally, gates: Gates) -> Iterator[Judged]:
    """Whole numbers decide; the percentages are only shown, rounded so that none looks better than it is."""
    ran, bad, flaky = tally.ran, tally.bad, tally.flaky
    shown = f"{percent(Fraction(ran - bad, ran))} ({bad} of {tests(ran)} failed)" if ran else "no tests ran"
    shown += f", and {tests(tally.excused)} in quarantine" if tally.excused else ""
    yield _at_most(
        "TQ-02", "pass rate", shown, f"at least {gates.pass_rate * 100:g} %", bad, (1 - exact(gates.pass_rate)) * ran
    )
    shown = f"{percent(Fraction(flaky, ran), up=True)} ({flaky} of {tests(ran)})" if ran else "no tests ran"
    yield _at_most(
        "TQ-04", "flaky tests", shown, f"at most {gates.flake_rate * 100:g} %", flaky, exact(gates.flake_rate) * ran
    )
    if gates.ignored_tests is not None:
        name = "tests that did not run, without a valid reason"
        most = gates.ignored_tests
        yield _at_most("T5", name, str(tally.unexplained), f"at most {most}", tally.unexplained, Fraction(most))


def _at_most(gate: str, name: str, found: str, wanted: str, number: int, most: Fraction) -> Judged:
    room = int(most)
    off = f"{number - room} too many" if number > most else f"room for {room - number} more"
    return Judged(gate, name, found, wanted, off, number <= most)


def spends(result: TestResult) -> bool:
    """Whether a result's time says how long the test takes: a failure ends early, a hang at its limit."""
    return result.outcome not in BAD
