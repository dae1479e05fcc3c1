"""Find the result folders and read what they say of themselves. All of it may come from a fork: bounded and checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.coverage_combine.delivery import Delivery, Problem, leg_from, manifest_from
from ci_kit.plan import Leg

MANIFEST_BYTES = 4_000_000
TEST_REPORT_BYTES = 200_000_000
FOLDERS = 2_000
_TEST_REPORT: dict[str, Any] = {
    "type": "object",
    "required": ["name", "tier", "python", "shard", "attempt", "verdict"],
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "tier": {"type": "string", "maxLength": 100},
        "python": {"type": "string", "maxLength": 40},
        "attempt": {"type": "integer", "minimum": 1},
        "verdict": {"type": "string", "maxLength": 40},
        "shard": {
            "type": "object",
            "required": ["index", "count"],
            "properties": {
                "index": {"type": "integer", "minimum": 1},
                "count": {"type": "integer", "minimum": 1, "maximum": 256},
            },
        },
    },
}


@dataclass(frozen=True)
class Received:
    """What is in the folder: the call's own deliveries, the names of other calls, and what could not be read."""

    deliveries: tuple[Delivery, ...]
    others: tuple[str, ...]
    problems: tuple[Problem, ...]


def receive(folder: Path, name: str) -> Received:
    """Every delivery of the call `name` in `folder` (`<result folder>/coverage/manifest.json`).

    Several calls in one job share the folder of results; each combines only its own.
    """
    deliveries: list[Delivery] = []
    others: set[str] = set()
    problems: list[tuple[str, Problem]] = []
    places = _places(folder)
    if len(places) > FOLDERS:
        problem = Problem(f"{len(places)} result folders; at most {FOLDERS} are read.", "Use fewer shards.")
        return Received((), (), (problem,))
    for place in places:
        try:
            of, delivery = _delivery(place, name)
        except (OSError, ValueError, RecursionError) as error:
            said = f"cannot be read: {_reason(error)}."
            problems.append((place.name, Problem(said, "Re-run the job that delivered it.", f"result {place.name}")))
            continue
        if delivery is None:
            others.add(of)
        else:
            deliveries.append(delivery)
    replaced = {(stem, number) for each in deliveries for stem, number in [_attempt(each.folder.name)] if stem}
    left = (problem for name, problem in problems if not _is_replaced(_attempt(name), replaced))
    return Received(tuple(deliveries), tuple(sorted(others)), tuple(left))


def _attempt(name: str) -> tuple[str, int]:
    """The name of a result folder without its attempt, and the attempt; an empty name when it has none."""
    stem, mark, number = name.rpartition("-a")
    return (stem, int(number)) if mark and re.fullmatch(r"[0-9]{1,6}", number) else ("", 0)


def _is_replaced(broken: tuple[str, int], sound: set[tuple[str, int]]) -> bool:
    """A later attempt of the same job delivered what can be read, so what the earlier one left does not matter."""
    stem, attempt = broken
    return any(stem and stem == name and number > attempt for name, number in sound)


def _places(folder: Path) -> list[Path]:
    found = {path.parent.parent for pattern in ("", "*/") for path in folder.glob(f"{pattern}coverage/manifest.json")}
    return sorted(found | {path.parent for pattern in ("", "*/") for path in folder.glob(f"{pattern}test.json")})


def _delivery(place: Path, name: str) -> tuple[str, Delivery | None]:
    """The name of the call that delivered, and its delivery when that is the call `name`."""
    report, manifest = place / "test.json", place / "coverage" / "manifest.json"
    verdict = None
    data: dict[str, Any] = {}
    if report.exists():
        data = _read(report, TEST_REPORT_BYTES, _TEST_REPORT, "test report")
        verdict = data["verdict"]
        if data["name"] != name:
            return data["name"], None
    if not manifest.exists():
        # A leg that ran without measuring is only known by its test report.
        return name, Delivery(leg_from(data), data["attempt"], place, None, verdict)
    found = _read(manifest, MANIFEST_BYTES, schema.load("coverage-manifest"), "manifest")
    if data and _origin(data) != _origin(found):
        raise ValueError("its test report and its coverage manifest belong to different legs")
    if found["name"] != name:
        return found["name"], None
    return name, Delivery(leg_from(found), found["attempt"], place, manifest_from(found), verdict)


def _origin(data: dict[str, Any]) -> tuple[str, Leg, int]:
    return data["name"], leg_from(data), data["attempt"]


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
