"""How well the workers were used, from what the plug-in's scheduler measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """One run on xdist workers. `lower_bound_seconds` is max(sum / workers, longest unit) of the measured durations.

    A unit is what stays together on one worker. `cut` holds the files that were cut, with the number of their pieces.
    """

    workers: int
    units: int
    cut: tuple[tuple[str, int], ...]
    lower_bound_seconds: float
    makespan_seconds: float

    @property
    def ratio(self) -> float:
        """Achieved against the bound: 1 is perfect."""
        return self.makespan_seconds / self.lower_bound_seconds

    def as_json(self) -> dict[str, Any]:
        """For `test.json`."""
        return {
            "lower-bound": round(self.lower_bound_seconds, 3),
            "makespan": round(self.makespan_seconds, 3),
            "ratio": round(self.ratio, 4),
            "units": self.units,
            "cut": [{"file": file, "pieces": pieces} for file, pieces in self.cut],
        }

    def sentences(self) -> list[str]:
        """For the summary."""
        achieved = f"The tests took {self.makespan_seconds:.1f} s on {self.workers} workers"
        said = [f"{achieved}, {self.ratio:.2f} times the least possible for these {self.units} units."]
        if self.cut:
            files = ", ".join(f"{file} ({pieces} pieces)" for file, pieces in self.cut[:5])
            more = ", …" if len(self.cut) > 5 else ""
            said.append(
                f"Longer than one worker's fair share, so cut over workers: {files}{more}. "
                "`test.scope: module` keeps modules whole."
            )
        return said


def read_schedule(record: Path) -> Schedule | None:
    """None without xdist, with the consumer's own scheduler, and where not every test ran."""
    try:
        data: Mapping[str, Any] = json.loads((record / "schedule.json").read_text(encoding="utf-8"))
        found = Schedule(
            int(data["workers"]),
            int(data["units"]),
            tuple((str(cut["file"]), int(cut["pieces"])) for cut in data["cut"]),
            float(data["lower-bound"]),
            float(data["makespan"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.lower_bound_seconds > 0 else None
