"""Coverage's own reports of the combined data, and the facts that the gates and the summary are made from."""

from __future__ import annotations

import json
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage.exceptions import CoverageException, NoDataError, NotPython

from ci_kit.coverage_combine.combined import Combined
from ci_kit.coverage_combine.formats import cobertura, lcov
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.report import write_text

JSON = "coverage.json"


@dataclass(frozen=True)
class Written:
    """Where the reports are; `html` is the folder, None when none was asked for. `markdown` is the step summary's text."""

    json: Path
    xml: Path
    lcov: Path
    markdown: Path
    html: Path | None


def clear(folder: Path) -> None:
    """An empty folder: no report of an earlier run may pass for one of this run."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


@dataclass(frozen=True)
class Analysis:
    """Coverage's JSON report, the one analysis that everything else is made from, and its files by path."""

    data: Mapping[str, Any]
    files: tuple[FileCoverage, ...]


def analyse(combined: Combined, folder: Path, pythons: Sequence[str]) -> Analysis:
    """Analyse every file once and write `coverage.json`."""
    path = folder / JSON
    _report(
        lambda: combined.coverage.json_report(outfile=str(path), ignore_errors=False, show_contexts=False),
        combined,
        pythons,
    )
    return read_analysis(path)


def read_analysis(path: Path) -> Analysis:
    """What a coverage JSON report says."""
    data = json.loads(path.read_text(encoding="utf-8"))
    files = {name.replace("\\", "/"): part for name, part in data["files"].items()}
    found = sorted((_file(name, part) for name, part in files.items()), key=lambda file: file.path)
    return Analysis({**data, "files": files}, tuple(found))


def write_others(
    combined: Combined, analysis: Analysis, folder: Path, pythons: Sequence[str], title: str | None
) -> Written:
    """Cobertura XML and LCOV from the analysis and, with a `title`, coverage's HTML, which analyses once more."""
    written = Written(
        folder / JSON,
        folder / "coverage.xml",
        folder / "coverage.lcov",
        folder / "coverage.md",
        folder / "html" if title else None,
    )
    write_text(written.xml, cobertura(analysis.data, analysis.files, str(combined.here)))
    write_text(written.lcov, lcov(analysis.data, analysis.files))
    if title:
        _report(
            lambda: combined.coverage.html_report(
                directory=str(written.html), title=title, skip_covered=False, skip_empty=False, show_contexts=False
            ),
            combined,
            pythons,
        )
    return written


def _file(name: str, part: Mapping[str, Any]) -> FileCoverage:
    summary = part["summary"]
    return FileCoverage(
        path=name,
        counts=Counts(
            covered_lines=summary["covered_lines"],
            lines=summary["num_statements"],
            covered_branches=summary.get("covered_branches", 0),
            branches=summary.get("num_branches", 0),
        ),
        missing_lines=tuple(part["missing_lines"]),
        missing_branches=tuple((start, end) for start, end in part.get("missing_branches", ())),
    )


def _report(make: Callable[[], float], combined: Combined, pythons: Sequence[str]) -> None:
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            make()
    except NotPython as error:
        raise unparsable(str(error), pythons, sys.version_info[:2], combined.here) from error
    except NoDataError as error:
        raise InfrastructureFailure(
            "none of the measured files counts: the coverage configuration's include and omit leave nothing.",
            next_step="Compare [run] source and [report] include/omit with the repository's layout.",
        ) from error
    except CoverageException as error:
        raise CallerMistake(f"coverage cannot report: {error}.", next_step="Correct its configuration.") from error
    combined.notes += [f"coverage: {str(warning.message).splitlines()[0]}" for warning in said]


def unparsable(message: str, pythons: Iterable[str], running: tuple[int, int], here: Path) -> KitError:
    """What to do about a source file that this interpreter cannot parse; `pythons` are those that measured."""
    found = re.search(r"Couldn't parse '(.+)' as Python source: '(.*)' at line (\d+)", message)
    path = found[1].removeprefix(f"{here}/") if found else None
    what = f"Python {running[0]}.{running[1]}, which analyses the sources, cannot parse {path or 'a file'}: {found[2] if found else message}."
    newest = max((version for text in pythons if (version := _version(text))), default=None)
    if newest is not None and newest > running:
        wanted = f"{newest[0]}.{newest[1]}"
        step = (
            f"Analyse with the newest Python of the tests: set up {wanted} and give it as the input python of "
            f"actions/coverage-combine; outside a workflow set CI_KIT_LAUNCHER_PYTHON to python{wanted}."
        )
    else:
        step = "Leave it out with [run] omit of the coverage configuration, if it is not meant to be importable Python."
    return CallerMistake(what, next_step=step, file=path, line=int(found[3]) if found else None)


def _version(text: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None
