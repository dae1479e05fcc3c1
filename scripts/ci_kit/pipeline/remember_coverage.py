"""Turn the coverage of a run into what the history remembers of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ci_kit.history import History
from ci_kit.history_coverage import CoverageRecord, FileRecord, Range, leg_name
from ci_kit.history_coverage_pack import add_record, read_records

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_JOBS_WITHOUT_TESTS = frozenset({"plan", "lint"})


def remember_coverage(
    history: History, report: Mapping[str, Any], jobs: Mapping[str, str], now: datetime, *, partial: bool
) -> tuple[History, str]:
    """The history with the coverage of this run, and a sentence that says whether it is kept.

    `report` is a `ci-kit/coverage-combine/1`, `partial` says that tests may have been left out. Only a whole number is
    worth comparing with: where tests failed, what they did not get to run would pass for uncovered.
    """
    if why := _unfit(report, jobs, partial=partial):
        return history, f"The coverage of this commit is not kept: {why}."
    _, lost = read_records(history.coverage)
    try:
        packed = history.coverage
        for record in records_of(report, now):
            packed = add_record(packed, record)
        return replace(history, coverage=packed), " ".join(filter(None, (lost, "The coverage of this commit is kept.")))
    except ValueError as error:
        return history, f"The coverage of this commit is not kept: {error}."


def _unfit(report: Mapping[str, Any], jobs: Mapping[str, str], *, partial: bool) -> str:
    tests = {job: result for job, result in jobs.items() if job not in _JOBS_WITHOUT_TESTS}
    if report["total"] is None or not report["files"]:
        return "there is no number"
    if partial:
        return "only affected tests ran"
    if failed := sorted(job for job, result in tests.items() if result not in {"success", "skipped"}):
        return f"the job {failed[0]} did not end well, so it may be incomplete"
    if not _COMMIT.fullmatch(report["commit"]):
        return "its commit is not known"
    return ""


def records_of(report: Mapping[str, Any], now: datetime) -> list[CoverageRecord]:
    """The records of a report with a number: of all legs, and of those that a pull request runs where these are fewer.

    Raises `ValueError` where counts contradict each other.
    """
    analysis = report["analysis"] or {}
    whole = CoverageRecord(
        commit=report["commit"],
        at=now.isoformat(timespec="seconds"),
        files={file["path"]: _file(file) for file in report["files"]},
        legs=frozenset(leg_name(leg["tier"], leg["python"]) for leg in report["legs"]),
        branch=bool(analysis.get("branch")),
        python=analysis.get("python", ""),
        coverage=analysis.get("coverage", ""),
        components={
            gate["name"]: (gate["covered"], gate["counted"]) for gate in report["gates"] if gate["kind"] == "component"
        },
    )
    narrow = report["as-pull-request"]
    if narrow is None:
        return [whole]
    files = {file["path"]: _file(file) for file in narrow["files"]}
    return [whole, replace(whole, files=files, legs=frozenset(narrow["legs"]), components={})]


def _file(data: Mapping[str, Any]) -> FileRecord:
    found = FileRecord(
        lines=data["lines"]["counted"],
        branches=data["branches"]["counted"],
        missing_lines=tuple(_ranges(data["missing-lines"])),
        missing_branches=tuple(sorted({(start, end) for start, end in data["missing-branches"]})),
    )
    if (found.covered_lines, found.covered_branches) != (data["lines"]["covered"], data["branches"]["covered"]):
        raise ValueError(f"the counts of {data['path']} do not fit what it says is missing")
    return found


def _ranges(texts: Iterable[str]) -> Iterable[Range]:
    for text in texts:
        first, _, last = text.partition("-")
        yield int(first), int(last or first)
