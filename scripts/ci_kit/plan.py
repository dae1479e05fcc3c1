"""The plan of a run: which tests run where. Made by `pipeline plan`, read by every shard and by the gate.

How a shard runs its part: it gives pytest the tier's own `paths` (none: pytest's own test paths), exactly as a plain run
would, and leaves out the files that the plan gives to *other* shards. So a shard never collects more than a plain run
(`collect_ignore`, `norecursedirs` and custom collectors keep their meaning), and what the plan did not foresee (a doctest
file, a custom collector's file) runs in shard 1, exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.inputs import Shard
from ci_kit.report import read_report, write_report
from ci_kit.service import Service

FIRST, AFTER = 1, 2


@dataclass(frozen=True)
class PlannedTier:
    """A tier with its files dealt to shards: `shards[i]` are the files of shard i + 1, as POSIX paths from the root.

    `stage` is `FIRST`, or `AFTER` for a tier that waits for the first matrix.
    """

    name: str
    shards: tuple[tuple[str, ...], ...]
    stage: int = FIRST
    paths: tuple[str, ...] = ()
    marker: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)


@dataclass(frozen=True)
class Leg:
    """One matrix leg: one shard of one tier on one Python version (as configured, such as `3.12`)."""

    tier: str
    python: str
    shard: Shard

    def __str__(self) -> str:
        return f"{self.tier} · Python {self.python} · {self.shard}"


@dataclass(frozen=True)
class Selection:
    """What one shard runs: `mine` and `others` are planned files; files in neither belong to the first shard."""

    mine: frozenset[str]
    others: frozenset[str]
    owns_unplanned: bool


@dataclass(frozen=True)
class Plan:
    """The whole run. `jobs` maps every job of the workflow to whether this run announces it.

    `attempt` is the run attempt that made the plan: whatever it announces ran in this attempt or in a later one.
    """

    name: str
    event: str
    commit: str
    tiers: tuple[PlannedTier, ...]
    pythons: tuple[str, ...]
    jobs: Mapping[str, bool] = field(default_factory=dict)
    attempt: int = 1

    def legs(self, stage: int | None = None) -> Iterator[Leg]:
        """Every leg, of one stage or of both."""
        for tier in self.tiers:
            if stage in (None, tier.stage):
                for python in self.pythons:
                    for index in range(len(tier.shards)):
                        yield Leg(tier.name, python, Shard(index + 1, len(tier.shards)))

    def tier(self, name: str) -> PlannedTier:
        """The tier called `name`; raises `CallerMistake` when the plan has none."""
        for tier in self.tiers:
            if tier.name == name:
                return tier
        known = ", ".join(tier.name for tier in self.tiers) or "none"
        raise CallerMistake(f"input tier: {name!r} is not in the plan.", next_step=f"The plan's tiers: {known}.")

    def selection(self, tier: str, shard: Shard) -> Selection:
        """What `shard` of `tier` runs; raises `CallerMistake` when the plan cuts the tier differently."""
        shards = self.tier(tier).shards
        if shard.count != len(shards):
            raise CallerMistake(
                f"input shard: {shard} does not fit the plan, which cuts {tier} into {len(shards)}.",
                next_step=f"Use one of 1/{len(shards)} to {len(shards)}/{len(shards)}, or leave the plan out.",
            )
        mine = frozenset(shards[shard.index - 1])
        others = frozenset(file for files in shards for file in files) - mine
        return Selection(mine, others, owns_unplanned=shard.index == 1)


def artifact_name(name: str, kind: str, leg: Leg, attempt: int) -> str:
    """`<name>-<kind>-<tier>-py<version>-<i>of<n>-a<attempt>`, unique over a run and its attempts."""
    return f"{name}-{kind}-{leg.tier}-py{leg.python}-{leg.shard.index}of{leg.shard.count}-a{attempt}"


def write_plan(folder: Path, plan: Plan) -> Path:
    """Write `<folder>/plan.json` (`ci-kit/plan/1`) and answer its path."""
    return write_report(
        folder,
        "plan",
        {
            "schema": "ci-kit/plan/1",
            "name": plan.name,
            "event": plan.event,
            "commit": plan.commit,
            "attempt": plan.attempt,
            "pythons": list(plan.pythons),
            "jobs": dict(plan.jobs),
            "tiers": [
                {
                    "name": tier.name,
                    "stage": tier.stage,
                    "paths": list(tier.paths),
                    "marker": tier.marker,
                    "env": dict(tier.env),
                    "services": {name: service_mapping(service) for name, service in tier.services.items()},
                    "shards": [list(files) for files in tier.shards],
                }
                for tier in plan.tiers
            ],
        },
    )


def service_mapping(service: Service) -> dict[str, Any]:
    """A service as the plan and the matrix hold it."""
    return {
        "image": service.image,
        "ports": list(service.ports),
        "env": dict(service.env),
        "options": service.options,
        "ready": service.ready,
    }


def read_plan(path: Path) -> Plan:
    """Read a plan; raises `InfrastructureFailure` when it is missing or not a plan."""
    data = read_report(path, "plan")
    return Plan(
        name=data["name"],
        event=data["event"],
        commit=data["commit"],
        pythons=tuple(data["pythons"]),
        jobs=dict(data["jobs"]),
        attempt=data.get("attempt", 1),
        tiers=tuple(
            PlannedTier(
                name=tier["name"],
                stage=tier["stage"],
                paths=tuple(tier["paths"]),
                marker=tier["marker"],
                env=tier["env"],
                services={
                    name: Service(s["image"], tuple(s["ports"]), s["env"], s["options"], s["ready"])
                    for name, s in tier["services"].items()
                },
                shards=tuple(tuple(files) for files in tier["shards"]),
            )
            for tier in data["tiers"]
        ),
    )
