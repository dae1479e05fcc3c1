"""Read what the test legs delivered: one result folder a leg and attempt, as downloaded from the artifacts.

The content comes from where the code under test ran, perhaps a fork: it is bounded, and text that is shown is made of
printable characters alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.history_samples import Times
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.report import read_report

MOST_BYTES = 50_000_000
MOST_TEXT = 500
MOST_COMMAND = 2000
MOST_SECONDS = 1e7
PHASES = ("setup", "call", "teardown")


@dataclass(frozen=True)
class TestResult:
    """The final result of one test. `seconds` covers set-up, call and tear-down of all attempts.

    `phases` are the seconds of these three in the last attempt. `failing` is the class of a failure (`order-dependent`
    …), with its `evidence`, the test that causes it and the command that shows it; empty where nothing was found out.
    `file` and `line` are where the test is, line 0 when that is not known.
    """

    id: str
    outcome: str
    seconds: float
    flaky: bool
    message: str
    phases: Times = (0.0, 0.0, 0.0)
    file: str = ""
    line: int = 0
    failing: str = ""
    evidence: str = ""
    polluter: str = ""
    reproduce: str = ""
    quarantined: bool = False

    __test__ = False


@dataclass(frozen=True)
class Tally:
    """So many tests, and a sum over their ids (modulo 2^64): two equal tallies are of the same tests."""

    tests: int = 0
    sum: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.tests + other.tests, (self.sum + other.sum) % 2**64)


@dataclass(frozen=True)
class LegReport:
    """What one leg says it did, from its `test.json`. `why` is the reason of its verdict, often empty.

    For files that are cut over shards, `left` are the tests that were left to other shards and `kept` those that are
    named as its own, by file. `not_selected` are tests that the change cannot reach and that were left out therefore.
    """

    leg: Leg
    attempt: int
    commit: str
    verdict: str
    why: str
    seconds: float
    files: tuple[str, ...]
    collected: tuple[str, ...]
    deselected: tuple[str, ...]
    results: tuple[TestResult, ...]
    left: Mapping[str, Tally] = field(default_factory=dict)
    kept: Mapping[str, Tally] = field(default_factory=dict)
    not_selected: tuple[str, ...] = ()


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
        deselected=tuple(data["deselected"]),
        results=tuple(_result(result) for result in data["results"]),
        left=_tallies(data, "left"),
        kept=_tallies(data, "kept"),
        not_selected=tuple(data.get("not-selected", ())),
    )


def _tallies(data: dict[str, Any], side: str) -> dict[str, Tally]:
    found = data.get("cut", {}).get(side, {})
    return {file: Tally(int(tally["tests"]), int(tally["sum"], 16)) for file, tally in found.items()}


def _result(data: dict[str, Any]) -> TestResult:
    said = (data["message"] or "").strip().partition("\n")[0]
    seconds = _seconds(data["seconds"])
    phases = data.get("phases") or {}
    setup, call, teardown = (_seconds(phases.get(phase, 0.0)) for phase in PHASES)
    return TestResult(
        id=data["id"],
        outcome=data["outcome"],
        seconds=seconds,
        flaky=data["flaky"],
        message=printable(said),
        phases=(setup, call, teardown) if phases else (0.0, seconds, 0.0),
        file=data["file"] or "",
        line=data["line"] or 0,
        failing=printable(data.get("class") or ""),
        evidence=printable(data.get("evidence") or ""),
        polluter=printable(data.get("polluter") or ""),
        reproduce=printable(data.get("reproduce") or "", MOST_COMMAND),
        quarantined=bool(data.get("quarantined")),
    )


def _seconds(value: object) -> float:
    """JSON may hold numbers that no clock shows (NaN, or an integer beyond any float)."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= MOST_SECONDS else 0.0
