"""What earlier runs measured of this shard's tests: from the history that lies beside the plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ci_kit.history import NAME, read_history
from ci_kit.share import Selection


def recorded_durations(plan: Path | None, tier: str, selection: Selection) -> dict[str, float]:
    """Seconds by node id; none without a plan, and none where the history is lost (the plan says so already)."""
    if plan is None:
        return {}
    history, _ = read_history(plan.with_name(NAME))
    found = history.durations(tier)
    return {
        name: seconds for file in sorted(selection.mine) for name, seconds in _of(found.get(file, {}), file, selection)
    }


def _of(recorded: dict[str, float], file: str, selection: Selection) -> Iterator[tuple[str, float]]:
    part = selection.parts.get(file)
    for name, seconds in recorded.items():
        if part is None or (name in part.mine if part.mine is not None else name not in part.others):
            yield name, seconds
