"""The history: what a merge keeps, its laws, and what becomes of a file that nobody should trust."""

from __future__ import annotations

import base64
import json
import math
import statistics
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ci_kit.history import MOST_RUNS, NAME, History, Ledger, Run, read_history, write_history
from ci_kit.history_merge import Heard, merge
from ci_kit.history_samples import FLOOR_SECONDS, LONGEST_SECONDS, SLOTS, median, pack, typical, unpack
from hypothesis import given
from hypothesis import strategies as st

FILE = "tests/test_a.py"
A, B, C = (f"{FILE}::test_{letter}" for letter in "abc")


def run(number: int = 1, attempt: int = 1) -> Run:
    return Run(str(number), attempt, "c" * 40, "2026-01-01T00:00:00+00:00", "default-branch", 60.0)


def heard(took: Mapping[str, float], **more: Any) -> Heard:  # noqa: ANN401 - any field
    """A job whose tests took so many seconds, all of them in their calls."""
    usual = Heard(
        tier="unit",
        python="3.12",
        shard=1,
        collected=[(test, test.partition("::")[0]) for test in took],
        times={test: (0.0, seconds, 0.0) for test, seconds in took.items()},
        failed=frozenset(),
        flaky=frozenset(),
        whole=True,
        seconds=sum(took.values()),
    )
    return replace(usual, **more)


def merged(*runs: Heard, whole: bool = True, history: History | None = None) -> History:
    """One run after the other."""
    found = history or History()
    for job in runs:
        found = merge(found, run(len(found.runs) + 1), [job], {"unit": whole})
    return found


def test_the_median_of_the_last_runs_counts() -> None:
    history = merged(*[heard({A: seconds}) for seconds in (50.0, 60.0, 1.0, 2.0, 9.0, 3.0, 4.0)])
    assert history.durations("unit") == {FILE: {A: 3.0}}
    assert SLOTS == 5


def test_set_up_call_and_tear_down_are_apart() -> None:
    """A single slow set-up and a single slow call in different runs are both outliers."""
    jobs = [heard({A: 1.0}, times={A: times}) for times in ((0.1, 1.0, 0.2), (9.0, 1.0, 0.2), (0.1, 8.0, 0.2))]
    assert merged(*jobs).durations("unit")[FILE][A] == pytest.approx(1.3 + 7.0)
    many = merged(*jobs, *[heard({A: 1.0}, times={A: (0.1, 1.0, 0.2)})] * 2)
    assert many.durations("unit")[FILE][A] == pytest.approx(1.3)


def test_a_fixture_that_another_test_pays_in_each_run_is_not_lost() -> None:
    """In a random order the first test of a module pays its fixture: each test's own median is free of it."""
    jobs = [
        heard({A: 1.0, B: 1.0, C: 1.0}, times={test: (6.0 if test == payer else 0.0, 1.0, 0.0) for test in (A, B, C)})
        for payer in (A, B, C, A, B)
    ]
    found = merged(*jobs).durations("unit")[FILE]
    assert sum(found.values()) == pytest.approx(9.0, abs=0.01)
    assert max(found.values()) == pytest.approx(3.0, abs=0.01)


def test_nothing_is_free_and_nothing_takes_for_ever() -> None:
    found = merged(heard({A: 0.0, B: 1e9})).durations("unit")[FILE]
    assert found == {A: FLOOR_SECONDS, B: LONGEST_SECONDS}


def test_of_several_pythons_the_slowest_counts() -> None:
    jobs = [heard({A: 1.0}, python="3.11"), heard({A: 3.0}, python="3.12"), heard({A: 2.0}, python="3.13")]
    assert merge(History(), run(), jobs, {"unit": True}).durations("unit") == {FILE: {A: 3.0}}


def test_tests_that_a_whole_collection_no_longer_found_are_dropped() -> None:
    history = merged(heard({A: 1.0, B: 1.0}), heard({B: 1.0, C: 2.0}))
    assert history.durations("unit") == {FILE: {B: 1.0, C: 2.0}}
    assert merged(heard({"x.py::t": 1.0}), history=history).durations("unit") == {"x.py": {"x.py::t": 1.0}}


@pytest.mark.parametrize("broken", [{"whole": False}, {}])
def test_a_run_that_was_not_whole_updates_only_what_it_ran(broken: dict[str, bool]) -> None:
    history = merged(heard({A: 1.0, B: 1.0, "x.py::t": 1.0}))
    found = merged(heard({B: 3.0}, **broken), whole=bool(broken), history=history)
    assert found.durations("unit") == {FILE: {A: 1.0, B: 2.0}, "x.py": {"x.py::t": 1.0}}


def test_a_failed_test_keeps_its_old_times() -> None:
    history = merged(heard({A: 1.0}), heard({A: 9.0}, times={}, failed=frozenset({A})))
    assert history.durations("unit") == {FILE: {A: 1.0}}
    assert history.ledger("unit") == {A: Ledger(2, 0, 1)}


def test_the_ledger_forgets_old_runs_and_tests_that_are_gone() -> None:
    history = merged(heard({A: 1.0, B: 1.0}, flaky=frozenset({A}), failed=frozenset({B})))
    for _ in range(MOST_RUNS - 1):
        history = merged(heard({A: 1.0}), history=history)
    assert history.ledger("unit") == {A: Ledger(20, 1, 0)}
    assert merged(heard({A: 1.0}), history=history).ledger("unit") == {}
    assert len(history.runs) == MOST_RUNS


def test_a_tier_that_is_no_longer_run_is_dropped() -> None:
    history = merge(merged(heard({A: 1.0})), run(2), [heard({A: 1.0}, tier="slow")], {"slow": True})
    assert set(history.tiers) == {"slow"}


def test_new_tests_stand_where_they_were_collected() -> None:
    """A cut file: no shard saw all of it, and one was not heard."""
    x, y, z = (f"{FILE}::test_{letter}" for letter in "xyz")
    history = merged(heard({A: 1.0, B: 1.0, C: 1.0}))
    jobs = [heard({A: 1.0, x: 1.0, y: 1.0}), heard({B: 1.0, z: 1.0}, shard=2)]
    found = merge(history, run(9), jobs, {"unit": False})
    assert list(found.durations("unit")[FILE]) == [A, x, y, B, z, C]


def test_a_job_that_saw_the_whole_file_knows_its_order() -> None:
    assert list(merged(heard({A: 1.0, B: 1.0}), heard({B: 1.0, A: 1.0})).durations("unit")[FILE]) == [B, A]


TESTS = [f"{file}::test_{number}" for file in ("a.py", "b/c.py") for number in range(4)]
SECONDS = st.floats(0, 1000)
JOBS = st.lists(
    st.builds(
        lambda python, shard, times, bad, whole: heard(
            times, python=python, shard=shard, failed=frozenset(bad) & times.keys(), whole=whole
        ),
        st.sampled_from(["3.11", "3.12"]),
        st.integers(1, 3),
        st.dictionaries(st.sampled_from(TESTS), SECONDS, max_size=6),
        st.sets(st.sampled_from(TESTS)),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda job: (job.python, job.shard),
)


@given(runs=st.lists(st.tuples(JOBS, st.booleans()), min_size=1, max_size=4), data=st.data())
def test_the_order_of_jobs_does_not_matter_and_a_run_counts_once(
    runs: list[tuple[list[Heard], bool]], data: st.DataObject
) -> None:
    one = other = History()
    for number, (jobs, whole) in enumerate(runs):
        one = merge(one, run(number), jobs, {"unit": whole})
        other = merge(other, run(number), data.draw(st.permutations(jobs)), {"unit": whole})
        assert one == other
        assert merge(one, run(number), jobs, {"unit": whole}) is one
    assert merge(one, run(0, attempt=2), [], {"unit": False}) != one
    ran = {test for jobs, _ in runs for job in jobs for test in job.times}
    for file, tests in one.durations("unit").items():
        assert set(tests) <= ran
        assert all(test.startswith(file) and seconds >= FLOOR_SECONDS for test, seconds in tests.items())


@given(JOBS)
def test_what_is_written_is_read_again(jobs: list[Heard]) -> None:
    history = merge(History(), run(), jobs, {"unit": True})
    with tempfile.TemporaryDirectory() as folder:
        found, note = read_history(write_history(Path(folder), history))
    assert note is None
    assert found.durations("unit") == history.durations("unit")
    assert found.ledger("unit") == history.ledger("unit")
    assert [one.key for one in found.runs] == ["1-1"]


@given(st.lists(st.lists(st.tuples(SECONDS, SECONDS, SECONDS), max_size=SLOTS).map(tuple), max_size=8))
def test_recorded_times_survive_packing_to_a_tenth_of_a_millisecond(tests: list[tuple[tuple[float, ...], ...]]) -> None:
    for was, now in zip(tests, unpack(pack(tests), len(tests)), strict=True):  # type: ignore[arg-type]
        assert len(was) == len(now)
        for one, other in zip(was, now, strict=True):
            assert one == pytest.approx(other, abs=0.000051)


@given(st.lists(SECONDS, min_size=1, max_size=9))
def test_the_median_is_the_usual_one(values: list[float]) -> None:
    assert median(values) == pytest.approx(statistics.median(values))


def test_the_size_grows_with_the_tests_and_not_with_the_runs(tmp_path: Path) -> None:
    job = heard({f"a.py::test_{number}": number / 7 for number in range(500)}, flaky=frozenset({"a.py::test_1"}))
    sizes = []
    history = History()
    for number in range(60):
        history = merge(history, run(number), [job], {"unit": True})
        sizes.append(write_history(tmp_path, history).stat().st_size)
    assert sizes[-1] <= sizes[MOST_RUNS] * 1.01
    assert typical([]) == []


def test_a_missing_history_is_none(tmp_path: Path) -> None:
    assert read_history(None) == read_history(tmp_path / NAME) == (History(), "There is no history yet.")


def damaged(change: Callable[[dict[str, Any]], object], folder: Path) -> tuple[History, str | None]:
    path = write_history(folder, merged(heard({A: 1.0, B: 2.0}, flaky=frozenset({A}))))
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    return read_history(path)


def columns(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["tiers"]["unit"]["files"][FILE]
    return found


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda d: d.update(schema="ci-kit/history/2"),
    "no runs": lambda d: d.pop("runs"),
    "runs of another kind": lambda d: d.update(runs={}),
    "too many runs": lambda d: d.update(runs=d["runs"] * 21),
    "a commit of another kind": lambda d: d["runs"][0].update(commit=7),
    "a gigantic commit": lambda d: d["runs"][0].update(commit="c" * 10_000),
    "a wall that is no time": lambda d: d["runs"][0].update(wall=math.inf),
    "tiers of another kind": lambda d: d.update(tiers=[]),
    "a tier of another kind": lambda d: d["tiers"].update(unit=7),
    "files of another kind": lambda d: d["tiers"]["unit"].update(files=[1]),
    "a file of another kind": lambda d: d["tiers"]["unit"]["files"].update({FILE: 7}),
    "a column is missing": lambda d: columns(d).pop("times"),
    "a column too many": lambda d: columns(d).update(more=1),
    "ids of another kind": lambda d: columns(d).update(ids=[1, 2]),
    "ids that are text": lambda d: columns(d).update(ids="ab"),
    "no ids": lambda d: columns(d).update(ids=[], seconds=[]),
    "an id twice": lambda d: columns(d).update(ids=["a", "a"]),
    "half a character": lambda d: columns(d).update(ids=["\ud800", "a"]),
    "half a character in the ledger": lambda d: d["tiers"]["unit"]["events"].update({"\ud800": [[], []]}),
    "fewer seconds": lambda d: columns(d).update(seconds=[1.0]),
    "seconds that are text": lambda d: columns(d).update(seconds=["1", "2"]),
    "seconds that are true": lambda d: columns(d).update(seconds=[True, True]),
    "negative seconds": lambda d: columns(d).update(seconds=[1.0, -1.0]),
    "no seconds": lambda d: columns(d).update(seconds=[1.0, 0.0]),
    "gigantic seconds": lambda d: columns(d).update(seconds=[1.0, 10**300]),
    "not a number": lambda d: columns(d).update(seconds=[1.0, math.nan]),
    "times of another kind": lambda d: columns(d).update(times=7),
    "events of another kind": lambda d: d["tiers"]["unit"]["events"].update({A: [["1-1"]]}),
    "too many events": lambda d: d["tiers"]["unit"]["events"].update({A: [["1-1"] * 21, []]}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_history_that_cannot_be_trusted_is_none(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    history, note = damaged(change, tmp_path)
    assert history == History()
    assert note is not None
    assert note.startswith("The history cannot be used, so this run does without it: ")
    assert len(note) < 300


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[" * 100_000, '{"schema": "ci-kit/history/1"', "\x00", "7", '{"a": 1e999}', "1" * 10_000]
)
def test_what_is_no_json_of_ours_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(text, encoding="utf-8")
    assert read_history(path)[0] == History()
    path.write_bytes(b"\xff\xfe")
    assert read_history(path)[0] == History()
    path.unlink()
    path.symlink_to("/dev/zero")
    assert read_history(path)[0] == History()


@pytest.mark.parametrize("times", ["", "nonsense", "AAAA", pack([()]), pack([((1.0, 1.0, 1.0),)] * 3), "é"])
def test_recorded_times_that_cannot_be_read_are_none_and_the_medians_stay(times: str, tmp_path: Path) -> None:
    history, note = damaged(lambda data: columns(data).update(times=times), tmp_path)
    assert note is None
    assert history.durations("unit") == {FILE: {A: 1.0, B: 2.0}}
    assert history.tiers["unit"].files[FILE].recorded() == [(), ()]
    again = merge(history, run(2), [heard({A: 3.0, B: 4.0})], {"unit": True})
    assert again.durations("unit") == {FILE: {A: 3.0, B: 4.0}}


def test_few_bytes_that_stand_for_many_are_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(200_000_000))).decode()
    with pytest.raises(ValueError, match="another number of tests"):
        unpack(bomb, 2)
