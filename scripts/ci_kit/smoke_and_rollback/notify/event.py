"""What is told, and the interface of every channel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """How a deployment ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    NOT_ROLLED_BACK = "not-rolled-back"  # bad, and its schema change is breaking
    HELD = "held"
    NOT_DEPLOYED = "not-deployed"  # the deploy command failed and changed nothing


HEADLINES = {
    Kind.PROMOTED: "{release} is live in {environment}",
    Kind.ROLLED_BACK: "{release} was bad and was taken back in {environment}",
    Kind.ROLLBACK_FAILED: "{release} is bad and could NOT be taken back in {environment}: act now",
    Kind.NOT_ROLLED_BACK: "{release} is bad and stays in {environment}, because its schema change is breaking: act now",
    Kind.HELD: "{release} waits for a person in {environment}: it is neither proven good nor bad",
    Kind.NOT_DEPLOYED: "{release} was not deployed to {environment}",
}


@dataclass(frozen=True)
class Event:
    """The end of one deployment, without any secret. `facts` are pairs of a name and a value, for people.

    `release` is a commit or the caller's other name for the release, `commit` the commit, or empty where none is known.
    `run` is the same for every attempt and every later run that tells of the same end. `drill`: the build was bad on purpose.
    """

    kind: Kind
    environment: str
    release: str
    commit: str
    repository: str
    run: str
    run_url: str
    at: datetime
    why: str
    by_hand: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    drill: bool = False

    @property
    def headline(self) -> str:
        """One line."""
        text = HEADLINES[self.kind].format(release=self.release[:12], environment=self.environment)
        name = f"{self.repository}: " if self.repository else ""
        return f"{'[drill] ' if self.drill else ''}{name}{text}"

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """All that is known, as pairs of a name and a value that is not empty."""
        rows = (
            ("Why", self.why),
            ("By hand", self.by_hand),
            *self.facts,
            ("Release", self.release),
            ("Commit", self.commit if self.commit != self.release else ""),
            ("Run", self.run_url or self.run),
        )
        return tuple((name, value) for name, value in rows if value)

    @property
    def marker(self) -> str:
        """The same for the same end of the same deployment, so that a channel can see that it has told it already."""
        parts = f"{self.kind}\n{self.repository}\n{self.environment}\n{self.release}\n{self.run}"
        return hashlib.sha256(parts.encode()).hexdigest()[:20]


class NotTold(Exception):
    """A channel could not tell; the message says why, without any secret."""


class Channel(Protocol):
    """One way of telling. `reaches_people`: somebody is called by it, who would not have to look."""

    name: str
    reaches_people: bool

    def check(self) -> None:
        """Whether it works, without telling anybody anything; raises `NotTold`."""

    def send(self, event: Event) -> None:
        """Tell it; once more does no harm where the channel can be asked what it has. Raises `NotTold`."""
