"""Decide what a failed installation means: whose fault it is, and what to do next."""

from __future__ import annotations

import re

from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.process import Completed
from ci_kit.setup_and_cache.choose import Choice, Source
from ci_kit.setup_and_cache.recipe import Step
from ci_kit.uv import is_network_failure, last_lines

_STALE = re.compile(
    r"needs to be updated, but `?--locked|pyproject\.toml changed significantly|poetry\.lock is not up to date"
    r"|lock ?file (doesn't|does not) (satisfy|match)",
    re.IGNORECASE | re.DOTALL,
)
_RELOCK = {Source.UV: "uv lock", Source.POETRY: "poetry lock", Source.PDM: "pdm lock", Source.PYLOCK: "your locker"}
_DISK = re.compile(r"no space left on device|os error 28|disk quota exceeded", re.IGNORECASE)
_UV_VERSION = re.compile(r"required uv version", re.IGNORECASE)
_HASH = re.compile(r"hash mismatch", re.IGNORECASE)


def explain(step: Step, done: Completed, choice: Choice) -> KitError:
    """The error for a command that ended with another code than 0."""
    text = done.output
    said = f"{step.what} failed:\n{last_lines(text)}\n"
    if done.timed_out:
        return InfrastructureFailure(
            f"{step.what} took longer than {done.seconds:.0f} s.",
            next_step="Re-run the job, or raise the input timeout.",
        )
    if _DISK.search(text):
        return InfrastructureFailure(said, next_step="The disk is full; free some space and re-run the job.")
    if _HASH.search(text):
        return InfrastructureFailure(
            said,
            next_step="The index gave a file that is not the one in the lock. Do not install it before you know why; "
            "if the file was replaced on purpose, lock again.",
        )
    if is_network_failure(text):
        return InfrastructureFailure(
            said, next_step="The package index did not answer, also when asked again; re-run the job later."
        )
    if choice.source in _RELOCK and _STALE.search(text):
        lock, relock = choice.lock, _RELOCK[choice.source]
        return CallerMistake(
            f"{lock} does not match pyproject.toml any more.",
            next_step=f"Run `{relock}` and commit the lock.",
            file=None if lock.startswith("..") else lock,
        )
    if _UV_VERSION.search(text):
        return CallerMistake(said, next_step="Set the input uv-version to a version that the project accepts.")
    if step.preparing:
        return InfrastructureFailure(
            said,
            next_step="The project is not to blame. If your index is a mirror, make sure that it has these versions, as "
            "wheels: the kit builds nothing of its own.",
        )
    return CallerMistake(said, next_step="The lines above say which package or setting it is; mend it in the project.")
