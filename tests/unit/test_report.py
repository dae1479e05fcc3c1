from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from ci_kit import report
from ci_kit.errors import InfrastructureFailure
from hypothesis import given, settings
from hypothesis import strategies as st

PLAN = {
    "schema": "ci-kit/plan/1", "name": "ci", "event": "other", "commit": "abc", "attempt": 1, "pythons": ["3.12"],
    "jobs": {"test": True}, "seed": None, "billed-minutes": 3, "history": "",
    "tiers": [{"name": "unit", "stage": 1, "paths": [], "marker": None, "env": {}, "services": {},
               "shards": [{"files": ["a.py"], "parts": [], "seconds": 0.2}]}],
}  # fmt: skip


def test_reports_are_in_the_runners_temporary_folder(tmp_path: Path) -> None:
    assert report.report_folder({"RUNNER_TEMP": str(tmp_path)}) == tmp_path / "ci-kit"
    assert (tmp_path / "ci-kit").is_dir()


def test_reports_are_beside_the_project_on_a_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.report_folder({}) == tmp_path / ".ci-kit"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "ci-kit").write_text("in the way")
    with pytest.raises(InfrastructureFailure, match="cannot make the folder"):
        report.report_folder({"RUNNER_TEMP": str(tmp_path)})


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    report.write_text(path, "old")

    def full(_draft: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InfrastructureFailure, match="No space left on device"):
        report.write_text(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_report_can_be_read_by_everyone(tmp_path: Path) -> None:
    report.write_text(tmp_path / "deep" / "a.txt", "x")
    assert (tmp_path / "deep" / "a.txt").stat().st_mode & 0o777 == 0o644


@settings(max_examples=30)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_comes_back_as_it_was(data: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    report.write_json(path, data)
    assert json.loads(path.read_text(encoding="utf-8")) == data


def test_a_report_is_held_against_its_schema_before_it_is_written(tmp_path: Path) -> None:
    path = report.write_report(tmp_path, "plan", PLAN)
    assert path == tmp_path / "plan.json"
    assert report.read_report(path, "plan") == PLAN
    with pytest.raises(ValueError, match=r"report plan: pythons: expected"):
        report.write_report(tmp_path, "plan", {**PLAN, "pythons": "3.12"})
    assert report.read_report(path, "plan") == PLAN


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "ci-kit/plan/2"}', "[" * 100_000, "\udcff"])
def test_what_is_no_report_is_corrupt_data_not_a_defect(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InfrastructureFailure, match=r"plan.json in .* is not a readable plan report"):
        report.read_report(path, "plan")


def test_a_missing_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureFailure, match="not a readable plan report"):
        report.read_report(tmp_path / "plan.json", "plan")


def test_a_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()

    report.write_text(pipe, "whole")

    reader.join(10)
    assert read == ["whole"]
    assert pipe.is_fifo()
