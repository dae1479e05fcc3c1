"""The exit codes of every verb, and the errors that lead to them. A check that says no is an answer, no error."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a verb answers. The numbers are a public contract (docs/exit-codes.md)."""

    GOOD = 0
    NO = 1
    CALLER = 2
    INFRASTRUCTURE = 3
    ROLLED_BACK = 10
    ROLLBACK_FAILED = 11
    INCONCLUSIVE = 12


class KitError(Exception):
    """A failure that a person must be told of: what was found, what was expected, and what to do next.

    `message` says what and where, `next_step` what to do. `file` and `line` (1-based) place the annotation.
    """

    exit = Exit.INFRASTRUCTURE

    def __init__(self, message: str, *, next_step: str, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.file = file
        self.line = line

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{place}{self.message} {self.next_step}".strip()


class CallerMistake(KitError):
    """An input, a configuration or a repository that cannot work as it is."""

    exit = Exit.CALLER


class InfrastructureFailure(KitError):
    """The network, GitHub, the runner or stored data failed; the code under test is not to blame."""

    exit = Exit.INFRASTRUCTURE
