"""The part of the summary about the change: its own lines, and what happened to lines that it did not touch."""

from __future__ import annotations

from ci_kit.coverage_combine.changed import Changed
from ci_kit.coverage_combine.result import Result
from ci_kit.coverage_combine.wording import many, uncovered
from ci_kit.markdown import code, text

FILES_SHOWN = 15


def change(found: Result) -> list[str]:
    """Nothing where no change is looked at."""
    return _patch(found.changed, found.unit) if found.changed else []


def _patch(changed: Changed, unit: str) -> list[str]:
    counts, since = changed.patch.counts, f"Counted from {changed.base.how}."
    if not counts.counted:
        return ["### Changed lines", "", text(f"The change touches no line that counts. {since}"), ""]
    open_files = [file for file in changed.patch.files if file.counts.covered < file.counts.counted]
    whole = len(changed.patch.files) - len(open_files)
    share = f"{counts.covered} of {many(counts.counted, f'changed {unit}')} are covered ({counts} %), in {_files(len(changed.patch.files))}."
    said = ["### Changed lines", "", text(f"{share} {since}"), ""]
    if not open_files:
        return said
    open_files.sort(key=lambda file: (file.counts.covered - file.counts.counted, file.path))
    rows = [
        f"| {code(file.path)} | {file.counts.covered} of {file.counts.counted} | {text(uncovered(file))} |"
        for file in open_files[:FILES_SHOWN]
    ]
    more = len(open_files) - FILES_SHOWN
    rest = [f"{_files(more)} more in the report"] if more > 0 else []
    rest += [f"{_files(whole)} wholly covered"] if whole else []
    tail = [text(f"Beside these: {', '.join(rest)}."), ""] if rest else []
    return [*said, f"| file | changed {unit} covered | uncovered |", "|:--|--:|:--|", *rows, "", *tail]


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
