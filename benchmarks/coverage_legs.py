"""The results of test legs with synthetic coverage, as the action `test` would have delivered them, and their plan.

Run by an interpreter that has coverage and the kit on its path: `coverage_legs.py CHECKOUT FILES SHARDS branch|line
TEMP COMMIT`. Prints the CPU seconds that each leg took to collect what it delivers.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import coverage
from ci_kit import schema
from ci_kit.inputs import Shard
from ci_kit.plan import Leg, Plan, PlannedTier, artifact_name, write_plan
from ci_kit.report import write_json
from ci_kit.share import Share
from ci_kit.test.gather import gather
from coverage_shards import Recorded, record, write_shard

MANIFEST = "coverage-manifest"


def collect(place: Path, here: Path, leg: Leg, commit: str, *, branch: bool) -> float:
    """Gather and announce one leg's data, as the action does; answers the CPU seconds of it."""
    started = time.process_time()
    gathered = gather(place, here)
    manifest = {
        "schema": f"ci-kit/{MANIFEST}/1",
        "name": "ci",
        "tier": leg.tier,
        "python": leg.python,
        "shard": {"index": leg.shard.index, "count": leg.shard.count},
        "attempt": 1,
        "commit": commit,
        "python-version": platform.python_version(),
        "coverage-version": coverage.__version__,
        "core": "ctrace",
        "branch": branch,
        "root": str(here),
        "source": ["src"],
        "sources": asdict(gathered.sources),
        "files": [asdict(file) for file in gathered.files],
        "broken": gathered.broken,
    }
    schema.check(manifest, schema.load(MANIFEST), what="coverage manifest")
    write_json(place / "manifest.json", manifest)
    return time.process_time() - started


def one(
    recorded: Sequence[Recorded], here: Path, files: int, temp: Path, commit: str, leg: Leg, *, branch: bool
) -> float:
    """What one leg measured, collected; answers the CPU seconds of collecting."""
    place = temp / "results" / artifact_name("ci", "results", leg, 1) / "coverage"
    place.mkdir(parents=True)
    write_shard(place / "coverage.main", leg.shard.index, files, recorded, branch=branch)
    return collect(place, here, leg, commit, branch=branch)


def main() -> None:
    """Make all legs and the plan that announces them."""
    here, files, shards, branch = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "branch"
    temp, commit = Path(sys.argv[5]), sys.argv[6]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    tier = PlannedTier("unit", (Share((), (), 1.0),) * shards)
    write_plan(temp, Plan("ci", "default-branch", commit, (tier,), (python,)))
    with tempfile.TemporaryDirectory() as scratch:
        recorded = record(Path(scratch).resolve() / "shapes", branch=branch)
    legs = [Leg(tier.name, python, Shard(index, shards)) for index in range(1, shards + 1)]
    with ProcessPoolExecutor() as pool:
        took = list(pool.map(partial(one, recorded, here, files, temp, commit, branch=branch), legs))
    print(json.dumps(took))


if __name__ == "__main__":
    main()
