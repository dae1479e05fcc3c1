"""Gather what the processes of a shard wrote about their tests' dependencies into one file of the results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ci_kit.report import write_text

FILE_NAME = "footprints.json"


def gather_footprints(records: Iterable[Path], folder: Path, tier: str) -> int:
    """Write `<folder>/footprints.json` when there is anything; answers how many processes it holds.

    `records` are the plug-in's record folders. What cannot be read is left out: its tests are then not in the map.
    """
    processes = []
    for record in records:
        for path in sorted(record.glob("footprints-*.json")):
            try:
                processes.append(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
    if processes:
        data = {"schema": "ci-kit/footprints/1", "tier": tier, "processes": processes}
        write_text(folder / FILE_NAME, json.dumps(data, separators=(",", ":")))
    return len(processes)
