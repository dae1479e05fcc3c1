"""What the plan job tells the shards about affected tests: `selection.json` (`ci-kit/selection/1`) beside `plan.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.affected import Affected
from ci_kit.errors import InfrastructureFailure
from ci_kit.report import read_report, write_report

FILE_NAME = "selection.json"
FIRST, ONLY, ALL = "affected-first", "affected", "all"


@dataclass(frozen=True)
class TestChoice:
    """`select` is the configuration's `test.select`; without effect (`ALL`) where every test has to run in any order.

    `record` are the Python versions whose shards record the map. `environments` are those in which the map holds.
    """

    select: str = ALL
    record: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    tiers: Mapping[str, Affected] = field(default_factory=dict)

    __test__ = False

    @property
    def leaves_out(self) -> bool:
        """Whether this run may leave tests out, so that its coverage is not the project's."""
        return self.select == ONLY and any(tier.unaffected for tier in self.tiers.values())

    def task(self, tier: str, python: str) -> dict[str, object]:
        """The keys of the plug-in's task for a shard of `tier` on `python`."""
        found = self.tiers.get(tier)
        unaffected = sorted(found.unaffected) if found is not None and self.select != ALL else []
        return {
            "unaffected": unaffected,
            "environments": list(self.environments) if unaffected else [],
            "only": self.select == ONLY,
            "changed": sorted(found.changed) if found is not None else [],
            "record-map": python in self.record,
        }

    def sentence(self, tier: str) -> str:
        """For the summary: how many tests are chosen and why; empty when nothing is to be said."""
        found = self.tiers.get(tier)
        if found is None or self.select == ALL:
            return ""
        if found.all:
            return f"All tests of {tier} count as affected: {found.reason}."
        what = "run, with tests that are new" if self.select == ONLY else "run first"
        known = len(found.tests) + len(found.unaffected)
        return f"{len(found.tests)} of {known} known tests of {tier} are affected and {what}: {found.reason}."


def write_choice(folder: Path, choice: TestChoice) -> Path:
    """Write `<folder>/selection.json`."""
    return write_report(
        folder,
        "selection",
        {
            "schema": "ci-kit/selection/1",
            "select": choice.select,
            "record": list(choice.record),
            "environments": list(choice.environments),
            "tiers": {name: _tier(found) for name, found in choice.tiers.items()},
        },
    )


def _tier(found: Affected) -> dict[str, Any]:
    return {
        "all": found.all,
        "reason": found.reason,
        "affected": sorted(found.tests),
        "unaffected": sorted(found.unaffected),
        "changed": sorted(found.changed),
    }


def read_choice(plan: Path | None) -> TestChoice:
    """What stands beside the plan; when it is not there or cannot be read, every test runs and nothing is recorded."""
    path = plan.with_name(FILE_NAME) if plan is not None else None
    if path is None or not path.is_file():
        return TestChoice()
    try:
        data = read_report(path, "selection")
    except InfrastructureFailure:
        return TestChoice()
    return TestChoice(
        select=data["select"],
        record=tuple(data["record"]),
        environments=tuple(data["environments"]),
        tiers={
            name: Affected(
                tier["all"],
                tier["reason"],
                frozenset(tier["affected"]),
                frozenset(tier["unaffected"]),
                frozenset(tier["changed"]),
            )
            for name, tier in data["tiers"].items()
        },
    )
