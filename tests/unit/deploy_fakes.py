"""A target in memory that can be killed before or after each of its acts."""
# ruff: noqa: ARG002, ARG005 - interfaces

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ci_kit.process import Completed
from ci_kit.smoke_and_rollback.conclude import conclude
from ci_kit.smoke_and_rollback.deployment import Deployment
from ci_kit.smoke_and_rollback.deployment_state import Owner, Phase, Record, Snapshot, Standing
from ci_kit.smoke_and_rollback.ending import Ending
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.judge import Verdict
from ci_kit.smoke_and_rollback.notify.event import Event
from ci_kit.smoke_and_rollback.parts import Asked, Parts, Proof
from ci_kit.smoke_and_rollback.recovery import Recovered, recover
from ci_kit.smoke_and_rollback.strategies import Strategy
from ci_kit.smoke_and_rollback.target_errors import NoCanary
from ci_kit.smoke_and_rollback.target_state import Stored, TargetState
from ci_kit.smoke_and_rollback.telling import Told


class Killed(BaseException):
    """The process is gone; no handler runs."""


@dataclass
class Clock:
    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class World:
    """What outlives a run: the release that runs, the document at the target, and who was told what.

    `good` are the releases that pass the smoke run. The act number `kill_at` is the last: `after` says on which side.
    """

    good: set[str] = field(default_factory=lambda: {"old", "new"})
    verdicts: Mapping[int, Verdict] | None = None
    command_code: int = 0
    shares: bool = True
    running: str = "old"
    share: int = 0
    text: str | None = None
    events: list[Event] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    deaf: bool = False
    kill_at: int = -1
    kill_after: bool = False
    clock: Clock = field(default_factory=Clock)

    def act(self, name: str, effect: Callable[[], Any] = lambda: None) -> Any:  # noqa: ANN401 - whatever the effect answers
        here = len(self.acts) == self.kill_at
        if here and not self.kill_after:
            self.kill_at = -1
            raise Killed
        self.acts.append(name)
        if name in self.errors:
            raise self.errors[name]
        found = effect()
        if here:
            self.kill_at = -1
            raise Killed
        return found

    def set(self, running: str, share: int = 0) -> None:
        self.running, self.share = running, share


class Store:
    where = "in memory"

    def __init__(self, world: World) -> None:
        self._world = world

    def load(self) -> Stored:
        return Stored(self._world.text, str(hash(self._world.text)))

    def save(self, text: str, version: str) -> bool:
        if version != self.load().version:
            return False

        def write() -> None:
            self._world.text = text

        self._world.act("write", write)
        return True


class Memory(Strategy):
    """The release `new` is deployed beside `old`; with shares it gets traffic by `weight`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.state = TargetState(Store(world), world.clock)

    @property
    def shares(self) -> bool:
        return self._world.shares

    def preflight(self) -> None:
        pass

    def snapshot(self) -> Snapshot:
        return Snapshot("memory", self._world.running, self._world.running, {})

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        if self._world.running == before.identity:
            return Standing.BEFORE
        return Standing.AFTER if after is None or after.identity == self._world.running else Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        if self.changed(before):
            self._world.act("rollback", lambda: self._world.set(before.identity))

    def wait(self, deadline: float) -> None:
        self._world.act("wait")

    def verify(self, before: Snapshot) -> None:
        self._world.act("verify")

    def weight(self, percent: int, before: Snapshot) -> None:
        if not self._world.shares:
            raise NoCanary("no shares", next_step="")
        self._world.act(f"weight {percent}", lambda: self._world.set(self._world.running, percent))


def owner(number: int) -> Owner:
    return Owner(f"acme/shop/{number}", 1)


def asked(**changes: Any) -> Asked:  # noqa: ANN401 - any field
    given: dict[str, Any] = {
        "release": "new", "version": "new", "commit": "c0ffee", "repository": "acme/shop", "environment": "production",
        "strategy": "memory", "steps": (10, 100), "inconclusive": "hold",
    }  # fmt: skip
    return Asked(**{**given, **changes})


def parts(world: World, run: int) -> Parts:
    def command(variables: Mapping[str, str]) -> Completed:
        assert variables["CI_KIT_RELEASE"] == "new"
        world.act("deploy", lambda: world.set("new") if world.command_code != 1 else None)
        return Completed(("deploy",), world.command_code, "", 1.0)

    def prove(version: str, new: bool) -> Proof:
        assert new == (version == "new")
        ok = world.running == version and version in world.good
        return world.act("smoke", lambda: Proof(ok, "" if ok else f"me: 503 from {world.running}"))  # type: ignore[no-any-return]

    def tell(event: Event) -> Sequence[Told]:
        world.act("tell", lambda: world.events.append(event))
        return [Told("slack", reaches_people=True, error="down" if world.deaf else "")]

    verdicts = world.verdicts
    return Parts(
        strategy=Memory(world),
        clock=world.clock,
        owner=owner(run),
        prove=prove,
        version=lambda: world.running,
        command=command,
        watch=None if verdicts is None else lambda percent: world.act(f"watch {percent}", lambda: verdicts[percent]),
        tell=tell,
        say=lambda text: None,
    )


def run_deployment(world: World, run: int = 1, wanted: Asked | None = None) -> Ending:
    """One whole run: lock, record, deploy, tell, unlock."""
    wanted, made = wanted or asked(), parts(world, run)
    state = made.strategy.state
    state.lock(made.owner, lambda _: True)
    before = made.strategy.snapshot()
    record = Record(
        Phase.PREPARED, made.owner, world.clock.now(), wanted.environment, wanted.release, before,
        can_roll_back=wanted.can_roll_back, version_before=world.running,
    )  # fmt: skip
    journal = Journal(state, record, made.owner, world.clock, made.say)
    journal.begin(Phase.PREPARED)
    ending = Deployment(made, wanted, journal, before).run()
    conclude(made, wanted, journal, ending)
    state.unlock(made.owner)
    return ending


def run_recovery(world: World, run: int = 2, wanted: Asked | None = None) -> Recovered:
    """What the next run does first."""
    made = parts(world, run)
    state = made.strategy.state
    state.lock(made.owner, lambda _: True)
    found = recover(made, wanted or asked(), state.read().record)
    state.unlock(made.owner)
    return found
