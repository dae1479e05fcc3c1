"""Find the result folders and read what they say of themselves. All of it may come from a fork: bounded and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.coverage_combine.delivery import Delivery, Problem, leg_from, manifest_from

MANIFEST_BYTES = 4_000_000
TEST_REPORT_BYTES = 200_000_000
FOLDERS = 2_000
_TEST_REPORT: dict[str, Any] = {
    "type": "object",
    "required": ["tier", "python", "shard", "attempt", "verdict"],
    "properties": {
        "tier": {"type": "string"},
        "python": {"type": "string"},
        "attempt": {"type": "integer", "minimum": 1},
        "verdict": {"type": "string"},
        "shard": {
            "type": "object",
            "required": ["index", "count"],
            "properties": {"index": {"type": "integer", "minimum": 1}, "count": {"type": "integer", "minimum": 1}},
        },
    },
}


def receive(folder: Path) -> tuple[list[Delivery], list[Problem]]:
    """Every delivery in `folder` (`<result folder>/coverage/manifest.json`), and what could not be read."""
    deliveries: list[Delivery] = []
    problems: list[Problem] = []
    places = _places(folder)
    if len(places) > FOLDERS:
        return [], [Problem(f"{len(places)} result folders; at most {FOLDERS} are read.", "Use fewer shards.")]
    for place in places:
        try:
            delivery = _delivery(place)
        except (OSError, ValueError, RecursionError) as error:
            problems.append(
                Problem(
                    f"cannot be read: {_reason(error)}.", "Re-run the job that delivered it.", f"result {place.name}"
                )
            )
        else:
            deliveries += [delivery] if delivery else []
    return deliveries, problems


def _places(folder: Path) -> list[Path]:
    found = {path.parent.parent for pattern in ("", "*/") for path in folder.glob(f"{pattern}coverage/manifest.json")}
    return sorted(found | {path.parent for pattern in ("", "*/") for path in folder.glob(f"{pattern}test.json")})


def _delivery(place: Path) -> Delivery | None:
    report, manifest = place / "test.json", place / "coverage" / "manifest.json"
    verdict = None
    data: dict[str, Any] = {}
    if report.exists():
        data = _read(report, TEST_REPORT_BYTES, _TEST_REPORT, "test report")
        verdict = data["verdict"]
    if not manifest.exists():
        # A leg that ran without measuring is only known by its test report.
        return Delivery(leg_from(data), data["attempt"], place, None, verdict)
    found = _read(manifest, MANIFEST_BYTES, schema.load("coverage-manifest"), "manifest")
    if data and (leg_from(data), data["attempt"]) != (leg_from(found), found["attempt"]):
        raise ValueError("its test report and its coverage manifest belong to different legs")
    return Delivery(leg_from(found), found["attempt"], place, manifest_from(found), verdict)


def _read(path: Path, limit: int, rule: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - a JSON Schema
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is not a regular file")
    size = path.stat().st_size
    if size > limit:
        raise ValueError(f"{path.name} has {size} bytes; at most {limit} are read")
    data = json.loads(path.read_text(encoding="utf-8"))
    schema.check(data, rule, what=what)
    if data["shard"]["index"] > data["shard"]["count"]:
        raise ValueError(f"{what}: shard {data['shard']['index']} of {data['shard']['count']}")
    found: dict[str, Any] = data
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "is nested too deeply" if isinstance(error, RecursionError) else str(error)
