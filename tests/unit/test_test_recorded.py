"""What a shard knows of its tests' durations."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.history import History, Run, write_history
from ci_kit.history_merge import Heard, merge
from ci_kit.share import PartSelection, Selection
from ci_kit.test.recorded import recorded_durations

TIMES = {
    "a.py::one": 1.0,
    "a.py::two": 2.0,
    "b.py::one": 3.0,
    "cut.py::one": 4.0,
    "cut.py::two": 5.0,
    "cut.py::new": 6.0,
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan's place, with the history of `TIMES` beside it."""
    run = Run("1", 1, "c" * 40, "2026-01-01T00:00:00+00:00", "default-branch", 60.0)
    heard = Heard(
        tier="unit", python="3.12", shard=1, collected=[(test, test.partition("::")[0]) for test in TIMES],
        times={test: (0.0, seconds, 0.0) for test, seconds in TIMES.items()}, failed=frozenset(), flaky=frozenset(), whole=True, seconds=60.0,
    )  # fmt: skip
    write_history(tmp_path, merge(History(), run, [heard], {"unit": True}))
    return tmp_path / "plan.json"


def selection(*mine: str, **parts: PartSelection) -> Selection:
    return Selection(
        frozenset(mine),
        frozenset({"other.py"}),
        owns_unplanned=True,
        parts={f"{name}.py": part for name, part in parts.items()},
    )


def test_the_durations_of_this_shards_files(plan: Path) -> None:
    assert recorded_durations(plan, "unit", selection("a.py", "new.py")) == {"a.py::one": 1.0, "a.py::two": 2.0}
    assert recorded_durations(plan, "e2e", selection("a.py")) == {}


def test_of_a_cut_file_only_this_shards_part(plan: Path) -> None:
    named = PartSelection(frozenset({"cut.py::one"}))
    rest = PartSelection(None, frozenset({"cut.py::one"}))
    assert recorded_durations(plan, "unit", selection("cut.py", cut=named)) == {"cut.py::one": 4.0}
    assert recorded_durations(plan, "unit", selection("cut.py", cut=rest)) == {"cut.py::two": 5.0, "cut.py::new": 6.0}


def test_without_a_plan_or_with_a_broken_history(plan: Path) -> None:
    assert recorded_durations(None, "unit", selection("a.py")) == {}
    plan.with_name("history.json").write_text("{")
    assert recorded_durations(plan, "unit", selection("a.py")) == {}
