"""What a deployment is made of: passed in, so that its course can be tested without a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ci_kit.clock import Clock
from ci_kit.process import Completed
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.judge import Verdict
from ci_kit.smoke_and_rollback.notify.event import Event
from ci_kit.smoke_and_rollback.spec import Inconclusive
from ci_kit.smoke_and_rollback.strategies import Strategy
from ci_kit.smoke_and_rollback.telling import Told


@dataclass(frozen=True)
class Proof:
    """What a smoke run found; `why` has no full stop."""

    ok: bool
    why: str


@dataclass(frozen=True)
class Asked:
    """What the caller wants. `version` is what the release must say of itself; `steps` are percentages, the last 100."""

    release: str
    version: str
    commit: str
    repository: str
    environment: str
    strategy: str
    steps: tuple[int, ...] = (100,)
    inconclusive: Inconclusive = "hold"
    can_roll_back: bool = True
    rollback_seconds: float = 60.0
    drill: bool = False


@dataclass(frozen=True)
class Parts:
    """The world of a deployment.

    `prove` runs the smoke test and expects the release to say this version; the flag is true for the new release, which may
    have no traffic yet. `version` is what the release that runs now
    says, empty when it does not answer. `command` is the deploy command, with variables that are added. `watch` judges
    the release while it has this percentage of the traffic; None: there is nothing to watch.
    """

    strategy: Strategy
    clock: Clock
    owner: Owner
    prove: Callable[[str, bool], Proof]
    version: Callable[[], str]
    command: Callable[[Mapping[str, str]], Completed]
    watch: Callable[[int], Verdict] | None
    tell: Callable[[Event], Sequence[Told]]
    say: Callable[[str], None]
