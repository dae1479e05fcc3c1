"""Coverage in the history: what is packed comes back, small; what nobody should trust is as if there were none."""

from __future__ import annotations

import base64
import json
import random
import sysconfig
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ci_kit.history import History, read_history, write_history
from ci_kit.history_coverage import CoverageRecord, FileRecord
from ci_kit.history_coverage_pack import (
    MOST_COMMITS,
    MOST_RAW_BYTES,
    add_record,
    pack,
    read_records,
    unpack,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FILE = FileRecord(10, 4, ((2, 3), (7, 7)), ((1, -1), (4, 9)))
RECORD = CoverageRecord(
    "a" * 40, "2026-01-01T00:00:00+00:00", {"src/a.py": FILE}, frozenset({"unit · Python 3.12"}), branch=True,
    python="3.12", coverage="7.10.0", components={"core": (5, 9)},
)  # fmt: skip


def commit(number: int) -> str:
    return f"{number:040x}"


def test_counts_come_from_what_is_missing() -> None:
    assert (FILE.covered_lines, FILE.covered_branches, FILE.covered, FILE.counted) == (7, 2, 9, 14)
    assert FILE.uncovered_lines() == {2, 3, 7}
    assert (RECORD.covered, RECORD.counted) == (9, 14)


@st.composite
def file_records(draw: st.DrawFn) -> FileRecord:
    missing: list[tuple[int, int]] = []
    end = 0
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=6)):
        missing.append((end + gap, end + gap + length))
        end += gap + length
    branches = draw(st.sets(st.tuples(st.integers(1, 500), st.integers(-500, 500)), max_size=6))
    uncovered = sum(last - first + 1 for first, last in missing)
    return FileRecord(
        uncovered + draw(st.integers(0, 50)), len(branches) + draw(st.integers(0, 9)), tuple(missing),
        tuple(sorted(branches)),
    )  # fmt: skip


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
RECORDS = st.builds(
    CoverageRecord,
    st.integers(0, 2**160 - 1).map(commit),
    TEXTS,
    st.dictionaries(st.sampled_from(["a.py", "b/ä.py", "b/c d.py", "e.py"]), file_records()),
    st.frozensets(TEXTS, max_size=3),
    st.booleans(),
    TEXTS,
    TEXTS,
    st.dictionaries(TEXTS, st.just((3, 7)), max_size=2),
)


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_what_is_packed_comes_back(records: list[CoverageRecord]) -> None:
    assert unpack(pack(records)) == tuple(records)
    assert read_records(pack(records)) == (tuple(records), None)


def test_the_same_commit_again_takes_the_place_of_its_record() -> None:
    packed = add_record(add_record("", RECORD), replace(RECORD, commit=commit(1)))
    again = add_record(packed, replace(RECORD, files={}))
    assert [(record.commit, record.covered) for record in unpack(again)] == [(commit(1), 9), ("a" * 40, 0)]
    other_tests = add_record(again, replace(RECORD, legs=frozenset({"slow · Python 3.12"})))
    assert [record.commit for record in unpack(other_tests)] == [commit(1), "a" * 40, "a" * 40]


def test_the_newest_commits_stay() -> None:
    packed = ""
    for number in range(MOST_COMMITS + 5):
        packed = add_record(packed, replace(RECORD, commit=commit(number)))
    assert [record.commit for record in unpack(packed)] == [commit(n) for n in range(5, MOST_COMMITS + 5)]


def test_a_history_carries_it_and_older_ones_have_none(tmp_path: Path) -> None:
    packed = add_record("", RECORD)
    path = write_history(tmp_path, History(coverage=packed))
    assert read_history(path) == (History(coverage=packed), None)
    data = json.loads(path.read_text(encoding="utf-8"))
    del data["coverage"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert read_history(path) == (History(), None)
    assert read_records("") == ((), None)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(zlib.decompress(base64.b64decode(pack([RECORD]))))
    change(data)
    return base64.b64encode(zlib.compress(json.dumps(data).encode())).decode()


def numbers(place: int, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda data: data["files"][0].__setitem__(place, value)


def of_record(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda data: data["records"][0].update(values)


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "another key": lambda d: d.update(more=1),
    "paths of another kind": lambda d: d.update(paths={}),
    "a path of another kind": lambda d: d.update(paths=[1]),
    "an empty path": lambda d: d.update(paths=[""]),
    "half a character": lambda d: d.update(paths=["\ud800"]),
    "a path twice": lambda d: d.update(paths=["a", "a"]),
    "too many records": lambda d: d.update(records=d["records"] * 41),
    "a file of another kind": lambda d: d.update(files=[{}]),
    "a file without a path": numbers(0, 1),
    "a file of true lines": numbers(1, True),
    "a file of negative lines": numbers(1, -1),
    "a file of gigantic lines": numbers(1, 10**400),
    "more uncovered than lines": numbers(3, [1, 10]),
    "more uncovered than branches": numbers(4, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    "ranges that overlap": numbers(3, [1, 1, 0, 1]),
    "ranges that go back": numbers(3, [5, 1, -2, 1]),
    "half a range": numbers(3, [1]),
    "a range of fractions": numbers(3, [1.0, 1.0]),
    "a gigantic range": numbers(3, [1, 10**9]),
    "branches that go back": numbers(4, [5, 1, -2, 1]),
    "a branch twice": numbers(4, [5, 1, 0, 1]),
    "a commit that is an option": of_record(commit="--all"),
    "a commit that is a range": of_record(commit="a" * 40 + "..HEAD"),
    "a commit of another kind": of_record(commit=7),
    "gigantic text": of_record(at="x" * 10_000),
    "half a character in a leg": of_record(legs=["\ud800"]),
    "legs of another kind": of_record(legs=[7]),
    "files that are not there": of_record(files=[0, 2]),
    "gigantic files": of_record(files=[0, 10**9]),
    "components of another kind": of_record(components={"core": 7}),
    "a component with more than all": of_record(components={"core": [8, 7]}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_records_that_cannot_be_trusted_are_none(change: Callable[[dict[str, Any]], object]) -> None:
    found, note = read_records(changed(change))
    assert found == ()
    assert note is not None
    assert note.startswith("The coverage of earlier commits cannot be used, so this run does without it: ")
    assert len(note) < 300
    assert unpack(add_record(changed(change), RECORD)) == (RECORD,)


def test_a_file_cannot_stand_twice_in_a_record() -> None:
    twice = changed(lambda d: (d["files"].append(d["files"][0]), d["records"][0].update(files=[0, 2])))
    assert read_records(twice)[1]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_a_cut_text_is_none(cut: float) -> None:
    packed = pack([RECORD])
    found, note = read_records(packed[: int(len(packed) * cut)])
    assert (found, note is None) == ((), False)
    assert read_records("é")[0] == read_records("AAAA")[0] == ()


def test_few_bytes_that_stand_for_many_are_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(10 * MOST_RAW_BYTES))).decode()
    assert read_records(bomb)[1] == (
        "The coverage of earlier commits cannot be used, so this run does without it: "
        "records that are cut off or too large."
    )
    deep = base64.b64encode(zlib.compress(b"[" * 1_000_000)).decode()
    assert read_records(deep)[1]


def test_a_record_that_could_not_be_read_again_is_refused() -> None:
    with pytest.raises(ValueError, match="more is uncovered than counts"):
        add_record("", replace(RECORD, files={"a.py": FileRecord(1, 0, ((1, 2),))}))


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_none(raw: bytes) -> None:
    for packed in (base64.b64encode(raw), base64.b64encode(zlib.compress(raw))):
        found, note = read_records(packed.decode())
        assert found == ()
        assert (note is None) == (not packed)


def real_files(most: int) -> dict[str, FileRecord]:
    """The standard library's own modules by name and layout; one function in ten is not covered, nor one branch in 20."""
    chance = random.Random(4)  # noqa: S311 - the same in every run
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, FileRecord] = {}
    for path in sorted(path for path in root.rglob("*.py") if "site-packages" not in path.parts):
        counted, branches, dark = 0, 0, False
        missing: list[tuple[int, int]] = []
        partial: list[tuple[int, int]] = []
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            head = line.split(maxsplit=1)[0] if line.strip() else "#"
            if head in {"def", "class"}:
                dark = chance.random() < 0.1
            elif dark and head[0] != "#":
                missing = [*missing[:-1], (missing[-1][0], number)] if missing and missing[-1][1] == number - 1 else [*missing, (number, number)]  # fmt: skip
            if head in {"if", "for", "while"}:
                branches += 2
                partial += [(number, number + 1)] if chance.random() < 0.05 else []
            counted += head[0] != "#"
        found[path.relative_to(root).as_posix()] = FileRecord(counted, branches, tuple(missing), tuple(partial))
    while len(found) < most:  # a distribution without its tests has fewer
        found |= {f"more/{name}": file for name, file in list(found.items())[: most - len(found)]}
    return dict(list(found.items())[:most])


def test_a_record_of_two_thousand_files_is_a_few_kilobytes() -> None:
    """Twenty commits, each with ten changed files in which everything below some line moves."""
    files = real_files(2000)
    chance = random.Random(7)  # noqa: S311 - the same in every run
    packed = add_record("", replace(RECORD, files=files))
    first = len(packed)
    for number in range(MOST_COMMITS - 1):
        for name in chance.sample(sorted(files), 10):
            old, by = files[name], chance.randint(1, 30)
            moved = tuple((start + by, end + by) for start, end in old.missing_lines)
            files = files | {name: replace(old, lines=old.lines + by, missing_lines=moved)}
        packed = add_record(packed, replace(RECORD, commit=commit(number), files=files))
    records = unpack(packed)
    assert len(records) == MOST_COMMITS
    assert records[-1].files == files
    assert records[-1].counted > 400_000
    assert len(packed) / MOST_COMMITS < 6_000
    assert (len(packed) - first) / (MOST_COMMITS - 1) < 1_000


def test_the_file_on_disk_is_no_larger_than_what_is_packed() -> None:
    packed = pack([RECORD])
    with tempfile.TemporaryDirectory() as folder:
        size = write_history(Path(folder), History(coverage=packed)).stat().st_size
    assert size < len(packed) + 100
