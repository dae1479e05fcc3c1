"""Tell the result: outputs, summary, annotations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.numbers import FileCoverage, ranges
from ci_kit.coverage_combine.result import LISTED, Result
from ci_kit.github import Annotation, Workflow
from ci_kit.markdown import cell, code, text

WORST_FILES = 10
RANGES_SHOWN = 12


def result(workflow: Workflow, found: Result, report: Path, attempt: int) -> None:
    """Everything there is to say about a number."""
    failed = found.judgement.failed
    workflow.output("total", str(found.counts))
    workflow.output("verdict", "failed" if failed else "passed")
    _where(workflow, found.name, attempt, report)
    workflow.output("html", str(found.written.html or ""))
    for gate in failed:
        workflow.annotate(_annotation(gate, found.files))
    workflow.summary(markdown(found))
    workflow.log(_headline(found))
    for note in (*not_judged(found), *found.notes):
        workflow.log(f"note: {note}")


def untrusted(workflow: Workflow, name: str, problems: Sequence[Problem], report: Path, attempt: int) -> None:
    """Why there is no number; the exit's own message is the annotation."""
    workflow.output("verdict", "untrusted")
    _where(workflow, name, attempt, report)
    rows = [
        f"- {f'**{text(p.where)}**: ' if p.where else ''}{cell(p.message)} {cell(p.next_step)}"
        for p in problems[:LISTED]
    ]
    more = [f"- and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    workflow.summary(
        "\n".join(["## Coverage: no number", "", "The data cannot be trusted, so none is shown.", "", *rows, *more])
    )


def nothing(workflow: Workflow, name: str, why: str, report: Path, attempt: int) -> None:
    """Why there is nothing to be measured, which is no fault."""
    workflow.output("verdict", "passed")
    _where(workflow, name, attempt, report)
    workflow.summary(f"## Coverage: nothing to measure\n\n{text(why)}")
    workflow.log(why)


def _where(workflow: Workflow, name: str, attempt: int, report: Path) -> None:
    workflow.output("report", str(report))
    workflow.output("folder", str(report.parent / "coverage"))
    workflow.output("artifact", f"{name}-coverage-a{attempt}")


def not_judged(found: Result) -> list[str]:
    """One sentence for each configured threshold that this version does not judge."""
    return [f"Not judged by this version of ci-kit: coverage.{name}." for name in found.judgement.not_judged]


def margin(gate: Gate, unit: str) -> str:
    """How far the counts are from the threshold, in lines and branches."""
    count = abs(gate.short_by)
    one = {"lines": "line", "lines and branches": "line or branch"}
    side = "short of" if gate.short_by > 0 else "above"
    return (
        f"{count} {one[unit] if count == 1 else unit} {side} {gate.threshold:g} %"
        if count
        else f"just at {gate.threshold:g} %"
    )


def worst(files: Iterable[FileCoverage]) -> list[FileCoverage]:
    """The files with most to gain first."""
    open_files = [file for file in files if file.counts.covered < file.counts.counted]
    return sorted(open_files, key=lambda file: (file.counts.covered - file.counts.counted, file.path))


def markdown(found: Result) -> str:
    """The step summary."""
    return "\n".join(
        [
            f"## Coverage {found.counts} %: {'below the gate' if found.judgement.failed else 'passed'}",
            "",
            text(_headline(found)),
            "",
            *_gates(found),
            *_worst(found),
            *[f"> {text(note)}" + "\n>" for note in not_judged(found)],
            *_details(found),
        ]
    )


def _unit(found: Result) -> str:
    return "lines and branches" if found.branch else "lines"


def _headline(found: Result) -> str:
    counts, total = found.counts, found.judgement.total
    legs = f"{len(found.proven)} test {'leg' if len(found.proven) == 1 else 'legs'}"
    share = f"{counts} % of the {_unit(found)} of {len(found.files)} files are covered"
    how = f"{counts.covered} of {counts.counted}, from {legs}"
    return f"{share} ({how}): {margin(total, _unit(found))} ({found.threshold_from})."


def _gates(found: Result) -> list[str]:
    shown = [gate for gate in found.judgement.gates if gate.kind != "file"]
    floors = [gate for gate in found.judgement.gates if gate.kind == "file"]
    rows = [
        f"| {text(gate.name)} | {gate.counts} % | {gate.threshold:g} % | {margin(gate, _unit(found))} | {_verdict(gate)} |"
        for gate in shown
    ]
    low = [gate for gate in floors if not gate.passed]
    if floors:
        worst_floor = f"{len(low)} of {len(floors)} files below" if low else f"all {len(floors)} files above"
        rows.append(
            f"| every file | | {floors[0].threshold:g} % | {worst_floor} | {'❌ failed' if low else '✅ passed'} |"
        )
    return ["| gate | coverage | at least | margin | |", "|---|--:|--:|---|---|", *rows, ""]


def _verdict(gate: Gate) -> str:
    return "✅ passed" if gate.passed else "❌ failed"


def _worst(found: Result) -> list[str]:
    files = worst(found.files)
    if not files:
        return []
    rows = [
        f"| {code(file.path)} | {file.counts} % | {file.counts.counted - file.counts.covered} | {_uncovered(file)} |"
        for file in files[:WORST_FILES]
    ]
    more = [f"\n{len(files) - WORST_FILES} more files are not wholly covered; the report lists them."]
    return [
        "### Where most is to gain",
        "",
        f"| file | coverage | uncovered {_unit(found)} | lines |",
        "|---|--:|--:|---|",
        *rows,
        *(more if len(files) > WORST_FILES else []),
        "",
    ]


def _uncovered(file: FileCoverage) -> str:
    parts = ranges(file.missing_lines)
    missed = set(file.missing_lines)
    parts += [f"{start}→{end if end > 0 else 'exit'}" for start, end in file.missing_branches if start not in missed]
    shown = ", ".join(parts[:RANGES_SHOWN])
    return f"{shown} and {len(parts) - RANGES_SHOWN} more" if len(parts) > RANGES_SHOWN else shown


def _details(found: Result) -> list[str]:
    rows = [
        f"| {text(leg.delivery.leg)} | {leg.delivery.attempt} | {len(leg.copies)} | {len(leg.measured)} |"
        for leg in found.proven
    ]
    empty = [f"| {text(leg)} | | no tests | |" for leg in found.empty]
    tools = f"Python {found.python} and coverage {found.coverage}"
    notes = ["", *[f"- {cell(note)}" for note in found.notes]] if found.notes else []
    return [
        f"<details><summary>{len(found.proven)} test legs, analysed with {tools}</summary>",
        "",
        "| leg | attempt | data files | measured files |",
        "|---|--:|--:|--:|",
        *rows,
        *empty,
        *notes,
        "",
        "</details>",
    ]


def _annotation(gate: Gate, files: Sequence[FileCoverage]) -> Annotation:
    what = {
        "total": "Total coverage",
        "component": f"Coverage of component {gate.name}",
        "file": "Coverage of this file",
    }
    unit = "lines and branches" if gate.counts.branches else "lines"
    message = (
        f"{what[gate.kind]} is {gate.counts} % ({gate.counts.covered} of {gate.counts.counted}): {margin(gate, unit)}."
    )
    if gate.kind != "file":
        return Annotation("error", message, title="coverage gate")
    file = next(file for file in files if file.path == gate.name)
    line = min((*file.missing_lines, *(start for start, _ in file.missing_branches)), default=1)
    return Annotation("error", f"{message} Uncovered: {_uncovered(file)}.", file.path, line, title="coverage gate")
