"""What a leg delivered, as data: which leg it is, and coverage's manifest beside its data files."""

from __future__ import annotations

from typing import Any

from ci_kit import schema
from ci_kit.report import write_json
from ci_kit.test.gather import DataFile, Gathered
from ci_kit.test.shard_run import ShardRun


def write_manifest(run: ShardRun, gathered: Gathered, lost: int) -> None:
    """Announce what was gathered; `lost` processes left nothing. Without measuring there is nothing to announce."""
    if run.measuring is None:
        return
    data = {
        "schema": "ci-kit/coverage-manifest/1",
        "name": run.name,
        **leg_json(run),
        "commit": run.checked_out,
        "python-version": run.python.version,
        "coverage-version": run.measuring.version,
        "core": run.measuring.core.name,
        "branch": run.measuring.branch,
        "root": str(run.root),
        "source": list(run.measuring.source),
        "sources": _file(gathered.sources),
        "files": files_json(gathered),
        "broken": lost,
    }
    schema.check(data, schema.load("coverage-manifest"), what="coverage manifest")
    write_json(run.data_folder / "manifest.json", data)


def leg_json(run: ShardRun) -> dict[str, Any]:
    """Which leg, in a report."""
    return {
        "tier": run.leg.tier,
        "python": run.leg.python,
        "shard": {"index": run.leg.shard.index, "count": run.leg.shard.count},
        "attempt": run.attempt,
    }


def files_json(gathered: Gathered) -> list[dict[str, Any]]:
    """The data files with their digests."""
    return [_file(file) for file in gathered.files]


def _file(file: DataFile) -> dict[str, Any]:
    return {"name": file.name, "sha256": file.sha256, "bytes": file.bytes}
