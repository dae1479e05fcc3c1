"""What a run is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.act.artifact_store import Artifact
from ci_kit.act.copies import Wanted
from ci_kit.act.event import Occasion
from ci_kit.act.outcome import JobRun
from ci_kit.act.results_service import Transfer
from ci_kit.errors import Exit


@dataclass(frozen=True)
class Request:
    """One run. `secrets` are name and value; `env` reaches act's jobs like the runner's own environment."""

    repo: Path
    wanted: Wanted = field(default_factory=Wanted)
    workflow: str = ""
    job: str = ""
    matrix: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    container: str = ""
    actions: str = "auto"
    services: str = "auto"
    output: Path = Path(".ci-kit/act")
    cache: Path | None = None
    limit_seconds: float = 3600.0
    at_once: int = 0
    verbose: bool = False


@dataclass
class Result:
    """What the run came to. `folder` holds `act.json`, `act.log`, `summaries/`, `artifacts/`."""

    verdict: str
    occasion: Occasion
    folder: Path
    actions: str
    mode: str
    act: str
    seconds: float
    jobs: list[JobRun]
    artifacts: list[Artifact] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    translations: list[dict[str, object]] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    timed_out: bool = False

    @property
    def exit(self) -> Exit:
        """0 when nothing failed, else 1; 3 when the time limit ended the run, which then judges nothing."""
        if self.timed_out:
            return Exit.INFRASTRUCTURE
        return Exit.GOOD if self.verdict in {"success", "skipped"} else Exit.NO

    def find(self, job: str, **matrix: object) -> list[JobRun]:
        """The runs of the job with this id or name, whose matrix has these values."""
        return [
            run
            for run in self.jobs
            if job in (run.id, run.name) and all(run.matrix.get(key) == value for key, value in matrix.items())
        ]

    def one(self, job: str, **matrix: object) -> JobRun:
        """The only such run; raises `KeyError` with what there is."""
        found = self.find(job, **matrix)
        if len(found) != 1:
            raise KeyError(f"{job!r} {matrix}: {len(found)} of {[(r.id, r.name, r.matrix) for r in self.jobs]}")
        return found[0]

    def report(self) -> dict[str, Any]:
        """The JSON report, `ci-kit/act/1`."""
        return {
            "schema": "ci-kit/act/1",
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "event": self.occasion.event,
            "repository": self.occasion.repository,
            "ref": self.occasion.ref,
            "sha": self.occasion.sha,
            "fork": self.occasion.is_fork,
            "act": self.act,
            "actions": self.actions,
            "mode": self.mode,
            "timed-out": self.timed_out,
            "jobs": [_job(run) for run in self.jobs],
            "artifacts": [
                {
                    "name": a.name,
                    "size": a.size,
                    "digest": a.digest,
                    "path": str(a.path and a.path.relative_to(self.folder)),
                }
                for a in self.artifacts
            ],
            "caches": [
                {"key": t.name, "result": t.what, "matched": t.matched} for t in self.transfers if t.kind == "cache"
            ],
            "translations": self.translations,
            "services": self.services,
            "notes": self.notes,
            "messages": self.messages,
        }


def _job(run: JobRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "workflow": f"{run.repository}/{run.file}",
        "caller": run.caller,
        "leg": run.leg,
        "matrix": run.matrix,
        "result": run.result,
        "seconds": round(run.seconds, 3),
        "summary": run.summary_file or None,
        "errors": run.errors,
        "steps": [
            {
                "path": list(step.path),
                "name": step.name,
                "stage": step.stage,
                "result": step.result,
                "seconds": round(step.seconds, 3),
                "tolerated": step.tolerated,
                "outputs": step.outputs,
                "annotations": [
                    {"level": n.level, "message": n.message, "title": n.title, "file": n.file, "line": n.line}
                    for n in step.annotations
                ],
            }
            for step in run.steps
        ],
    }
