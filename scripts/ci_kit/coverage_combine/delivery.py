"""What the test legs delivered, and whether it is what was announced. Nothing here reads the data itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ci_kit.inputs import Shard
from ci_kit.plan import Leg

OLDEST_COVERAGE = 7
EMPTY = "empty"


@dataclass(frozen=True)
class Announced:
    """A data file as its manifest announces it."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """`coverage/manifest.json`: what one leg measured and where.

    `root` is the workspace at measuring time; `sources` the list of the measured sources' digests; `broken` counts
    processes whose data the leg lost.
    """

    root: str
    commit: str
    branch: bool
    coverage_version: str
    source: tuple[str, ...]
    files: tuple[Announced, ...]
    sources: Announced
    broken: int = 0


@dataclass(frozen=True)
class Delivery:
    """The result folder of one leg. `verdict` is that of its tests, None when it did not say."""

    leg: Leg
    attempt: int
    folder: Path
    manifest: Manifest | None
    verdict: str | None = None


@dataclass(frozen=True)
class Problem:
    """Why there is no number. `where` is the leg's name, None when it is about all of them."""

    message: str
    next_step: str
    where: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.message} {self.next_step}" if self.where else f"{self.message} {self.next_step}"


@dataclass(frozen=True)
class Chosen:
    """The deliveries that count, one a leg, with what speaks against them and what a reader should know."""

    deliveries: tuple[Delivery, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def manifest_from(data: Mapping[str, Any]) -> Manifest:
    """A manifest from its JSON, which must have passed the schema."""
    return Manifest(
        root=data["root"],
        commit=data["commit"],
        branch=data["branch"],
        coverage_version=data["coverage-version"],
        source=tuple(data["source"]),
        files=tuple(_announced(file) for file in data["files"]),
        sources=_announced(data["sources"]),
        broken=data.get("broken", 0),
    )


def _announced(data: Mapping[str, Any]) -> Announced:
    return Announced(data["name"], data["sha256"], data["bytes"])


def leg_from(data: Mapping[str, Any]) -> Leg:
    """The leg that a manifest or a test report belongs to."""
    return Leg(data["tier"], data["python"], Shard(data["shard"]["index"], data["shard"]["count"]))


def rerun(leg: Leg | str) -> str:
    """The step that brings a leg's data."""
    return f"Re-run the job of {leg}."


def choose(found: Sequence[Delivery], announced: Collection[Leg] | None, commit: str) -> Chosen:
    """Pick the highest attempt of each leg and hold all of them against what was announced.

    `announced` None: the legs themselves say how many shards there are. `commit` is the checkout's, empty when unknown.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    best: dict[Leg, Delivery] = {}
    for delivery in sorted(found, key=lambda d: (_order(d.leg), d.attempt, d.folder)):
        before = best.get(delivery.leg)
        if before is not None and before.attempt == delivery.attempt:
            both = f"{before.folder.name} and {delivery.folder.name}"
            problems.append(
                Problem(
                    f"delivered attempt {delivery.attempt} twice ({both}).",
                    "Give every call of the workflow a name of its own.",
                    str(delivery.leg),
                )
            )
        elif before is not None:
            notes.append(f"{delivery.leg}: attempt {delivery.attempt} replaces attempt {before.attempt}.")
        best[delivery.leg] = delivery
    wanted = set(announced) if announced is not None else _implied(best.values())
    notes += [
        f"{leg}: left out, because the plan does not announce it." for leg in sorted(set(best) - wanted, key=_order)
    ]
    problems += [Problem("delivered nothing.", rerun(leg), str(leg)) for leg in sorted(wanted - set(best), key=_order)]
    chosen = [best[leg] for leg in sorted(wanted & set(best), key=_order)]
    for delivery in chosen:
        problems += _against(delivery)
    problems += _one_commit(chosen, commit)
    problems += _one_mode(chosen)
    notes += [
        f"{d.leg}: its tests ended with the verdict {d.verdict!r}; what they did not run is not covered."
        for d in chosen
        if d.verdict not in {None, "passed", EMPTY}
    ]
    return Chosen(tuple(chosen), tuple(problems), tuple(notes))


def _order(leg: Leg) -> tuple[str, tuple[str, ...], int, int]:
    return (leg.tier, tuple(part.zfill(3) for part in leg.python.split(".")), leg.shard.count, leg.shard.index)


def _implied(deliveries: Collection[Delivery]) -> set[Leg]:
    """Every shard that a delivered one counts; of several counts in one tier, that of the latest attempt."""
    latest: dict[tuple[str, str], Delivery] = {}
    for delivery in deliveries:
        key = (delivery.leg.tier, delivery.leg.python)
        if key not in latest or delivery.attempt > latest[key].attempt:
            latest[key] = delivery
    return {
        replace(delivery.leg, shard=Shard(index, delivery.leg.shard.count))
        for delivery in latest.values()
        for index in range(1, delivery.leg.shard.count + 1)
    }


def _against(delivery: Delivery) -> list[Problem]:
    manifest, where = delivery.manifest, str(delivery.leg)
    if manifest is None:
        if delivery.verdict == EMPTY:
            return []
        return [Problem("delivered test results but no coverage manifest.", rerun(delivery.leg), where)]
    if not manifest.files and delivery.verdict != EMPTY:
        return [Problem("measured nothing: its manifest names no data file.", rerun(delivery.leg), where)]
    if manifest.broken:
        who = "a process that was" if manifest.broken == 1 else f"{manifest.broken} processes that were"
        return [Problem(f"lost the coverage of {who} killed.", rerun(delivery.leg), where)]
    major = manifest.coverage_version.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST_COVERAGE:
        return [
            Problem(
                f"was measured with coverage {manifest.coverage_version}, whose paths and branches are recorded otherwise.",
                f"Use coverage {OLDEST_COVERAGE} or newer in the tests' environment.",
                where,
            )
        ]
    return []


def _one_commit(chosen: Sequence[Delivery], commit: str) -> list[Problem]:
    known = [(d, d.manifest.commit) for d in chosen if d.manifest is not None and d.manifest.commit]
    if not known:
        return []
    reference, what = (commit, "the checkout is at") if commit else (known[0][1], f"{known[0][0].leg} measured")
    return [
        Problem(f"measured commit {found[:12]}; {what} {reference[:12]}.", rerun(delivery.leg), str(delivery.leg))
        for delivery, found in known
        if found != reference
    ]


def _one_mode(chosen: Sequence[Delivery]) -> list[Problem]:
    modes = {branch: [d for d in chosen if d.manifest and d.manifest.branch is branch] for branch in (True, False)}
    if not modes[True] or not modes[False]:
        return []
    listed = " and ".join(
        f"{'with' if branch else 'without'} branches {', '.join(str(d.leg) for d in modes[branch])}"
        for branch in (True, False)
    )
    return [Problem(f"line and branch data cannot be added: {listed}.", "Set [run] branch once, for all tiers.")]
