"""How a target is taken back to the release before: each strategy is one module here, found by its name.

A strategy module has `build(options, world) -> Strategy`. A new strategy is a new module.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from ci_kit.clock import Clock
from ci_kit.errors import CallerMistake
from ci_kit.process import Runner
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.target_errors import NoCanary
from ci_kit.smoke_and_rollback.target_state import TargetState


@dataclass(frozen=True)
class World:
    """What a strategy needs of the world. `timeout_seconds`: what one command of a rollback may take.

    `environ` is what the consumer's own commands get, secrets included.
    """

    runner: Runner
    clock: Clock
    timeout_seconds: float = 60.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class Strategy(ABC):
    """One target. Every method may raise `TargetFailure` (exit 3) when the target cannot be asked.

    `repeatable`: a rollback that was begun, and left the target as the bad release had it, may be made again.
    """

    state: TargetState
    repeatable = True

    @property
    def shares(self) -> bool:
        """Whether `weight` can give a release a share of the traffic."""
        return False

    @abstractmethod
    def preflight(self) -> None:
        """Whether a rollback will be possible; called once, before anything ships. Raises a `KitError` that says why not."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """What runs now."""

    def deploy_environment(self, before: Snapshot) -> dict[str, str]:
        """Variables that tell the deploy command what runs, and where the new release goes."""
        return {"CI_KIT_IDENTITY": before.identity}

    @abstractmethod
    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """How the target stands between the two. Without `after`, whatever is not `before` is AFTER or MIDWAY."""

    def changed(self, before: Snapshot) -> bool:
        """Whether anything but `before` runs, or runs wholly."""
        return self.standing(before, None) is not Standing.BEFORE

    @abstractmethod
    def rollback(self, before: Snapshot) -> None:
        """Put `before` back by identity, or do nothing when it runs. Raises `RollbackError` with what to do by hand.

        Called again after it was interrupted, it goes on.
        """

    @abstractmethod
    def wait(self, deadline: float) -> None:
        """Until the target has done what it was told; raises `RollbackError` at `deadline` (`Clock.monotonic`)."""

    @abstractmethod
    def verify(self, before: Snapshot) -> None:
        """Ask the target whether `before` runs, and serves; raises `RollbackError`."""

    def weight(self, percent: int, before: Snapshot) -> None:
        """Give the new release `percent` of the traffic, `before` the rest; raises `NoCanary` where there are no shares."""
        raise NoCanary(
            f"{before.strategy} cannot give a release {percent} % of the traffic.",
            next_step="Remove canary.steps, or use a strategy that has weights: haproxy, command.",
        )


Build = Callable[[Options, World], Strategy]


def names() -> list[str]:
    """Every strategy."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Build:
    """The strategy of this name; raises `CallerMistake` with the names that there are."""
    if name not in names():
        raise CallerMistake(f"rollback.strategy {name!r} is not known.", next_step=f"Known are {', '.join(names())}.")
    return cast("Build", import_module(f"{__name__}.{name}").build)
