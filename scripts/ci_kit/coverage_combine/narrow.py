"""The default branch as a pull request will measure it: by the tiers and Pythons of `depth.pull-request` alone.

The default branch runs more than a pull request does. A pull request held against all of that would be worse by whatever
it did not run, so the history remembers this part too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.config import Config
from ci_kit.coverage_combine import reports
from ci_kit.coverage_combine.combined import Combined
from ci_kit.coverage_combine.numbers import FileCoverage
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.result_json import file_json
from ci_kit.coverage_combine.settings import Settings
from ci_kit.depth import pythons_of, tiers_of
from ci_kit.errors import KitError
from ci_kit.history_coverage import leg_name
from ci_kit.project import Project


@dataclass(frozen=True)
class Narrow:
    """Coverage by some of the legs; `legs` as `leg_name` gives them."""

    legs: frozenset[str]
    files: tuple[FileCoverage, ...]

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {"legs": sorted(self.legs), "files": [file_json(file) for file in self.files]}


def legs_of_pull_requests(proven: Sequence[Proven], config: Config, project: Project) -> tuple[Proven, ...]:
    """The legs that a pull request runs too; none when those are all of them."""
    tiers = {tier.name for tier in tiers_of(config, "pull-request")}
    pythons = set(pythons_of(config, project, "pull-request"))
    mine = tuple(leg for leg in proven if leg.delivery.leg.tier in tiers and leg.delivery.leg.python in pythons)
    return mine if len(mine) < len(proven) else ()


def measure_narrow(proven: Sequence[Proven], here: Path, scratch: Path, settings: Settings) -> Narrow | None:
    """Combine and analyse these legs alone, `inside` the checkout `here`; None where they have nothing to tell."""
    if not any(leg.measured for leg in proven):
        return None
    pythons = [leg.delivery.leg.python for leg in proven]
    folder = scratch / "narrow"
    folder.mkdir()
    combined = Combined(here, folder / "combined", settings)
    try:
        combined.combine(proven)
        files = reports.analyse(combined, folder, pythons).files
    except KitError:  # all legs together were sound, so these are too small a part: it decides nothing in this run
        return None
    legs = frozenset(leg_name(leg.delivery.leg.tier, leg.delivery.leg.python) for leg in proven)
    return Narrow(legs, files)
