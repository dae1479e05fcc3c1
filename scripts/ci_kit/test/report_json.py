"""The report `ci-kit/test/1`, from what is known and judged of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ci_kit.quarantine import Quarantine
from ci_kit.test.gather import Gathered
from ci_kit.test.manifest import files_json, leg_json
from ci_kit.test.model import Ending, Record, Result
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.stream import PHASES
from ci_kit.test.summary import counts
from ci_kit.test.verdict import Judgement


def report_json(
    run: ShardRun,
    ending: Ending,
    record: Record,
    results: Sequence[Result],
    judgement: Judgement,
    notes: Sequence[str],
    gathered: Gathered | None,
) -> dict[str, Any]:
    """Everything but the results themselves."""
    coverage = None
    if run.measuring is not None and gathered is not None:
        coverage = {
            "version": run.measuring.version,
            "branch": run.measuring.branch,
            "files": files_json(gathered),
        }
    return {
        "schema": "ci-kit/test/1",
        "name": run.name,
        **leg_json(run),
        "commit": run.commit,
        "interpreter": {
            "version": run.python.version,
            "implementation": run.python.implementation,
            "executable-name": Path(run.python.executable).name,
        },
        "files": sorted(run.selection.mine),
        "collected": list(record.collected),
        "deselected": list(record.deselected),
        "not-selected": list(record.not_selected),
        "cut": {"left": record.cut.get("left", {}), "kept": record.cut.get("kept", {})},
        "counts": counts(results),
        "exit": ending.code,
        "verdict": str(judgement.verdict),
        "why": judgement.why,
        "seconds": round(ending.seconds, 3),
        "workers": run.workers.count,
        "seed": run.seed,
        "coverage": coverage,
        "notes": list(notes),
    }


def result_json(result: Result, commands: Mapping[str, str]) -> dict[str, Any]:
    """One test; `commands` reproduce, by id."""
    finding = result.finding
    return {
        "id": result.id,
        "outcome": str(result.outcome),
        "seconds": round(result.seconds, 6),
        "attempts": result.attempts,
        "flaky": result.flaky,
        "worker": result.worker,
        "message": result.message,
        "file": result.place.file if result.place else None,
        "line": result.place.line if result.place else None,
        "at": str(result.at) if result.at else None,
        "phases": {name: round(result.phases.get(name, 0.0), 6) for name in PHASES},
        "class": str(finding.failing) if finding else None,
        "evidence": finding.evidence if finding else None,
        "reproduce": commands.get(result.id),
        "polluter": finding.polluter if finding else None,
        "quarantined": result.quarantined,
    }


def quarantine_json(quarantine: Quarantine, collected: Sequence[str]) -> list[dict[str, Any]]:
    """Each entry with how many of the collected tests it means."""
    return [
        {
            "id": entry.id,
            "owner": entry.owner,
            "reason": entry.reason,
            "expires": entry.expires.isoformat(),
            "expired": entry in quarantine.expired,
            "file": quarantine.file,
            "line": entry.line,
            "tests": len(tests),
        }
        for entry, tests in quarantine.matches(collected).items()
    ]
