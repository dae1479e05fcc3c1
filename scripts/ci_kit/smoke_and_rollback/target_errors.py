"""What can go wrong at a target, each with the exit code that the run ends with."""

from __future__ import annotations

from ci_kit.errors import Exit, KitError


class RollbackError(KitError):
    """The release before could not be put back; `next_step` says what a person must do."""

    exit = Exit.ROLLBACK_FAILED


class TargetBusy(KitError):
    """Another run holds the target's lock."""

    exit = Exit.INFRASTRUCTURE


class LostLock(KitError):
    """This run no longer holds the lock that it took: it must not touch the target any more."""

    exit = Exit.INFRASTRUCTURE


class TargetFailure(KitError):
    """The target could not be asked, or answered something that cannot be understood."""

    exit = Exit.INFRASTRUCTURE


class NoCanary(KitError):
    """The strategy cannot send a share of the traffic to a release."""

    exit = Exit.CALLER
