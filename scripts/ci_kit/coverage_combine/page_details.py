"""The parts of the summary that help: what to cover first, where most is to gain, and what each leg brought."""

from __future__ import annotations

from collections.abc import Iterable

from ci_kit.coverage_combine.advice import Advice
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.wording import counted, many, place, uncovered
from ci_kit.markdown import cell, code, text

GATES_ADVISED = 4
BLOCKS_SHOWN = 8
WORST_FILES = 10


def advice(found: Result) -> list[str]:
    """What closes the gap of each gate that says no, for the first of them."""
    said = [line for each in found.advice[:GATES_ADVISED] for line in _advice(each, found.unit)]
    more = len(found.advice) - GATES_ADVISED
    rest = [f"The report has the same for {more} more {'gate' if more == 1 else 'gates'}.", ""] if more > 0 else []
    return ["### Cover these first", "", *said, *rest] if said else []


def _advice(given: Advice, unit: str) -> list[str]:
    tests = f"{given.tests} test{'' if given.tests == 1 else 's'}"
    short = f"{given.of}: {many(given.gap, unit)} short."
    if given.gain < given.gap:
        how = f"All that is uncovered there is {given.gain}, so that alone does not reach it."
    else:
        how = f"About {tests} would close that:"
    rows = [
        f"| {code(f'{block.path}:{place(block)}')} | {code(block.function) if block.function else 'outside of functions'} "
        f"| {counted(block.lines, block.branches)} | {block.tests} |"
        for block in given.blocks[:BLOCKS_SHOWN]
    ]
    more = given.blocks[BLOCKS_SHOWN:]
    rest = [text(f"And {len(more)} more places with {sum(block.gain for block in more)} together."), ""] if more else []
    table = ["| where | in | brings | tests, about |", "|:--|:--|:--|--:|", *rows, "", *rest] if rows else []
    return [text(f"{short} {how}"), "", *table]


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
        "</details>",
        "",
    ]


def most_to_gain(files: Iterable[FileCoverage]) -> list[FileCoverage]:
    """The files that are not wholly covered, those with most uncovered first."""
    open_files = [file for file in files if file.counts.covered < file.counts.counted]
    return sorted(open_files, key=lambda file: (file.counts.covered - file.counts.counted, file.path))


def legs(found: Result) -> list[str]:
    """What the number rests on, folded away."""
    rows = [
        f"| {text(leg.delivery.leg)} | {leg.delivery.attempt} | {len(leg.copies)} | {len(leg.measured)} |"
        for leg in found.proven
    ]
    empty = [f"| {text(leg)} | | no tests | |" for leg in found.empty]
    tools = f"Python {found.python} and coverage {found.coverage}"
    notes = ["", *[f"- {cell(note)}" for note in found.notes]] if found.notes else []
    return [
        f"<details><summary>{len(found.proven)} test legs, analysed with {text(tools)}</summary>",
        "",
        "| leg | attempt | data files | measured files |",
        "|:--|--:|--:|--:|",
        *rows,
        *empty,
        *notes,
        "",
        "</details>",
    ]
