"""What the room knows about one run of pytest: plain data, decided upon elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Outcome(StrEnum):
    """The final result of one test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


BAD = frozenset({Outcome.FAILED, Outcome.ERROR})


class Verdict(StrEnum):
    """What the shard says. `ERROR`: it could not find out."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    EMPTY = "empty"


@dataclass(frozen=True)
class Place:
    """A file as POSIX path from the workspace (absolute when outside of it), and a line from 1 when it is known."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Result:
    """One test's result. `seconds` covers set-up, call and tear-down of all attempts; `at` is where it failed.

    `detail` is the whole failure as pytest shows it, bounded; `first_failure` the message of an attempt that a later
    one made good.
    """

    id: str
    outcome: Outcome
    seconds: float
    attempts: int = 1
    worker: str = "main"
    message: str | None = None
    detail: str = ""
    first_failure: str | None = None
    place: Place | None = None
    at: Place | None = None

    @property
    def flaky(self) -> bool:
        """It failed, and passed when it was run again."""
        return self.attempts > 1 and self.outcome is Outcome.PASSED


@dataclass(frozen=True)
class Stream:
    """What pytest-reportlog's stream holds. `finished` is false when pytest never came to the end of its session."""

    results: tuple[Result, ...] = ()
    collect_errors: tuple[Result, ...] = ()
    skipped_modules: tuple[tuple[str, str], ...] = ()
    twice: tuple[str, ...] = ()
    started: bool = False
    finished: bool = False
    unreadable_lines: int = 0


@dataclass(frozen=True)
class Record:
    """What the plug-in wrote. `running` maps a process to the test it was in when it ended."""

    rootdir: str | None = None
    collected: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    running: Mapping[str, str] = field(default_factory=dict)
    disagreement: str | None = None
    conftest: Result | None = None


@dataclass(frozen=True)
class Interpreter:
    """The consumer's Python. `distributions` holds releases by normalised name, of what the kit works with."""

    path: Path
    version: str
    implementation: str
    executable: str
    prefix: Path
    in_venv: bool
    distributions: Mapping[str, str] = field(default_factory=dict)

    @property
    def minor(self) -> str:
        """Such as `3.12`."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class Ending:
    """How pytest ended. `code` is negative for a signal and None when it was not started, `why` tells why not."""

    code: int | None
    seconds: float
    timed_out: bool = False
    limit_seconds: float = 0.0
    output: str = ""
    why: str = ""
