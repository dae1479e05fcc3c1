"""What is known of a run before pytest starts, for everything that is said about it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.plan import Leg
from ci_kit.quarantine import Quarantine
from ci_kit.share import Selection
from ci_kit.test.command import Request, Workers
from ci_kit.test.measuring import Measuring
from ci_kit.test.model import Interpreter


@dataclass(frozen=True)
class ShardRun:
    """One attempt of one leg. `folder` is what will be uploaded, `private` what is not.

    `seed` None: the order is the project's own. `test_seconds` limits each test. `options` are all that the project
    gives pytest; `task` holds the keys of the plug-in's task that are neither files nor folders. `commit` is the event's,
    `checked_out` that of the files here, which another `ref` of actions/checkout makes another one.
    """

    name: str
    leg: Leg
    attempt: int
    commit: str
    checked_out: str
    root: Path
    folder: Path
    private: Path
    selection: Selection
    python: Interpreter
    measuring: Measuring | None
    workers: Workers
    request: Request
    notes: Sequence[str] = ()
    secrets: Sequence[str] = field(default=(), repr=False)
    seed: int | None = None
    test_seconds: float | None = None
    quarantine: Quarantine = field(default_factory=Quarantine)
    options: Sequence[str] = ()
    task: Mapping[str, object] = field(default_factory=dict)

    @property
    def data_folder(self) -> Path:
        """Where coverage's data goes."""
        return self.folder / "coverage"
