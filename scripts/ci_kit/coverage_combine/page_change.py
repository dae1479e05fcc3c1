"""The part of the summary about the change: its own lines, the step since an earlier commit, and lines left alone."""

from __future__ import annotations

from collections.abc import Sequence

from ci_kit.coverage_combine.changed import Changed
from ci_kit.coverage_combine.compared import Compared
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.untouched import Shift, Untouched
from ci_kit.coverage_combine.wording import counted, in_files, many, places, uncovered, way_legend
from ci_kit.markdown import code, text

FILES_SHOWN = 15


def change(found: Result) -> list[str]:
    """Nothing where there is no change to look at, and no earlier commit."""
    judged = found.judged
    return [
        *(_patch(judged.changed, found.unit) if judged.changed else []),
        *(_since(judged.compared) if judged.compared else []),
    ]


def _patch(changed: Changed, unit: str) -> list[str]:
    counts, since = changed.patch.counts, f"Counted from {changed.base.how}."
    if not counts.counted:
        return ["### Changed lines", "", text(f"The change touches no line that counts. {since}"), ""]
    open_files = [file for file in changed.patch.files if file.counts.covered < file.counts.counted]
    open_files.sort(key=lambda file: (file.counts.covered - file.counts.counted, file.path))
    whole = len(changed.patch.files) - len(open_files)
    share = f"{counts.covered} of {many(counts.counted, f'changed {unit}')} are covered ({counts} %)"
    said = ["### Changed lines", "", text(f"{share}, in {in_files(len(changed.patch.files))}. {since}"), ""]
    rows = [
        f"| {code(file.path)} | {file.counts.covered} of {file.counts.counted} | {text(uncovered(file))} |"
        for file in open_files[:FILES_SHOWN]
    ]
    more = len(open_files) - FILES_SHOWN
    rest = [f"{in_files(more)} more in the report"] if more > 0 else []
    rest += [f"{in_files(whole)} wholly covered"] if whole and rows else []
    tail = [text(f"Beside these: {', '.join(rest)}."), ""] if rest else []
    tail += way_legend(rows)
    head = [f"| file | changed {unit} covered | uncovered |", "|:--|--:|:--|"]
    return [*said, *([*head, *rows, "", *tail] if rows else [])]


def _since(compared: Compared) -> list[str]:
    step, shifted = compared.regression, compared.untouched
    if step is None:
        return []
    said = ["### Since the last recorded commit", "", text(" ".join(step.sentences)), ""]
    lost = [f"{code(loss.path)} ({loss.more})" for loss in step.lost] if not step.passed else []
    if lost:
        said += [f"Files with more uncovered than then: {', '.join(lost)}.", ""]
    return [*said, *(_untouched(shifted) if shifted else [])]


def _untouched(shifted: Untouched) -> list[str]:
    said = []
    if shifted.recounted:
        what = f"Of {in_files(len(shifted.recounted))} whose text is the same other lines count than then"
        said += [text(f"{what}: the configuration, Python or coverage changed. They are left out here."), ""]
    if not shifted.files:
        return [*said, "In lines that were not touched since then, coverage is the same.", ""]
    rows = [
        f"| {code(file.path)} | {text(places(file.lost_lines, file.lost_branches)) or '-'} "
        f"| {text(places(file.gained_lines, file.gained_branches)) or '-'} |"
        for file in shifted.files[:FILES_SHOWN]
    ]
    more = len(shifted.files) - FILES_SHOWN
    return [
        "#### Coverage changed in lines that were not touched",
        "",
        text(f"No longer covered: {_sum(shifted.files, 'lost')}. Covered now: {_sum(shifted.files, 'gained')}."),
        "",
        "| file | no longer covered | covered now |",
        "|:--|:--|:--|",
        *rows,
        "",
        *([f"{in_files(more)} more in the report.", ""] if more > 0 else []),
        *way_legend(rows),
        *said,
    ]


def _sum(files: Sequence[Shift], which: str) -> str:
    lines = sum(len(getattr(file, f"{which}_lines")) for file in files)
    branches = sum(len(getattr(file, f"{which}_branches")) for file in files)
    return counted(lines, branches)
