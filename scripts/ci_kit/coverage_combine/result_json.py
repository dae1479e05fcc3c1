"""The parts of the report `ci-kit/coverage-combine/1` about files, the change and the step back, as JSON."""

from __future__ import annotations

from typing import Any

from ci_kit.coverage_combine.advice import Advice
from ci_kit.coverage_combine.changed import Changed
from ci_kit.coverage_combine.judged import Judged
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, ranges
from ci_kit.coverage_combine.regression import Regression
from ci_kit.coverage_combine.untouched import Untouched


def judged_json(judged: Judged) -> dict[str, Any]:
    """What is said beside the gates themselves."""
    compared = judged.compared
    step, shifted = (compared.regression, compared.untouched) if compared else (None, None)
    return {
        "patch": _changed(judged.changed) if judged.changed else None,
        "regression": _regression(step, forbidden=judged.forbidden) if step else None,
        "untouched": _untouched(shifted) if shifted else None,
        "advice": [_advice(advice) for advice in judged.advice],
        "trend": [
            {"commit": point.commit, "percent": point.hundredths / 100}
            for point in (compared.points if compared else ())
        ],
    }


def nothing_judged() -> dict[str, Any]:
    """The same where there is no number."""
    return {"patch": None, "regression": None, "untouched": None, "advice": [], "trend": []}


def counts_json(counts: Counts) -> dict[str, Any]:
    """Counts with their share, which is for showing only."""
    return {
        "percent": counts.percent,
        "covered": counts.covered,
        "counted": counts.counted,
        "lines": {"covered": counts.covered_lines, "counted": counts.lines},
        "branches": {"covered": counts.covered_branches, "counted": counts.branches},
    }


def file_json(file: FileCoverage) -> dict[str, Any]:
    """A file, or the changed part of one."""
    return {
        "path": file.path,
        **counts_json(file.counts),
        "missing-lines": ranges(file.missing_lines),
        "missing-branches": [list(pair) for pair in file.missing_branches],
    }


def _changed(changed: Changed) -> dict[str, Any]:
    return {
        "base": changed.base.commit,
        "how": changed.base.how,
        **counts_json(changed.patch.counts),
        "files": [file_json(file) for file in changed.patch.files],
    }


def _advice(advice: Advice) -> dict[str, Any]:
    blocks = [
        {"path": block.path, "function": block.function, "lines": block.place, "gain": block.gain, "tests": block.tests}
        for block in advice.blocks
    ]
    return {"of": advice.of, "gap": advice.gap, "gain": advice.gain, "tests": advice.tests, "blocks": blocks}


def _regression(step: Regression, *, forbidden: bool) -> dict[str, Any]:
    return {
        "commit": step.commit,
        "distance": step.distance,
        "before": counts_json(step.before),
        "tolerance": step.tolerance,
        "short-by": step.short_by,
        "passed": step.passed,
        "forbidden": forbidden,
        "lost": [{"path": loss.path, "more-uncovered": loss.more} for loss in step.lost],
        "sentences": list(step.sentences),
    }


def _untouched(shifted: Untouched) -> dict[str, Any]:
    files = [
        {
            "path": file.path,
            "lost-lines": ranges(file.lost_lines),
            "lost-branches": [list(pair) for pair in file.lost_branches],
            "gained-lines": ranges(file.gained_lines),
            "gained-branches": [list(pair) for pair in file.gained_branches],
        }
        for file in shifted.files
    ]
    return {"lost": shifted.lost, "gained": shifted.gained, "files": files, "recounted": list(shifted.recounted)}
