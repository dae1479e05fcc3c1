"""The step summary: the verdict, every gate with its margin, what to cover first, and what the change did."""

from __future__ import annotations

from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.numbers import Counts
from ci_kit.coverage_combine.page_change import change
from ci_kit.coverage_combine.page_details import advice, chart, legs, worst
from ci_kit.coverage_combine.regression import Regression
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.wording import in_files, many, margin
from ci_kit.markdown import text
from ci_kit.trend import sparkline


def markdown(found: Result) -> str:
    """The whole page."""
    failures = found.judged.failures
    says = "passed" if not failures else "a gate says no" if failures == 1 else f"{failures} gates say no"
    return "\n".join(
        [
            f"## {'❌' if failures else '✅'} Coverage {found.counts} %: {says}",
            "",
            text(headline(found)),
            "",
            *_trend(found),
            *_gates(found),
            *(f"> {text(note)}\n" for note in not_judged(found)),
            *advice(found),
            *change(found),
            *worst(found),
            *chart(found),
            *legs(found),
        ]
    )


def headline(found: Result) -> str:
    """The number, what it rests on, and how far it is from its gate."""
    counts, total = found.counts, found.judged.judgement.total
    rests_on = f"{len(found.proven)} test {'leg' if len(found.proven) == 1 else 'legs'}"
    share = f"{counts} % of the {found.unit} of {in_files(len(found.files))} are covered"
    how = f"{counts.covered} of {counts.counted}, from {rests_on}"
    return f"{share} ({how}): {margin(total, found.unit)} ({found.threshold_from})."


def not_judged(found: Result) -> list[str]:
    """One sentence for each configured threshold that was not judged, with the reason."""
    return [f"Not judged: coverage.{name}." for name in found.judged.judgement.not_judged]


def _trend(found: Result) -> list[str]:
    points = found.judged.compared.points if found.judged.compared else ()
    line = sparkline(points)
    if not line:
        return []
    low, high = min(point.hundredths for point in points), max(point.hundredths for point in points)
    span = f"{Counts(low, 10_000)} %" if low == high else f"{Counts(low, 10_000)} % to {Counts(high, 10_000)} %"
    return [f"The last {len(points)} commits with this one, {span}: {line}", ""]


def _gates(found: Result) -> list[str]:
    gates = found.judged.judgement.gates
    rows = [_row(gate, found.unit) for gate in gates if gate.kind != "file"]
    floors = [gate for gate in gates if gate.kind == "file"]
    if floors:
        low = [gate for gate in floors if not gate.passed]
        how = f"{len(low)} of {len(floors)} files below" if low else f"all {len(floors)} files above"
        rows.append(f"| every file | | {floors[0].threshold:g} % | {how} | {verdict(not low)} |")
    step = found.judged.compared.regression if found.judged.compared else None
    if step and found.judged.forbidden:
        rows.append(_step(step, found.unit))
    return ["| gate | coverage | at least | margin | |", "|:--|--:|--:|:--|:--|", *rows, ""]


def _row(gate: Gate, unit: str) -> str:
    name = f"component {gate.name}" if gate.kind == "component" else gate.name
    share = f"{gate.counts} %" if gate.counts.counted else "-"
    return f"| {text(name)} | {share} | {gate.threshold:g} % | {margin(gate, unit)} | {verdict(gate.passed)} |"


def _step(step: Regression, unit: str) -> str:
    allowed = f", {step.tolerance} allowed" if step.tolerance else ""
    more = (step.now.counted - step.now.covered) - (step.before.counted - step.before.covered)
    change = f"{abs(more)} {'more' if more > 0 else 'fewer'} uncovered than" if more else "as many uncovered as"
    short = f"{many(step.short_by, unit)} short: " if step.short_by else ""
    how = f"{short}{change} at {step.commit[:12]}{allowed}"
    return f"| no regression | {step.now} % | {step.before} % | {how} | {verdict(step.passed)} |"


def verdict(passed: bool) -> str:
    """In a cell of its own."""
    return "✅ passed" if passed else "❌ failed"
