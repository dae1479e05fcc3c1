"""The step summary: counts, failures with the command that reproduces them, the slowest tests."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci_kit.markdown import code, fence, text
from ci_kit.test.model import BAD, Outcome, Result, Verdict

FAILURES_SHOWN = 20
SLOWEST_SHOWN = 5
SLOW_SECONDS = 0.1
_MARKS = {Verdict.PASSED: "✅", Verdict.FAILED: "❌", Verdict.ERROR: "💥", Verdict.EMPTY: "⚪"}


@dataclass(frozen=True)
class Page:
    """What the summary tells. `ran` is the time of pytest, `workers` how it ran, `commands` what reproduces a test by its id."""

    title: str
    verdict: Verdict
    why: str
    results: Sequence[Result]
    deselected: int
    ran: str
    workers: str
    notes: Sequence[str]
    seed: int | None = None
    commands: Mapping[str, str] = field(default_factory=dict)


def counts(results: Sequence[Result]) -> dict[str, int]:
    """How many tests have each outcome; outcomes that did not occur are left out."""
    found = {outcome.value: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return {name: count for name, count in found.items() if count}


def reproduce(results: Sequence[Result], to_argument: dict[str, str]) -> str:
    """The one command that runs these tests alone."""
    words = ["python", "-m", "pytest", *(to_argument.get(result.id, result.id) for result in results)]
    return shlex.join(words)


def markdown(page: Page, to_argument: dict[str, str]) -> str:
    """The summary as GitHub shows it."""
    parts = [f"### {_MARKS[page.verdict]} {text(page.title)}: {page.verdict}"]
    if page.why:
        parts.append(text(page.why))
    parts.append(_table(page))
    failed = [result for result in page.results if result.gates]
    if failed:
        parts += _failures(failed, to_argument, page.commands)
    quarantined = [result for result in page.results if result.quarantined and result.outcome in BAD]
    if quarantined:
        rows = [f"- {code(r.id)}: {code(first_line(r.message))}" for r in quarantined[:10]]
        parts.append(_folded(f"{len(quarantined)} failed in quarantine", "\n".join(rows)))
    flaky = [result for result in page.results if result.flaky and result.outcome not in BAD]
    if flaky:
        rows = [
            f"- {code(r.id)}: {text(r.finding.evidence) if r.finding else code(first_line(r.first_failure))}"
            for r in flaky[:10]
        ]
        parts.append(_folded(f"{len(flaky)} flaky: failed, and passed when run again", "\n".join(rows)))
    slowest = sorted(page.results, key=lambda result: -result.seconds)[:SLOWEST_SHOWN]
    slowest = [result for result in slowest if result.seconds >= SLOW_SECONDS]
    if slowest:
        rows = [f"| {r.seconds:.2f} s | {code(r.id)} |" for r in slowest]
        parts.append(_folded("Slowest tests", "| time | test |\n| ---: | --- |\n" + "\n".join(rows)))
    if page.notes:
        parts.append("\n".join(f"- {text(note)}" for note in page.notes))
    return "\n\n".join(parts) + "\n"


def _table(page: Page) -> str:
    found = counts(page.results)
    cells = {name: str(found[name]) for name in found}
    if flaky := sum(result.flaky for result in page.results):
        cells["flaky"] = str(flaky)
    if page.deselected:
        cells["deselected"] = str(page.deselected)
    cells |= {"time": page.ran, "workers": page.workers}
    if page.seed is not None:
        cells["seed"] = str(page.seed)
    return f"| {' | '.join(cells)} |\n|{' ---: |' * len(cells)}\n| {' | '.join(map(text, cells.values()))} |"


def _failures(failed: Sequence[Result], to_argument: dict[str, str], commands: Mapping[str, str]) -> list[str]:
    parts = []
    for result in failed[:FAILURES_SHOWN]:
        where = f" at {code(str(result.at))}" if result.at else ""
        body = ""
        if result.finding is not None:
            body = f"**{result.finding.failing}**: {text(result.finding.evidence)}\n\n"
        body += f"{fence(result.message or result.outcome)}\n"
        if result.id in commands:
            body += f"\n{fence(commands[result.id], 'sh')}\n"
        if result.detail and result.detail != result.message:
            tail = "\n".join(result.detail.splitlines()[-40:])
            body += f"\n{_folded('Traceback', fence(tail))}\n"
        parts.append(f"**{code(result.id)}**{where}\n\n{body}".rstrip())
    if len(failed) > FAILURES_SHOWN:
        parts.append(f"{len(failed) - FAILURES_SHOWN} more failures are in the report.")
    shown = [result for result in failed if result.id in to_argument][:FAILURES_SHOWN]
    if len(shown) > 1 or not all(result.id in commands for result in shown):
        parts.append("Run them alone:\n\n" + fence(reproduce(shown, to_argument), "sh"))
    return parts


def _folded(title: str, body: str) -> str:
    # Before the empty line this is HTML, where a backslash would be shown: `title` is the words of this page.
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def first_line(text: str | None) -> str:
    """One line of a message."""
    return (text or "").strip().splitlines()[0] if (text or "").strip() else "no message"
