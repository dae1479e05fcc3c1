"""The parts of the summary that help: what to cover first, where most is to gain, and what each leg brought."""

from __future__ import annotations

from collections.abc import Iterable

from ci_kit import trend
from ci_kit.coverage_combine.advice import Advice
from ci_kit.coverage_combine.blocks import Block
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.wording import counted, many, place, uncovered, way_legend
from ci_kit.markdown import cell, code, text

GATES_ADVISED = 6
BLOCKS_SHOWN = 12
WORST_FILES = 10


def advice(found: Result) -> list[str]:
    """What closes the gaps of the gates that say no: first how much each needs, then the places, each once."""
    given = found.judged.advice[:GATES_ADVISED]
    if not given:
        return []
    more = len(found.judged.advice) - len(given)
    rest = [f"- and {more} more {'gate' if more == 1 else 'gates'}, in the report"] if more else []
    needs = [f"- {text(_need(each, found.unit))}" for each in given]
    of: dict[Block, list[str]] = {}
    for each in given:
        for block in each.blocks:
            of.setdefault(block, []).append(each.of)
    rows = [
        f"| {code(f'{block.path}:{place(block)}')} | {code(block.function) if block.function else 'outside of functions'} "
        f"| {counted(block.lines, block.branches)} | {block.tests} | {text(', '.join(gates))} |"
        for block, gates in list(of.items())[:BLOCKS_SHOWN]
    ]
    hidden = len(of) - BLOCKS_SHOWN
    tail = [f"The report has {hidden} more places.", ""] if hidden > 0 else []
    head = ["| cover | in | brings | tests, about | for |", "|:--|:--|:--|--:|:--|"]
    table = [*head, *rows, "", *tail, *way_legend(rows)] if rows else []
    return ["### Cover these first", "", *needs, *rest, "", *table]


def _need(given: Advice, unit: str) -> str:
    short = f"{given.of}: {many(given.gap, unit)} short"
    if given.gain < given.gap:
        return f"{short}, and all that is uncovered there is {given.gain}."
    return f"{short}, which about {given.tests} test{'' if given.tests == 1 else 's'} would close."


def worst(found: Result) -> list[str]:
    """The files with most to gain, folded away: who asks how to go on opens it."""
    files = most_to_gain(found.files)
    if not files:
        return []
    rows = [
        f"| {code(file.path)} | {file.counts} % | {file.counts.counted - file.counts.covered} | {text(uncovered(file))} |"
        for file in files[:WORST_FILES]
    ]
    more = len(files) - WORST_FILES
    return [
        "<details><summary>Where most is to gain, by file</summary>",
        "",
        f"| file | coverage | uncovered {found.unit} | where |",
        "|:--|--:|--:|:--|",
        *rows,
        "",
        *([f"{more} more files are not wholly covered; the report lists them.", ""] if more > 0 else []),
        *way_legend(rows),
        "</details>",
        "",
    ]


def most_to_gain(files: Iterable[FileCoverage]) -> list[FileCoverage]:
    """The files that are not wholly covered, those with most uncovered first."""
    open_files = [file for file in files if file.counts.covered < file.counts.counted]
    return sorted(open_files, key=lambda file: (file.counts.covered - file.counts.counted, file.path))


def chart(found: Result) -> list[str]:
    """The totals of the remembered commits as a chart, folded away."""
    points = found.judged.compared.points if found.judged.compared else ()
    lines = trend.chart(points, "Coverage", found.judged.judgement.total.threshold)
    title = f"<details><summary>The total over the last {len(points)} commits</summary>"
    return [title, "", *lines, "</details>", ""] if lines else []


def legs(found: Result) -> list[str]:
    """What the number rests on, folded away."""
    rows = [
        f"| {text(leg.delivery.leg)} | {leg.delivery.attempt} | {len(leg.copies)} | {brought.files} | {brought.lines} | {brought.alone} |"
        for leg, brought in zip(found.proven, found.contributions, strict=True)
    ]
    empty = [f"| {text(leg)} | | no tests | | | |" for leg in found.empty]
    tools = f"Python {found.python} and coverage {found.coverage}"
    notes = ["", *[f"- {cell(note)}" for note in found.notes]] if found.notes else []
    return [
        f"<details><summary>{len(found.proven)} test legs, analysed with {text(tools)}</summary>",
        "",
        "| leg | attempt | data files | project's files run | lines run | lines that it alone ran |",
        "|:--|--:|--:|--:|--:|--:|",
        *rows,
        *empty,
        *notes,
        "",
        "</details>",
    ]
