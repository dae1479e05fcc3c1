"""What one plain collection of all tests found, in the environment of the lint job: the other side of the union proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.pipeline.evidence import MOST_BYTES, printable
from ci_kit.report import read_report


@dataclass(frozen=True)
class TierCollection:
    """The test ids of one tier, and those that its marker or the project's own hooks took out."""

    collected: frozenset[str]
    deselected: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Collection:
    """By tier; a tier whose collection failed is absent. `lint_seconds` is what the lint commands took."""

    tiers: Mapping[str, TierCollection] = field(default_factory=dict)
    lint_seconds: float | None = None


def read_collection(folder: Path, name: str, commit: str) -> Collection | None:
    """The newest `lint.json` below `folder` for this call and commit; None when there is none that can be read.

    What is missing here is no finding: the result of the lint job speaks for itself.
    """
    newest: dict[str, Any] | None = None
    for path in sorted([*folder.glob("lint.json"), *folder.glob("*/lint.json")]):
        try:
            if path.is_symlink() or path.stat().st_size > MOST_BYTES:
                continue
            data = read_report(path, "lint")
        except (InfrastructureFailure, OSError):
            continue
        wanted = data.get("name") == name and data.get("commit") == commit
        if wanted and (newest is None or newest["attempt"] < data["attempt"]):
            newest = data
    if newest is None:
        return None
    tiers = {
        printable(tier["tier"]): TierCollection(frozenset(tier["collected"]), frozenset(tier["deselected"]))
        for tier in newest["collection"]
        if tier["collected"] is not None
    }
    return Collection(tiers, sum(command["seconds"] or 0.0 for command in newest["commands"]))
