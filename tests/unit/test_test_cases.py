"""What is examined, what is known without it, and what became of tests that could not say it themselves."""

from __future__ import annotations

from typing import Any

import pytest
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.test.cases import MOST_EXAMINED, find_cases
from ci_kit.test.endings import completed, tidied
from ci_kit.test.model import Ending, Failing, Finding, Outcome, Place, Record, Result, Stream
from ci_kit.test.new_tests import judged, new_or_changed
from ci_kit.test.reproduce import command_of

NAMES = tuple(f"t.py::n{number}" for number in range(20))
PLACES = {name: Place("t.py", number + 1) for number, name in enumerate(NAMES)}
RECORD = Record(collected=NAMES, places=PLACES, order={"main": NAMES})


def bad(name: str, **more: Any) -> Result:  # noqa: ANN401 - any field
    return Result(name, Outcome.FAILED, 0.1, **more)


def test_the_first_failures_are_examined_and_the_rest_said() -> None:
    cases = find_cases([bad(name) for name in NAMES], RECORD, {}, 0)
    assert [case.id for case in cases.open] == list(NAMES[:MOST_EXAMINED])
    assert {finding.failing for finding in cases.known.values()} == {Failing.UNCLASSIFIED}
    assert set(cases.known) == set(NAMES[MOST_EXAMINED:])


def test_what_ran_before_is_of_the_same_process() -> None:
    record = Record(collected=NAMES, places=PLACES, order={"gw0": NAMES[::2], "gw1": NAMES[1::2]})
    (case,) = find_cases([bad(NAMES[4])], record, {}, 2).open
    assert case.before == (NAMES[0], NAMES[2])
    assert case.given == NAMES[:4]


def test_the_files_own_order_counts_only_where_it_was_another() -> None:
    (case,) = find_cases([bad(NAMES[4])], RECORD, {}, 0).open
    assert (case.before, case.given) == (NAMES[:4], ())
    shuffled = Record(collected=NAMES[::-1], places=PLACES, order={"main": NAMES[::-1]})
    (case,) = find_cases([bad(NAMES[4])], shuffled, {}, 0).open
    assert case.given == NAMES[:4]


def test_what_ran_beside() -> None:
    spans = {
        NAMES[0]: (0.0, 1.0),
        NAMES[1]: (1.0, 2.0),
        NAMES[2]: (2.0, 5.0),
        NAMES[3]: (5.0, 6.0),
        NAMES[4]: (9.0, 9.5),
    }
    others = [Result(name, Outcome.PASSED, 1.0, worker="gw1", span=span) for name, span in spans.items()]
    same = Result(NAMES[5], Outcome.PASSED, 1.0, worker="gw0", span=(3.0, 4.0))
    (case,) = find_cases([*others, same, bad(NAMES[6], worker="gw0", span=(2.5, 5.5))], RECORD, {}, 2).open
    assert case.beside == NAMES[2:4]


def test_not_examined() -> None:
    hung = Finding(Failing.HUNG, "It hung.", (NAMES[0],))
    flaky = Result(NAMES[1], Outcome.PASSED, 0.1, attempts=2, first_failure="once\nmore")
    cases = find_cases(
        [bad(NAMES[0], finding=hung), flaky, bad(NAMES[2], quarantined=True), bad("conftest.py")], RECORD, {}, 0
    )
    assert cases.open == ()
    assert cases.known[NAMES[0]] is hung
    assert (cases.known[NAMES[1]].failing, "once" in cases.known[NAMES[1]].evidence) == (Failing.FLAKY, True)
    assert set(cases.known) == set(NAMES[:2])


ENDED = Ending(-15, 100.0, timed_out=True, limit_seconds=100.0)


@pytest.mark.parametrize(
    ("record", "deaths", "ending", "outcome"),
    [
        ({"hung": {"a": 3.0}, "running": {"gw0": "a"}, "stacks": {"a": "S"}}, {}, Ending(1, 9.0), (Failing.HUNG, "3 s")),
        ({"running": {"gw0": "a"}, "stacks": {"a": "Timeout (0:00:05)!"}}, {}, Ending(1, 9.0), (Failing.HUNG, "2 s")),
        ({}, {"a": "SIGSEGV"}, Ending(0, 9.0), (None, "SIGSEGV")),
        ({"hung": {"a": 3.0}}, {"a": "exit code 70"}, Ending(0, 9.0), (Failing.HUNG, "3 s")),
        ({"running": {"main": "a"}, "stacks": {"a": "S"}, "running_since": {"a": 10.0}}, {}, ENDED, (Failing.HUNG, "90 s")),
        ({"running": {"main": "a"}, "stacks": {"a": "S"}, "running_since": {"a": 99.0}}, {}, ENDED, None),
        ({"running": {"gw0": "a"}, "stacks": {"a": "S"}}, {}, Ending(1, 9.0), None),
    ],
)  # fmt: skip
def test_tests_that_could_not_report(
    record: dict[str, Any], deaths: dict[str, str], ending: Ending, outcome: tuple[Failing | None, str] | None
) -> None:
    stream = Stream((Result("b", Outcome.PASSED, 0.1),))
    found = completed(stream, Record(**record), deaths, ending, now=100.0, test_seconds=2.0)
    assert found.results[0] == stream.results[0]
    if outcome is None:
        assert len(found.results) == 1
        return
    result = found.results[1]
    assert (result.id, result.outcome, result.crashed) == ("a", Outcome.FAILED, outcome[0] is None)
    assert (result.finding and result.finding.failing) == outcome[0]
    assert outcome[1] in (result.message or "")


def test_a_crash_report_of_xdist_is_replaced_by_what_is_known() -> None:
    stream = Stream((Result("a", Outcome.FAILED, 0.0, worker="gw3", message="worker crashed", crashed=True),))
    found = completed(stream, Record(hung={"a": 5.0}), {}, Ending(1, 9.0), now=0.0, test_seconds=5.0)
    (result,) = found.results
    assert (result.worker, result.finding and result.finding.failing) == ("gw3", Failing.HUNG)


def test_stacks_show_the_test_first_and_nothing_of_pytest() -> None:
    raw = (
        'Thread 1:\n  File "/x/pytest_ci_kit/watchdog.py", line 1 in dump\n\nThread 2:\n  File "other.py", line 3 in f\n\n'
        'Thread 3:\n  File "lib.py", line 9 in wait\n  File "/w/t.py", line 5 in test\n  File "/s/_pytest/python.py", line 2'
    )
    assert tidied(raw, "t.py").splitlines() == [
        "Thread 3:", '  File "lib.py", line 9 in wait', '  File "/w/t.py", line 5 in test', "",
        "Thread 2:", '  File "other.py", line 3 in f',
    ]  # fmt: skip


def test_new_tests_are_those_of_known_files_and_changed_ones_are_told() -> None:
    results = [Result(name, Outcome.PASSED, 0.0) for name in ("a.py::old", "a.py::new", "b.py::new")]
    results.append(bad("a.py::bad"))
    assert new_or_changed(results, {"a.py::old": 1.0}, ()) == ("a.py::new",)
    assert new_or_changed(results, {"a.py::old": 1.0}, {"a.py::old", "a.py::bad"}) == ("a.py::old", "a.py::new")
    assert new_or_changed(results, {}, ()) == ()
    assert judged({"a.py::new": 2}, 3)["a.py::new"].evidence.endswith("failed in 2 of 3 more runs.")


@pytest.mark.parametrize(
    ("finding", "command"),
    [
        (None, None),
        (Finding(Failing.REAL, "", ("t.py::a b",)), "python -m pytest 't.py::a b'"),
        (Finding(Failing.ORDER_DEPENDENT, "", ("t.py::p", "t.py::a b")), "python -m pytest t.py::p 't.py::a b'"),
        (Finding(Failing.PARALLEL_UNSAFE, "", ("t.py::p",), 2), "python -m pytest -n 2 --dist load t.py::p"),
        (Finding(Failing.UNCLASSIFIED, ""), "scripts/ci-kit test run --tier unit --shard 1/2 --workers 4 --seed 7"),
        (Finding(Failing.ORDER_DEPENDENT, "", ("t.py::p",) * 31),
         "scripts/ci-kit test run --tier unit --shard 1/2 --workers 4 --seed 7"),
    ],
)  # fmt: skip
def test_commands(finding: Finding | None, command: str | None) -> None:
    arguments = {name: name for name in ("t.py::a b", "t.py::p")}
    leg = Leg("unit", "3.12", Shard(1, 2))
    found = command_of(bad("t.py::a b", finding=finding), arguments, leg, seed=7, workers=4, plugins=())
    assert found == command
