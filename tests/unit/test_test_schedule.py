from __future__ import annotations

import json
from pathlib import Path

import pytest
from ci_kit.test.schedule import read_schedule

GOOD = {"units": 7, "cut": [{"file": "a.py", "pieces": 3}], "lower-bound": 10.0, "makespan": 10.5, "workers": 4}


def write(folder: Path, data: object) -> Path:
    (folder / "schedule.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return folder


def test_what_is_reported_and_said(tmp_path: Path) -> None:
    found = read_schedule(write(tmp_path, GOOD))
    assert found is not None
    assert found.as_json() == {
        "lower-bound": 10.0, "makespan": 10.5, "ratio": 1.05, "units": 7, "cut": [{"file": "a.py", "pieces": 3}],
    }  # fmt: skip
    achieved, cut = found.sentences()
    assert "10.5 s on 4 workers, 1.05 times the least possible for these 7 units" in achieved
    assert "a.py (3 pieces)" in cut
    whole = read_schedule(write(tmp_path, GOOD | {"cut": []}))
    assert whole is not None
    assert len(whole.sentences()) == 1


@pytest.mark.parametrize(
    "data", ["{", "[]", {}, GOOD | {"workers": "x"}, GOOD | {"lower-bound": 0}, GOOD | {"cut": [1]}]
)
def test_what_is_no_schedule(tmp_path: Path, data: object) -> None:
    assert read_schedule(tmp_path) is None
    assert read_schedule(write(tmp_path, data)) is None
