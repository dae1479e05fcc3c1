"""Tell the result: outputs, summary, annotations, log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ci_kit.coverage_combine.blocks import Block
from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.gates import Gate
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.coverage_combine.page import headline, not_judged
from ci_kit.coverage_combine.result import LISTED, Result
from ci_kit.coverage_combine.wording import counted, margin, uncovered
from ci_kit.github import Annotation, Workflow
from ci_kit.markdown import cell, text

_GATES = {
    "total": "Total coverage",
    "component": "Coverage of component {}",
    "file": "Coverage of this file",
    "patch": "Coverage of the changed lines",
}


def result(workflow: Workflow, found: Result, page: str, report: Path, attempt: int) -> None:
    """Everything there is to say about a number; `page` is the summary's text."""
    workflow.output("total", str(found.counts))
    workflow.output("verdict", "failed" if found.judged.failures else "passed")
    workflow.output("patch", _patch(found))
    workflow.output("regression", _regression(found))
    _where(workflow, found.name, attempt, report)
    workflow.output("html", str(found.written.html or ""))
    workflow.output("badge", str(found.badge))
    for annotation in noted(found):
        workflow.annotate(annotation)
    workflow.summary(page)
    workflow.log(headline(found))
    for note in (*not_judged(found), *found.notes):
        workflow.log(f"note: {note}")


def untrusted(
    workflow: Workflow, name: str, problems: Sequence[Problem], notes: Sequence[str], report: Path, attempt: int
) -> None:
    """Why there is no number; the exit's own message is the annotation."""
    workflow.output("verdict", "untrusted")
    _where(workflow, name, attempt, report)
    head = ["## ❌ Coverage: no number", "", "The data cannot be trusted, so none is shown.", ""]
    said = [f"- {text(note)}" for note in notes[:LISTED]]
    workflow.summary("\n".join([*head, *_rows(problems), *(["", "Beside that:", "", *said] if said else [])]))
    for note in notes:
        workflow.log(f"note: {note}")


def mistaken(workflow: Workflow, name: str, problems: Sequence[Problem], report: Path, attempt: int) -> None:
    """What the caller has to mend before anything can be judged."""
    workflow.output("verdict", "mistaken")
    _where(workflow, name, attempt, report)
    workflow.summary("\n".join(["## ❌ Coverage: not judged", "", *_rows(problems)]))


def _rows(problems: Sequence[Problem]) -> list[str]:
    rows = [
        f"- {f'**{text(p.where)}**: ' if p.where else ''}{cell(p.message)} {cell(p.next_step)}"
        for p in problems[:LISTED]
    ]
    return [*rows, *([f"- and {len(problems) - LISTED} more"] if len(problems) > LISTED else [])]


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


def _patch(found: Result) -> str:
    """The share of changed lines, empty where it is not known or nothing of the change counts."""
    changed = found.judged.changed
    counts = changed.patch.counts if changed else None
    return str(counts) if counts and counts.counted else ""


def _regression(found: Result) -> str:
    """Whether coverage is no worse than at the nearest earlier commit; empty where there is none to compare with."""
    step = found.judged.compared.regression if found.judged.compared else None
    return "" if step is None else "passed" if step.passed else "failed"


def noted(found: Result) -> Iterator[Annotation]:
    """One for each gate that says no, then one for each uncovered piece of changed code, the largest first."""
    by_path = {file.path: file for file in found.files}
    for gate in found.judged.judgement.failed:
        yield _of_gate(gate, found.unit, by_path.get(gate.name) if gate.kind == "file" else None)
    step = found.judged.compared.regression if found.judged.compared else None
    if step and found.judged.regressed:
        yield Annotation("error", " ".join(step.sentences), title="coverage gate")
    for block in found.judged.uncovered_changes:
        yield _of_change(block)


def _of_gate(gate: Gate, unit: str, file: FileCoverage | None) -> Annotation:
    what = _GATES[gate.kind].format(gate.name)
    message = f"{what} is {gate.counts} % ({gate.counts.covered} of {gate.counts.counted}): {margin(gate, unit)}."
    if file is None:
        return Annotation("error", message, title="coverage gate")
    line = min((*file.missing_lines, *(start for start, _ in file.missing_branches)), default=1)
    return Annotation("error", f"{message} Uncovered: {uncovered(file)}.", file.path, line, title="coverage gate")


def _of_change(block: Block) -> Annotation:
    inside = f" of {block.function}" if block.function else ""
    if not block.lines:
        to = f"goes on to line {block.to}" if block.to > 0 else "leaves the function from here"
        what = f"{counted(0, block.branches)} of a changed line{inside}: no test {to}."
        return Annotation("warning", what, block.path, block.first, title="uncovered change")
    what = f"No test runs these changed lines{inside}: {counted(block.lines, block.branches)}."
    return Annotation("warning", what, block.path, block.first, title="uncovered change", end_line=block.last)
