"""What a run came to: jobs, steps, annotations; plain data for the report and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Note:
    """An annotation: `level` is error, warning or notice."""

    level: str
    message: str
    title: str = ""
    file: str = ""
    line: int = 0


@dataclass
class Step:
    """One step; `result` is success, failure or skipped, `path` its ids from the job down through composite actions.

    `tolerated` marks a failure that `continue-on-error` let pass.
    """

    path: tuple[str, ...]
    name: str
    stage: str = "main"
    result: str = "skipped"
    seconds: float = 0.0
    tolerated: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    annotations: list[Note] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


@dataclass
class JobRun:
    """One job, or one leg of a matrix. `result` is success, failure, skipped or cancelled.

    `id` is the job's key in `file`; `caller` the key of the job that called that workflow; `leg` counts from 1.
    """

    id: str
    name: str
    file: str
    repository: str
    caller: str | None = None
    leg: int | None = None
    matrix: dict[str, Any] = field(default_factory=dict)
    result: str = "skipped"
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    summary_file: str = ""

    @property
    def title(self) -> str:
        """The name with its caller's, as GitHub shows it."""
        return f"{self.caller} / {self.name}" if self.caller else self.name

    @property
    def annotations(self) -> list[Note]:
        """Every step's annotations, in order."""
        return [note for step in self.steps for note in step.annotations]

    def step(self, name: str) -> Step:
        """The first step of that name or id, its main stage where it has several; raises `KeyError` with the names."""
        for each in sorted(self.steps, key=lambda step: step.stage != "main"):
            if name in (each.name, each.path[-1]):
                return each
        raise KeyError(f"{name!r}; the steps are {[s.name for s in self.steps]}")

    @property
    def log(self) -> str:
        """What all steps printed."""
        return "\n".join(line for step in self.steps for line in step.log)


def verdict(jobs: list[JobRun]) -> str:
    """`success` when no job failed or was cancelled and at least one ran."""
    results = {job.result for job in jobs}
    if "failure" in results:
        return "failure"
    if "cancelled" in results:
        return "cancelled"
    return "success" if "success" in results else "skipped"
