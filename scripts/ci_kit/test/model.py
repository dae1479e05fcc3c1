"""What the room knows about one run of pytest: plain data, decided upon elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


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


class Failing(StrEnum):
    """What kind of failure a test has, found out after the run (`ci_kit.test.diagnosis`)."""

    FLAKY = "flaky"
    ORDER_DEPENDENT = "order-dependent"
    PARALLEL_UNSAFE = "parallel-unsafe"
    CRASHED = "crashed"
    HUNG = "hung"
    REAL = "real"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True)
class Finding:
    """The class of a failure, what it was seen from as a sentence, and the tests that reproduce it in this order.

    `workers` 0: without xdist. `polluter` is the test that it fails after, or that it needs before it. Empty `ids`: the
    whole shard has to run again.
    """

    failing: Failing
    evidence: str
    ids: tuple[str, ...] = ()
    workers: int = 0
    polluter: str | None = None


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
    phases: Mapping[str, float] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    crashed: bool = False
    finding: Finding | None = None
    quarantined: bool = False

    @property
    def flaky(self) -> bool:
        """It failed, and passed when it was run again, in the run itself or afterwards."""
        again = self.attempts > 1 and self.outcome is Outcome.PASSED
        return again or (self.finding is not None and self.finding.failing is Failing.FLAKY)

    @property
    def gates(self) -> bool:
        """Whether it makes the shard red."""
        return self.outcome in BAD and not self.quarantined


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
    """What the plug-in wrote. `running` maps a process to the test it was in when it ended, `running_since` the test to
    when it was started (seconds of the wall clock).

    `order` holds, for each process, the tests in the order in which they were started; `stacks`, for a test in which its
    process was stopped, the stacks of all threads then; `hung` the tests that were ended at the time limit of a test, in seconds; `unstable` ids
    differ from process to process. `cut` tells, for files cut over shards, what was kept and what was left to others.
    `not_selected` are tests that the change cannot reach and that were left out therefore; `choice_note` says why the map of
    affected tests was not used.
    """

    rootdir: str | None = None
    collected: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()
    not_selected: tuple[str, ...] = ()
    choice_note: str = ""
    places: Mapping[str, Place] = field(default_factory=dict)
    running: Mapping[str, str] = field(default_factory=dict)
    running_since: Mapping[str, float] = field(default_factory=dict)
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stacks: Mapping[str, str] = field(default_factory=dict)
    hung: Mapping[str, float] = field(default_factory=dict)
    unstable: tuple[str, ...] = ()
    disagreement: str | None = None
    not_shuffled: str = ""
    cut: Mapping[str, Any] = field(default_factory=dict)
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
