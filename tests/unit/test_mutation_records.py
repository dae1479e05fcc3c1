"""What runs leave for later ones, and what of it can be read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ci_kit.selective_mutation import records
from ci_kit.selective_mutation.cache import Cache
from ci_kit.selective_mutation.cache_check import is_covering, is_entry
from ci_kit.selective_mutation.cache_merge import merged
from ci_kit.selective_mutation.records import (
    MOST_RUNS,
    FileRecord,
    Held,
    Records,
    RunRecord,
    read_records,
    to_json,
    write_records,
)

A, B = "a" * 16, "b" * 16
FILE = FileRecord(critical=True, own=Held(8, 10, frozenset({A, B})), pending=1, held=Held(9, 9))
RUN = RunRecord("7", 1, "c" * 40, "2026-11-23T01:00:00+00:00", 8, 10, 60.5, 20.25, {"app/jwt.py": FILE})
COSTS = {"app/jwt.py": {"decode": (10, 4.5), "": (1, 0.5)}}
SOME = Records((RUN,), COSTS)


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = write_records(tmp_path, SOME)
    assert read_records(path) == (SOME, "")


def test_without_a_file_there_are_none_and_that_is_said(tmp_path: Path) -> None:
    found, why = read_records(tmp_path / "records.json")
    assert found == Records()
    assert why.startswith("no earlier run has left a record")


def changed(**run: object) -> str:
    data = to_json(SOME)
    data["runs"][0].update(run)
    return json.dumps(data)


def file_with(**values: object) -> str:
    data = to_json(SOME)
    data["runs"][0]["files"]["app/jwt.py"].update(values)
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({**to_json(SOME), "schema": "ci-kit/mutation-records/2"}),
        json.dumps({**to_json(SOME), "more": 1}),
        json.dumps({**to_json(SOME), "costs": {"a.py": {"f": [0, 1]}}}),
        json.dumps({**to_json(SOME), "costs": {"a.py": {"f": [1]}}}),
        json.dumps({**to_json(SOME), "costs": {"\ud800": {"f": [1, 1]}}}),
        changed(seconds=float("nan")),
        changed(commit="main"),
        changed(detected=11),
        changed(at="yesterday"),
        file_with(undetected="a b"),
        file_with(undetected=A),
        file_with(detected=-1),
        file_with(held={"detected": 3, "valid": 2, "undetected": ""}),
    ],
)
def test_what_is_damaged_foreign_or_of_another_schema_is_as_if_there_were_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(text, encoding="utf-8")
    found, why = read_records(path)
    assert found == Records()
    assert why.startswith("what earlier runs left cannot be used (")


def test_a_link_and_a_file_that_is_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_records(tmp_path, SOME)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert read_records(link)[0] == Records()
    monkeypatch.setattr(records, "MOST_BYTES", 100)
    assert "larger than" in read_records(path)[1]


def test_their_number_and_size_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Records()
    for number in range(MOST_RUNS + 5):
        found = found.with_run(replace(RUN, run=str(number)), COSTS)
    assert [run.run for run in found.runs] == [str(number) for number in range(5, MOST_RUNS + 5)]
    monkeypatch.setattr(records, "MOST_BYTES", 3000)
    read, why = read_records(write_records(tmp_path, found))
    assert why == ""
    assert read.runs == found.runs[-len(read.runs) :]
    assert 1 <= len(read.runs) < MOST_RUNS


def test_another_attempt_takes_the_place_of_the_first_and_what_is_gone_is_forgotten() -> None:
    again = SOME.with_run(replace(RUN, attempt=2), {"app/jwt.py": {"decode": (12, 6.0)}})
    assert [run.attempt for run in again.runs] == [2]
    assert again.costs == {"app/jwt.py": {"decode": (12, 6.0), "": (1, 0.5)}}
    assert SOME.with_run(replace(RUN, run="8", files={"b.py": FILE}), {}).costs == {"b.py": {}}


COVERING: dict[str, Any] = {
    "of": "1",
    "environment": "2",
    "files": {"m.py": "3"},
    "sources": {"m.py": "x = 1\n"},
    "trusted": [["fork", 0]],
    "answer": {
        "tests": [{"id": "t.py::a", "file": "t.py", "seconds": 0.1}],
        "scopes": ["t.py"],
        "modules": [],
        "others": [],
        "unforkable": "",
        "start-seconds": 0.1,
        "lines": {"m.py": {"t0": "2", "s0": "4", "": "f"}},
    },
}


def with_answer(**values: object) -> dict[str, Any]:
    return {**COVERING, "answer": {**COVERING["answer"], **values}}


def test_a_covering_must_fit_together() -> None:
    assert is_covering(COVERING)
    broken: list[object] = [
        None,
        [],
        {},
        {**COVERING, "of": 1},
        {**COVERING, "files": []},
        {**COVERING, "sources": {"m.py": None}},
        {**COVERING, "trusted": [["fork"]]},
        {**COVERING, "answer": []},
        with_answer(tests=None),
        with_answer(tests=[{"id": 1, "file": "t.py", "seconds": 0}]),
        with_answer(tests=[{"id": "a", "file": "t.py", "seconds": True}]),
        with_answer(tests=[]),
        with_answer(scopes=[1]),
        with_answer(scopes=[]),
        with_answer(lines=[]),
        with_answer(lines={"m.py": []}),
        with_answer(lines={"m.py": {"t1": "2"}}),
        with_answer(lines={"m.py": {"x0": "2"}}),
        with_answer(lines={"m.py": {"t-1": "2"}}),
        with_answer(lines={"m.py": {"t0": "0x2"}}),
        with_answer(**{"start-seconds": -1}),
    ]
    assert [each for each in broken if is_covering(each)] == []


def test_entries_that_are_none_are_left_out(tmp_path: Path) -> None:
    survived = {"status": "survived", "around": "1", "of-tests": "2", "tests": ["a"]}
    good: dict[str, dict[str, Any]] = {"one": {"status": "killed", "killer": "a"}, "two": survived}
    bad: dict[str, Any] = {
        "3": [],
        "4": {"status": "killed"},
        "5": {"status": "no-coverage"},
        "6": {**survived, "tests": [1]},
        "7": {**survived, "around": None},
    }
    assert all(map(is_entry, good.values()))
    file = tmp_path / "cache.json"
    Cache(good | bad, {"of": "nothing else"}).write(file)
    assert Cache.read(file) == Cache(good, None)


def test_caches_of_several_jobs_become_one() -> None:
    other: dict[str, Any] = {
        **COVERING,
        "sources": {"n.py": "y = 1\n"},
        "answer": {**COVERING["answer"], "lines": {"n.py": {"t0": "2"}}},
    }
    one: dict[str, Any] = {"status": "killed", "killer": "a"}
    found = merged([Cache({"1": one}, COVERING), Cache({"2": one}, other)])
    assert found.entries.keys() == {"1", "2"}
    assert found.covering is not None
    assert found.covering["sources"].keys() == found.covering["answer"]["lines"].keys() == {"m.py", "n.py"}
    assert is_covering(found.covering)
    assert merged([Cache({"1": one}, COVERING), Cache({}, {**other, "of": "another checkout"})]).covering is None
    assert merged([Cache(), Cache()]) == Cache()
