"""Reports of test legs as `ci-kit test run` writes them, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ci_kit import schema

COMMIT = "c" * 40


def result(test: str, outcome: str = "passed", **more: object) -> dict[str, Any]:
    """One entry of `results`."""
    usual = {"seconds": 0.1, "attempts": 1, "flaky": False, "worker": "gw0", "message": None, "file": None}
    found = {"class": None, "evidence": None, "reproduce": None, "polluter": None, "quarantined": False}
    phases = {"setup": 0.01, "call": 0.08, "teardown": 0.01}
    return {"id": test, "outcome": outcome, **usual, "line": None, "at": None, "phases": phases, **found, **more}


def leg_report(
    files: Sequence[str],
    results: Sequence[Mapping[str, Any]],
    *,
    tier: str = "unit",
    python: str = "3.12",
    shard: tuple[int, int] = (1, 1),
    **more: object,
) -> dict[str, Any]:
    """A whole `test.json`, valid by its schema; `more` replaces or adds keys without a check."""
    outcomes = [entry["outcome"] for entry in results]
    bad = any(outcome in {"failed", "error"} for outcome in outcomes)
    report: dict[str, Any] = {
        "schema": "ci-kit/test/1",
        "name": "ci",
        "tier": tier,
        "python": python,
        "interpreter": {"version": f"{python}.1", "implementation": "CPython", "executable-name": "python"},
        "shard": {"index": shard[0], "count": shard[1]},
        "attempt": 1,
        "commit": COMMIT,
        "files": list(files),
        "collected": [entry["id"] for entry in results],
        "deselected": [],
        "results": [dict(entry) for entry in results],
        "counts": {outcome: outcomes.count(outcome) for outcome in outcomes},
        "exit": int(bad),
        "verdict": "failed" if bad else "passed" if results else "empty",
        "why": "",
        "seconds": 1.5,
        "workers": 2,
        "seed": 7,
        "unstable": [],
        "quarantine": [],
        "schedule": None,
        "coverage": None,
        "notes": [],
    }
    schema.check(report, schema.load("test"), what="the builder's report")
    return report | more
