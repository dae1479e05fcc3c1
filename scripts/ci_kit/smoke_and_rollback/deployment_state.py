"""What a deployment leaves at its target, and what the next run makes of it. Pure: nothing here touches anything.

A record is written before each act. Whatever kills a run, the next one finds the act that was begun, by whom and when,
asks the target how it stands, and `next_step` says what is left to do. No release is rolled back twice: an attempt that
was begun is finished only where the target shows that it had no effect, or that it stopped halfway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

SCHEMA = "ci-kit/deployment-state/1"


@dataclass(frozen=True)
class Snapshot:
    """What runs at the target. `identity` is one line for people and for comparison.

    `artifact` names the release itself (image digests, a directory), so that it can be quarantined; None when the
    target cannot tell. `details` is JSON, understood only by the strategy that made it, without secrets.
    """

    strategy: str
    identity: str
    artifact: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {
            "strategy": self.strategy, "identity": self.identity, "artifact": self.artifact,
            "details": dict(self.details),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Snapshot:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        return cls(str(data["strategy"]), str(data["identity"]), data["artifact"], dict(data["details"]))


@dataclass(frozen=True)
class Owner:
    """A run: `run` is the same for every attempt of it (`org/repo/123456`), `attempt` counts its re-runs from 1."""

    run: str
    attempt: int
    url: str = ""
    actor: str = ""

    def __str__(self) -> str:
        by = f" by {self.actor}" if self.actor else ""
        return f"{self.url or self.run} (attempt {self.attempt}{by})"

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {"run": self.run, "attempt": self.attempt, "url": self.url, "actor": self.actor}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Owner:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        return cls(str(data["run"]), int(data["attempt"]), str(data["url"]), str(data["actor"]))


class Phase(StrEnum):
    """The act that was about to begin when the record was written."""

    PREPARED = "prepared"  # locked and remembered; nothing touched yet
    DEPLOYING = "deploying"  # the deploy command
    SMOKING = "smoking"  # the deploy command has ended; the release is being asked
    CANARY = "canary"  # weights are raised step by step
    HELD = "held"  # inconclusive: left as it is for a person
    PROMOTING = "promoting"  # proven good; it gets all the traffic
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling-back"
    RESTORED = "restored"  # the rollback has ended; the release before is being asked
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"


UNPROVEN = frozenset({Phase.DEPLOYING, Phase.SMOKING, Phase.CANARY})
ENDED = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK})


@dataclass(frozen=True)
class Record:
    """One deployment. `release` is the caller's name for it (a commit); `after` is what it put at the target.

    `after` is None until the deploy command has ended. `told`: somebody was notified of the end. `can_roll_back` is
    false with `schema: breaking`. `version_before`: what the release before said of itself; empty when it did not answer.
    """

    phase: Phase
    owner: Owner
    since: datetime
    environment: str
    release: str
    before: Snapshot | None = None
    after: Snapshot | None = None
    can_roll_back: bool = True
    told: bool = False
    why: str = ""
    version_before: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {
            "phase": str(self.phase),
            "owner": self.owner.to_json(),
            "since": self.since.isoformat(),
            "environment": self.environment,
            "release": self.release,
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
            "can-roll-back": self.can_roll_back,
            "told": self.told,
            "why": self.why,
            "version-before": self.version_before,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        before, after = data["before"], data["after"]
        return cls(
            phase=Phase(data["phase"]),
            owner=Owner.from_json(data["owner"]),
            since=datetime.fromisoformat(data["since"]),
            environment=str(data["environment"]),
            release=str(data["release"]),
            before=None if before is None else Snapshot.from_json(before),
            after=None if after is None else Snapshot.from_json(after),
            can_roll_back=bool(data["can-roll-back"]),
            told=bool(data["told"]),
            why=str(data["why"]),
            version_before=str(data["version-before"]),
        )


class Standing(StrEnum):
    """How the target stands, as its strategy sees it."""

    BEFORE = "before"  # as the snapshot before the deployment says
    AFTER = "after"  # as the deployment left it, or changed and nobody remembers how the deployment left it
    MIDWAY = "midway"  # a rollback that was begun and stopped
    FOREIGN = "foreign"  # neither: somebody else has changed it since


class Action(StrEnum):
    """What is left to do."""

    ROLL_BACK = "roll-back"
    VERIFY = "verify"  # restored, but not proven yet
    PROMOTE = "promote"
    TELL = "tell"


@dataclass(frozen=True)
class Nothing:
    """A new deployment may begin."""

    why: str


@dataclass(frozen=True)
class Finish:
    """The earlier deployment is finished first, by `action`."""

    action: Action
    why: str


@dataclass(frozen=True)
class Explain:
    """A person must decide; nothing is touched. `by_hand` says what to do."""

    why: str
    by_hand: str


Next = Nothing | Finish | Explain


def next_step(record: Record | None, standing: Standing, *, repeatable: bool) -> Next:
    """What a run that holds the lock must do about the record that it found.

    `repeatable`: a rollback of this strategy that left no trace may be done again (false for the consumer's commands).
    """
    if record is None:
        return Nothing("no deployment was recorded here")
    began = f"{record.owner} was {record.phase} release {record.release} since {record.since.isoformat()}"
    if record.phase is Phase.PREPARED:
        return Nothing(f"{began}, and had not touched the target")
    if record.phase in ENDED:
        return Nothing(f"{began}") if record.told else Finish(Action.TELL, f"{began}, and nobody was told")
    if record.phase is Phase.HELD:
        return _held(standing, began)
    if record.phase is Phase.ROLLBACK_FAILED:
        return _after_a_failed_rollback(record, standing, began)
    if standing is Standing.FOREIGN:
        return Explain(
            f"{began}; since then somebody else has changed the target",
            "Check what runs there, bring the target into the state that you want, then clear the record.",
        )
    if record.phase in UNPROVEN:
        return _unproven(record, standing, began)
    if record.phase is Phase.PROMOTING:
        if standing is Standing.BEFORE:
            return Nothing(f"{began}, and the release before runs again")
        return Finish(Action.PROMOTE, f"{began}: it had been proven good")
    return _rollback_begun(record, standing, began, repeatable=repeatable)


def _held(standing: Standing, began: str) -> Next:
    if standing is Standing.BEFORE:
        return Nothing(f"{began}, and the release before runs again")
    return Explain(
        f"{began}: the evidence was inconclusive, and it waits for a person",
        "Look at the release; then give it all the traffic or put the release before back, and clear the record.",
    )


def _after_a_failed_rollback(record: Record, standing: Standing, began: str) -> Next:
    if standing in {Standing.BEFORE, Standing.FOREIGN}:
        return Nothing(f"{began}, and somebody has put another release there since")
    before = "the release before" if record.before is None else record.before.identity
    return Explain(
        f"{began}: {record.why or 'the reason was not recorded'}; it is tried only once",
        f"Put {before} back by hand, or deploy a good release by hand; then run this again.",
    )


def _unproven(record: Record, standing: Standing, began: str) -> Next:
    if standing is Standing.BEFORE:
        return Nothing(f"{began}, and the target is as it was before")
    if not record.can_roll_back:
        return Explain(
            f"{began}; it was never proven good, and its schema change is breaking, so nothing is rolled back",
            "Deploy a release that works with the new schema, then clear the record.",
        )
    return Finish(Action.ROLL_BACK, f"{began}; it runs, and was never proven good")


def _rollback_begun(record: Record, standing: Standing, began: str, *, repeatable: bool) -> Next:
    if standing is Standing.BEFORE:
        return Finish(Action.VERIFY, f"{began}; the release before is back, and not proven yet")
    if record.phase is Phase.RESTORED:
        return Explain(
            f"{began}: the release before was back, and the bad one runs again",
            "Somebody deployed it again. Put the release before back by hand, then clear the record.",
        )
    if repeatable or standing is Standing.MIDWAY:
        return Finish(Action.ROLL_BACK, f"{began}; the attempt did not get to its end")
    before = "the release before" if record.before is None else record.before.identity
    return Explain(
        f"{began}; whether the attempt had an effect cannot be told, and it is not made twice",
        f"Check what runs there; put {before} back by hand, then clear the record.",
    )
