"""Read what the test legs delivered: one result folder a leg and attempt, as downloaded from the artifacts.

The content comes from where the code under test ran, perhaps a fork: it is bounded, and text that is shown is made of
printable characters alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.report import read_report

MOST_BYTES = 50_000_000
MOST_TEXT = 500
MOST_SECONDS = 1e7


@dataclass(frozen=True)
class TestResult:
    """The final result of one test. `seconds` covers set-up, call and tear-down of all attempts."""

    id: str
    outcome: str
    seconds: float
    flaky: bool
    message: str

    __test__ = False


@dataclass(frozen=True)
class LegReport:
    """What one leg says it did, from its `test.json`. `why` is the reason of its verdict, often empty."""

    leg: Leg
    attempt: int
    commit: str
    verdict: str
    why: str
    seconds: float
    files: tuple[str, ...]
    collected: tuple[str, ...]
    deselected: int
    results: tuple[TestResult, ...]


@dataclass(frozen=True)
class Evidence:
    """The newest report of every leg, and what could not be read."""

    reports: dict[Leg, LegReport]
    unreadable: tuple[str, ...] = ()


def read_evidence(folder: Path, name: str) -> Evidence:
    """Read every `test.json` below `folder` that belongs to the call `name`; of a leg's attempts the highest counts.

    A single artifact may have been unpacked straight into `folder`, as actions/download-artifact does.
    """
    reports: dict[Leg, LegReport] = {}
    unreadable = []
    for path in sorted([*folder.glob("test.json"), *folder.glob("*/test.json")]):
        try:
            data = _read(path)
        except (InfrastructureFailure, OSError) as error:
            unreadable.append(printable(str(error)))
            continue
        report = _leg_report(data)
        known = reports.get(report.leg)
        if data["name"] == name and (known is None or known.attempt < report.attempt):
            reports[report.leg] = report
    return Evidence(reports, tuple(unreadable))


def _read(path: Path) -> dict[str, Any]:
    if path.is_symlink() or path.stat().st_size > MOST_BYTES:
        raise InfrastructureFailure(
            f"test.json in {path.parent.name} is a link or larger than {MOST_BYTES // 1_000_000} MB.",
            next_step="Re-run the job that wrote it.",
        )
    return read_report(path, "test")


def printable(text: str, most: int = MOST_TEXT) -> str:
    """`text` on one line, at most `most` characters; what is not printable (also what turns the writing round) is escaped."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def _leg_report(data: dict[str, Any]) -> LegReport:
    shard = Shard(data["shard"]["index"], data["shard"]["count"])
    return LegReport(
        leg=Leg(data["tier"], data["python"], shard),
        attempt=data["attempt"],
        commit=printable(data["commit"]),
        verdict=data["verdict"],
        why=printable(data["why"]),
        seconds=_seconds(data["seconds"]),
        files=tuple(data["files"]),
        collected=tuple(data["collected"]),
        deselected=len(data["deselected"]),
        results=tuple(_result(result) for result in data["results"]),
    )


def _result(data: dict[str, Any]) -> TestResult:
    said = (data["message"] or "").strip().partition("\n")[0]
    return TestResult(data["id"], data["outcome"], _seconds(data["seconds"]), data["flaky"], printable(said))


def _seconds(value: float) -> float:
    """JSON may hold numbers that no clock shows (NaN, or an integer beyond any float)."""
    return float(value) if 0 <= value <= MOST_SECONDS else 0.0
