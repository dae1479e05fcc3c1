"""The laws of dealing tests to shards."""

from __future__ import annotations

from typing import Any

from ci_kit.discovery import TestFile
from ci_kit.share import Selection, Share, select
from ci_kit.split import FILE_SECONDS, deal, longest_seconds, mean_seconds, works
from hypothesis import example, given
from hypothesis import strategies as st

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
SECONDS = st.floats(1e-6, 1e4) | st.sampled_from([0.001, 1.0, 1000.0])
Suite = tuple[list[TestFile], dict[str, dict[str, float]]]


@st.composite
def suites(draw: st.DrawFn) -> Suite:
    """Files with a record, without one, with tests beyond it, and records of files that are gone."""
    files, recorded = [], {}
    for path in draw(st.lists(NAMES, max_size=12, unique=True)):
        ids = draw(st.lists(NAMES, max_size=20, unique=True))
        if ids:
            recorded[path] = {f"{path}::T{at // 4}::{name}": draw(SECONDS) for at, name in enumerate(ids)}
        if not ids or draw(st.integers(0, 9)):
            files.append(TestFile(path, draw(st.integers(1, 40)) if not ids else len(ids) + draw(st.integers(0, 5))))
    return files, recorded


def loads(shares: tuple[Share, ...]) -> list[float]:
    return [share.seconds for share in shares]


def runs(selection: Selection, file: str, test: str) -> bool:
    """As the plug-in decides."""
    part = selection.parts.get(file)
    if part is None:
        return file in selection.mine or (selection.owns_unplanned and file not in selection.others)
    return test not in part.others if part.mine is None else test in part.mine


@given(suite=suites(), count=st.integers(1, 12), news=st.data())
def test_every_test_runs_in_exactly_one_shard(suite: Suite, count: int, news: st.DataObject) -> None:
    """Those with a record, new ones in any file, and those of files that the plan does not know."""
    files, recorded = suite
    shares = deal(files, recorded, count)
    assert len(shares) == count
    selections = [select(shares, index) for index in range(count)]
    for file in [*(file.path for file in files), "of nothing"]:
        for test in [*recorded.get(file, ()), news.draw(NAMES), "new"]:
            assert sum(runs(selection, file, test) for selection in selections) == 1, (file, test)


@given(suite=suites(), count=st.integers(1, 12))
def test_files_and_parts_are_a_partition(suite: Suite, count: int) -> None:
    files, recorded = suite
    shares = deal(files, recorded, count)
    whole = [file for share in shares for file in share.files]
    parts = [part for share in shares for part in share.parts]
    assert len(set(whole)) == len(whole)
    assert {*whole} | {part.file for part in parts} == {file.path for file in files}
    for file in {part.file for part in parts}:
        assert file not in whole
        mine = [part for part in parts if part.file == file]
        assert len(mine) > 1
        assert sum(part.rest for part in mine) == 1
        assert sorted(test for part in mine for test in part.ids) == sorted(recorded[file])
        order = list(recorded[file])
        for part in mine:
            places = [order.index(test) for test in part.ids]
            assert places == sorted(places)
    for share in shares:
        assert len(set(share.every_file)) == len(share.every_file)


@given(suite=suites(), count=st.integers(1, 12), random=st.randoms())
def test_the_order_of_the_files_does_not_matter(suite: Suite, count: int, random: Any) -> None:  # noqa: ANN401
    files, recorded = suite
    shuffled, records = list(files), list(recorded.items())
    random.shuffle(shuffled)
    random.shuffle(records)
    assert deal(shuffled, dict(records), count) == deal(files, recorded, count)


@given(suite=suites(), count=st.integers(1, 12))
@example(([TestFile("a", 2)], {"a": {"a::1": 1.0, "a::2": 1.0}}), 2)
def test_the_slowest_shard_is_within_the_bound_of_lpt(suite: Suite, count: int) -> None:
    """LPT never exceeds the mean by more than its longest piece (Graham 1969), and a piece is never longer than what
    cannot be cut or the smallest chunk.
    """
    files, recorded = suite
    found = works(files, recorded)
    total = sum(work.seconds for work in found)
    uncut = max((w.seconds for w in found if len(w.recorded) + (w.unrecorded > 0) < 2), default=0.0)
    chunk = max(longest_seconds(found), total / count / 32, uncut)
    opened = FILE_SECONDS * (len(files) + 2 * 32 * count)
    assert max(loads(deal(files, recorded, count))) <= total / count + chunk + opened + 1e-6


@given(suite=suites(), count=st.integers(1, 12))
def test_the_seconds_of_all_shares_are_those_of_the_tests_and_of_the_opened_files(suite: Suite, count: int) -> None:
    files, recorded = suite
    shares = deal(files, recorded, count)
    opened = sum(len(share.every_file) for share in shares)
    total = sum(work.seconds for work in works(files, recorded)) + FILE_SECONDS * opened
    assert abs(sum(loads(shares)) - total) <= 1e-6 * max(1.0, total)


@given(suite=suites(), count=st.integers(1, 6))
def test_a_test_that_takes_longer_makes_the_slowest_shard_no_faster_than_it(suite: Suite, count: int) -> None:
    files, recorded = suite
    known = [file.path for file in files if file.path in recorded]
    if known:
        test = next(iter(recorded[known[0]]))
        slower = {**recorded, known[0]: {**recorded[known[0]], test: 1e6}}
        assert max(loads(deal(files, slower, count))) >= 1e6


def test_a_file_is_cut_at_the_end_of_a_class_where_that_costs_nothing() -> None:
    tests = {f"a.py::T{number // 10}::test_{number}": 1.0 for number in range(30)}
    first, second, third = deal([TestFile("a.py", 30)], {"a.py": tests}, 3)
    for share in (first, second, third):
        [part] = share.parts
        assert len({test.rpartition("::")[0] for test in part.ids}) == 1
    assert [share.parts[0].rest for share in (first, second, third)].count(True) == 1


def test_nothing_is_cut_when_whole_files_do() -> None:
    recorded = {f"{n}.py": {f"{n}.py::a": 1.0, f"{n}.py::b": 1.0} for n in range(8)}
    assert not any(share.parts for share in deal([TestFile(file, 2) for file in recorded], recorded, 4))


def test_what_has_no_record_takes_the_mean_of_all_and_in_a_known_file_about_that_of_the_file() -> None:
    recorded = {"slow.py": {f"slow.py::{n}": 9.0 for n in range(9)}, "fast.py": {"fast.py::a": 1.0}}
    assert mean_seconds(recorded) == 8.2
    found = {
        w.path: w for w in works([TestFile("new.py", 3), TestFile("slow.py", 10), TestFile("fast.py", 1)], recorded)
    }
    assert abs(found["new.py"].seconds - 3 * 8.2) < 1e-9
    assert abs(found["slow.py"].unrecorded - (81 + 8.2) / 10) < 1e-9
    assert found["fast.py"].unrecorded == 0
