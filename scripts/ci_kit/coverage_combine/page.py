"""The step summary: the verdict, every gate with its margin, what to cover first, and what the change did."""

from __future__ import annotations

from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.page_change import change
from ci_kit.coverage_combine.page_details import advice, legs, worst
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.wording import margin
from ci_kit.markdown import text


def markdown(found: Result) -> str:
    """The whole page."""
    verdict = "❌ Coverage {}: a gate says no" if found.failed else "✅ Coverage {}: passed"
    return "\n".join(
        [
            f"## {verdict.format(f'{found.counts} %')}",
            "",
            text(headline(found)),
            "",
            *_gates(found),
            *(f"> {text(note)}\n" for note in not_judged(found)),
            *advice(found),
            *change(found),
            *worst(found),
            *legs(found),
        ]
    )


def headline(found: Result) -> str:
    """The number, what it rests on, and how far it is from its gate."""
    counts, total = found.counts, found.judgement.total
    rests_on = f"{len(found.proven)} test {'leg' if len(found.proven) == 1 else 'legs'}"
    share = f"{counts} % of the {found.unit} of {len(found.files)} files are covered"
    how = f"{counts.covered} of {counts.counted}, from {rests_on}"
    return f"{share} ({how}): {margin(total, found.unit)} ({found.threshold_from})."


def not_judged(found: Result) -> list[str]:
    """One sentence for each configured threshold that was not judged, with the reason."""
    return [f"Not judged: coverage.{name}." for name in found.judgement.not_judged]


def _gates(found: Result) -> list[str]:
    rows = [_row(gate, found.unit) for gate in found.judgement.gates if gate.kind != "file"]
    floors = [gate for gate in found.judgement.gates if gate.kind == "file"]
    if floors:
        low = [gate for gate in floors if not gate.passed]
        how = f"{len(low)} of {len(floors)} files below" if low else f"all {len(floors)} files above"
        rows.append(f"| every file | | {floors[0].threshold:g} % | {how} | {verdict(not low)} |")
    return ["| gate | coverage | at least | margin | |", "|:--|--:|--:|:--|:--|", *rows, ""]


def _row(gate: Gate, unit: str) -> str:
    name = f"component {gate.name}" if gate.kind == "component" else gate.name
    share = f"{gate.counts} %" if gate.counts.counted else "-"
    return f"| {text(name)} | {share} | {gate.threshold:g} % | {margin(gate, unit)} | {verdict(gate.passed)} |"


def verdict(passed: bool) -> str:
    """In a cell of its own."""
    return "✅ passed" if passed else "❌ failed"
