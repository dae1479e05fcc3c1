from __future__ import annotations

import itertools

import pytest
from ci_kit.errors import Exit
from ci_kit.test.model import Ending, Outcome, Place, Record, Result, Stream, Verdict
from ci_kit.test.verdict import judge, without_result

GOOD = Result("a", Outcome.PASSED, 0.1)
FAILED = Result("a", Outcome.FAILED, 0.1)
BROKEN_FILE = Result("test_b.py", Outcome.ERROR, 0.0)
COLLECTED = Record(collected=("a",))


def stream(*results: Result, finished: bool = True, errors: tuple[Result, ...] = ()) -> Stream:
    return Stream(results, errors, started=True, finished=finished)


@pytest.mark.parametrize(
    ("code", "found", "record", "verdict", "exit_code"),
    [
        (0, stream(GOOD), COLLECTED, Verdict.PASSED, Exit.GOOD),
        (0, stream(), Record(), Verdict.EMPTY, Exit.GOOD),
        (5, stream(), Record(deselected=("a",)), Verdict.EMPTY, Exit.GOOD),
        (1, stream(FAILED), COLLECTED, Verdict.FAILED, Exit.NO),
        (1, stream(GOOD), COLLECTED, Verdict.FAILED, Exit.NO),
        (2, stream(FAILED), COLLECTED, Verdict.FAILED, Exit.NO),
        (2, stream(errors=(BROKEN_FILE,)), Record(), Verdict.FAILED, Exit.NO),
        (2, stream(GOOD), COLLECTED, Verdict.ERROR, Exit.INFRASTRUCTURE),
        (3, stream(FAILED), COLLECTED, Verdict.ERROR, Exit.INFRASTRUCTURE),
        (4, stream(finished=False), Record(), Verdict.ERROR, Exit.CALLER),
        (4, Stream(), Record(conftest=BROKEN_FILE), Verdict.FAILED, Exit.NO),
        (0, stream(GOOD, finished=False), COLLECTED, Verdict.ERROR, Exit.INFRASTRUCTURE),
        (0, stream(GOOD), Record(collected=("a", "b")), Verdict.ERROR, Exit.INFRASTRUCTURE),
        (7, stream(GOOD), COLLECTED, Verdict.ERROR, Exit.INFRASTRUCTURE),
        (7, stream(FAILED), COLLECTED, Verdict.FAILED, Exit.NO),
        (-9, stream(GOOD, finished=False), COLLECTED, Verdict.ERROR, Exit.INFRASTRUCTURE),
        (None, Stream(), Record(), Verdict.EMPTY, Exit.GOOD),
    ],
)
def test_endings(code: int | None, found: Stream, record: Record, verdict: Verdict, exit_code: Exit) -> None:
    judgement = judge(Ending(code, 1.0), found, record)
    assert (judgement.verdict, judgement.exit) == (verdict, exit_code)


def test_nothing_but_a_complete_session_without_failures_is_passed() -> None:
    codes = (None, -9, -15, 0, 1, 2, 3, 4, 5, 6, 255)
    results = ((), (GOOD,), (FAILED,))
    for code, found, finished, timed_out in itertools.product(codes, results, (True, False), (True, False)):
        judgement = judge(Ending(code, 1.0, timed_out), stream(*found, finished=finished), COLLECTED)
        passed = (code, found, finished, timed_out) == (0, (GOOD,), True, False)
        assert (judgement.verdict is Verdict.PASSED) is passed or code is None
        assert judgement.verdict is Verdict.FAILED or judgement.why or passed
        if judgement.exit is Exit.GOOD:
            assert code in (None, 0, 5)


def test_tests_without_a_result_are_named_in_their_order_at_linear_cost() -> None:
    ids = tuple(f"a.py::test[{number}]" for number in range(50_000))
    results = tuple(Result(name, Outcome.PASSED, 0.0) for name in ids[3:])
    # With the cost of every test times every other one, this would take minutes.
    assert without_result(Stream(results), Record(collected=tuple(reversed(ids)))) == tuple(reversed(ids[:3]))


def test_a_dead_run_names_what_it_was_running() -> None:
    record = Record(collected=("a", "b"), running={"gw0": "a", "gw1": "b"})
    killed = judge(Ending(-9, 1.0), stream(finished=False), record)
    assert killed.why == "pytest was killed by SIGKILL (the machine may have run out of memory) while it ran a and b."
    stopped = judge(Ending(-15, 1.0, timed_out=True, limit_seconds=60.0), stream(finished=False), record)
    assert stopped.why == "pytest was stopped at its time limit of 60 s while it ran a and b."


def test_a_usage_error_quotes_pytest() -> None:
    output = "usage: pytest\nERROR: file or directory not found: nowhere\n\n"
    judgement = judge(Ending(4, 1.0, output=output), Stream(), Record())
    assert judgement.why.endswith("file or directory not found: nowhere")
    output = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --x\n  rootdir: /w\n"
    judgement = judge(Ending(4, 1.0, output=output), Stream(), Record())
    assert judgement.why.endswith("configuration: unrecognized arguments: --x")


def test_a_conftest_that_raises_is_named() -> None:
    conftest = Result("c.py", Outcome.ERROR, 0.0, message="ValueError: x", place=Place("c.py", 3))
    assert judge(Ending(4, 1.0), Stream(), Record(conftest=conftest)).why == "c.py:3 raises: ValueError: x"


def test_a_service_that_is_not_ready() -> None:
    judgement = judge(Ending(None, 0.0, why="redis://h:1 is not ready"), Stream(), Record())
    assert (judgement.verdict, judgement.exit) == (Verdict.ERROR, Exit.INFRASTRUCTURE)
