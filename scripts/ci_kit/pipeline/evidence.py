"""Read what the test legs delivered: one result folder a leg and attempt, as downloaded from the artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.report import read_report


@dataclass(frozen=True)
class TestResult:
    """The final result of one test. `seconds` covers set-up, call and tear-down of all attempts."""

    id: str
    outcome: str
    seconds: float
    flaky: bool
    message: str | None

    __test__ = False


@dataclass(frozen=True)
class LegReport:
    """What one leg says it did, from its `test.json`."""

    leg: Leg
    attempt: int
    commit: str
    verdict: str
    seconds: float
    files: tuple[str, ...]
    collected: tuple[str, ...]
    deselected: int
    results: tuple[TestResult, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """The newest report of every leg, and what could not be read."""

    reports: dict[Leg, LegReport]
    unreadable: tuple[str, ...] = ()


def read_evidence(folder: Path) -> Evidence:
    """Read every `test.json` below `folder`; of several attempts of a leg the highest counts."""
    reports: dict[Leg, LegReport] = {}
    unreadable = []
    for path in _reports_below(folder):
        try:
            report = _leg_report(read_report(path, "test"))
        except InfrastructureFailure as error:
            unreadable.append(str(error))
            continue
        known = reports.get(report.leg)
        if known is None or known.attempt < report.attempt:
            reports[report.leg] = report
    return Evidence(reports, tuple(unreadable))


def _reports_below(folder: Path) -> Iterable[Path]:
    return sorted([*folder.glob("test.json"), *folder.glob("*/test.json")])


def _leg_report(data: dict[str, Any]) -> LegReport:
    shard = Shard(data["shard"]["index"], data["shard"]["count"])
    return LegReport(
        leg=Leg(data["tier"], data["python"], shard),
        attempt=data["attempt"],
        commit=data["commit"],
        verdict=data["verdict"],
        seconds=data["seconds"],
        files=tuple(data["files"]),
        collected=tuple(data["collected"]),
        deselected=len(data["deselected"]),
        results=tuple(
            TestResult(r["id"], r["outcome"], r["seconds"], r["flaky"], r.get("message")) for r in data["results"]
        ),
        notes=tuple(data["notes"]),
    )
