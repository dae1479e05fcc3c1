"""What a verb gets passed: the real clients, built once in `ci_kit.__main__`, and doubles in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.clock import Clock
from ci_kit.github import Event, Workflow
from ci_kit.process import Runner

KIT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Tools:
    """The world outside a verb. `environ` holds the step's whole environment, secrets included."""

    environ: Mapping[str, str] = field(repr=False)
    event: Event
    workflow: Workflow
    runner: Runner
    clock: Clock
    kit_root: Path = KIT_ROOT


@dataclass(frozen=True)
class Verb:
    """One verb of a room: `run(inputs, tools)` answers the exit code; `inputs` is the class that `read_inputs` fills."""

    run: Callable[[Any, Tools], int]
    inputs: type[Any]
    help: str
