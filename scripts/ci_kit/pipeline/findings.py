"""What the gate answers with: reasons for red, warnings, and every threshold with how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ci_kit.errors import Exit
from ci_kit.plan import Leg

RERUN = "Open the log of that job for the reason; when the machine was to blame, use 'Re-run failed jobs'."


class Kind(Enum):
    """Why a finding is red: the code under test said no, or the proof is missing."""

    NO = Exit.NO
    UNPROVEN = Exit.INFRASTRUCTURE


@dataclass(frozen=True)
class Finding:
    """One reason for red and what to do about it. `gate` is the gate's id (TQ-01 …) or the job's name.

    `file` and `line` place it, where a line of the repository is the reason.
    """

    kind: Kind
    gate: str
    message: str
    next_step: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Warned:
    """Something that a person should know and that makes nothing red."""

    gate: str
    message: str


@dataclass(frozen=True)
class Judged:
    """A threshold: what was found against what is wanted, and how far it is off or what is left, as shown to people.

    One that is not `binding` only warns.
    """

    gate: str
    name: str
    found: str
    wanted: str
    off: str
    holds: bool
    binding: bool = True


@dataclass(frozen=True)
class Failure:
    """A test that failed, with every leg in which it did; `message` is the first leg's.

    `why` is the class of the failure with its evidence, `reproduce` the command that shows it; both may be empty.
    """

    id: str
    legs: tuple[Leg, ...]
    message: str
    why: str = ""
    reproduce: str = ""


@dataclass(frozen=True)
class FlakyTest:
    """A test that was flaky in this run, and how often lately: `in_runs` of `runs`, this one not counted."""

    id: str
    in_runs: int = 0
    runs: int = 0


@dataclass(frozen=True)
class Verdict:
    """The answer of the gate. No findings is green.

    `quarantined` are failures that do not gate. `reasons` counts the tests that did not run by the reason given, the
    empty text for none. `trend` holds, for each remembered run and this one, test seconds and flaky tests.
    """

    findings: tuple[Finding, ...] = ()
    judged: tuple[Judged, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    flaky: tuple[FlakyTest, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[Warned, ...] = ()
    quarantined: tuple[Failure, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    trend: tuple[tuple[float, int], ...] = ()

    @property
    def exit(self) -> Exit:
        """1 when something said no; 3 when nothing did but the proof is incomplete; 0 for green."""
        kinds = {finding.kind for finding in self.findings}
        if Kind.NO in kinds:
            return Exit.NO
        return Exit.INFRASTRUCTURE if kinds else Exit.GOOD
