"""The plan of a run: which tests run where. Made by `pipeline plan`, read by every shard and by the gate.

How a shard runs its part: it gives pytest the tier's own `paths` (none: pytest's own test paths), exactly as a plain run
would, and leaves out the files, and in a cut file the ids, that the plan gives to *other* shards. So a shard never collects more than a plain run
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
from ci_kit.share import Part, Selection, Share, select

FIRST, AFTER = 1, 2


@dataclass(frozen=True)
class PlannedTier:
    """A tier with its tests dealt to shards: `shards[i]` is the share of shard i + 1.

    `stage` is `FIRST`, or `AFTER` for a tier that waits for the first matrix.
    """

    name: str
    shards: tuple[Share, ...]
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
class Plan:
    """The whole run. `jobs` maps every job of the workflow to whether this run announces it.

    `attempt` is the run attempt that made the plan: whatever it announces ran in this attempt or in a later one. `seed`
    is the random order's for the whole run, None for the tests' own order. `billed_minutes` is what all jobs are likely
    to cost, and `history` what the plan leaned on, in words. `started` is when the plan's job began, as ISO 8601 in UTC.
    """

    name: str
    event: str
    commit: str
    tiers: tuple[PlannedTier, ...]
    pythons: tuple[str, ...]
    jobs: Mapping[str, bool] = field(default_factory=dict)
    attempt: int = 1
    seed: int | None = None
    billed_minutes: int = 0
    history: str = ""
    started: str = ""

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
        return select(shards, shard.index - 1)


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
            "started": plan.started,
            "pythons": list(plan.pythons),
            "jobs": dict(plan.jobs),
            "seed": plan.seed,
            "billed-minutes": plan.billed_minutes,
            "history": plan.history,
            "tiers": [
                {
                    "name": tier.name,
                    "stage": tier.stage,
                    "paths": list(tier.paths),
                    "marker": tier.marker,
                    "env": dict(tier.env),
                    "services": {name: service_mapping(service) for name, service in tier.services.items()},
                    "shards": [_share_mapping(share) for share in tier.shards],
                }
                for tier in plan.tiers
            ],
        },
    )


def _share_mapping(share: Share) -> dict[str, Any]:
    return {
        "files": list(share.files),
        "parts": [{"file": part.file, "ids": list(part.ids), "rest": part.rest} for part in share.parts],
        "seconds": round(share.seconds, 3),
    }


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
        attempt=data["attempt"],
        started=data.get("started", ""),
        seed=data["seed"],
        billed_minutes=data["billed-minutes"],
        history=data["history"],
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
                shards=tuple(_share(share) for share in tier["shards"]),
            )
            for tier in data["tiers"]
        ),
    )


def given_plan(path: Path) -> Plan:
    """The plan that the input `plan` names; raises `CallerMistake` when there is no such file."""
    if not path.is_file():
        raise CallerMistake(
            f"input plan: there is no file {path}.",
            next_step="Download the artifact of the job that plans before this step, or correct the input.",
        )
    return read_plan(path)


def _share(data: dict[str, Any]) -> Share:
    parts = tuple(Part(part["file"], tuple(part["ids"]), part["rest"]) for part in data["parts"])
    return Share(tuple(data["files"]), parts, data["seconds"])
