from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

from ci_kit.test.model import Outcome, Place, Stream
from ci_kit.test.stream import read_stream
from hypothesis import given
from hypothesis import strategies as st


def place(path: str, line: int | None) -> Place | None:
    return Place(path.removeprefix("/w/"), line) if not path.startswith("/") or path.startswith("/w/") else None


def read(*lines: dict[str, Any] | str) -> Stream:
    return read_stream([line if isinstance(line, str) else json.dumps(line) for line in lines], place)


def report(when: str, outcome: str = "passed", test: str = "t.py::test", **more: object) -> dict[str, Any]:
    base = {"$report_type": "TestReport", "nodeid": test, "when": when, "outcome": outcome, "duration": 0.5}
    return {**base, "location": ["t.py", 3, "test"], "longrepr": None, **more}


def crash(message: str, path: str = "/w/t.py", line: int = 7) -> dict[str, Any]:
    entry = {
        "type": "ReprEntry",
        "data": {"lines": ["> x", "E y"], "reprfileloc": {"path": "t.py", "lineno": 5, "message": ""}},
    }
    return {"reprcrash": {"path": path, "lineno": line, "message": message}, "reprtraceback": {"reprentries": [entry]}}


def outcomes(stream: Stream) -> list[Outcome]:
    return [result.outcome for result in stream.results]


def test_phases_become_one_outcome() -> None:
    cases = {
        (("setup", "passed"), ("call", "passed"), ("teardown", "passed")): Outcome.PASSED,
        (("setup", "passed"), ("call", "failed"), ("teardown", "passed")): Outcome.FAILED,
        (("setup", "failed"), ("teardown", "passed")): Outcome.ERROR,
        (("setup", "passed"), ("call", "passed"), ("teardown", "failed")): Outcome.ERROR,
        (("setup", "passed"), ("call", "failed"), ("teardown", "failed")): Outcome.FAILED,
        (("setup", "skipped"), ("teardown", "passed")): Outcome.SKIPPED,
        (("setup", "passed"), ("call", "skipped"), ("teardown", "passed")): Outcome.SKIPPED,
    }
    for phases, outcome in cases.items():
        stream = read(*(report(when, found) for when, found in phases))
        assert outcomes(stream) == [outcome], phases
        assert stream.results[0].seconds == 0.5 * len(phases)
        assert stream.results[0].place == Place("t.py", 4)


def test_expected_failures() -> None:
    xfailed = read(report("setup"), report("call", "skipped", wasxfail="reason: known"), report("teardown"))
    assert (outcomes(xfailed), xfailed.results[0].message) == ([Outcome.XFAILED], "known")
    assert outcomes(read(report("setup"), report("call", wasxfail=""), report("teardown"))) == [Outcome.XPASSED]
    strict = read(report("setup"), report("call", "failed", longrepr="[XPASS(strict)] known"), report("teardown"))
    assert (outcomes(strict), strict.results[0].message) == ([Outcome.FAILED], "[XPASS(strict)] known")


def test_a_test_that_never_came_back_has_no_result() -> None:
    assert outcomes(read(report("setup"))) == []
    assert outcomes(read(report("setup"), report("call"))) == []
    assert outcomes(read(report("setup"), report("call", "failed", longrepr="x"))) == [Outcome.FAILED]


def test_reruns() -> None:
    failed = crash("first")
    for middle in ([], [report("teardown")]):
        stream = read(report("setup"), report("call", "rerun", longrepr=failed), *middle,
                      report("setup"), report("call"), report("teardown"))  # fmt: skip
        (result,) = stream.results
        assert (result.outcome, result.attempts, result.flaky, result.first_failure) == (
            Outcome.PASSED,
            2,
            True,
            "first",
        )
        assert stream.twice == ()
    stream = read(report("setup"), report("call", "rerun", longrepr=failed),
                  report("setup"), report("call", "failed", longrepr=crash("second")), report("teardown"))  # fmt: skip
    (result,) = stream.results
    assert (result.outcome, result.attempts, result.flaky, result.message) == (Outcome.FAILED, 2, False, "second")


def test_an_id_that_occurs_twice_keeps_its_worst_outcome() -> None:
    one = [report("setup"), report("call", "failed", longrepr="x"), report("teardown")]
    two = [report("setup"), report("call"), report("teardown")]
    for order in (one + two, two + one):
        stream = read(*order)
        assert (outcomes(stream), stream.twice) == ([Outcome.FAILED], ("t.py::test",))


def test_a_crashed_worker() -> None:
    stream = read(report("???", "failed", longrepr="worker 'gw0' crashed while running 't.py::test'", worker_id="gw0"))
    (result,) = stream.results
    assert (result.outcome, result.message) == (Outcome.FAILED, "worker 'gw0' crashed while running 't.py::test'")


def test_a_failing_part_fails_its_test_in_every_dialect() -> None:
    for kind in ("SubtestReport", "SubTestReport"):
        part = {**report("call", "failed", longrepr=crash("part")), "$report_type": kind}
        stream = read(report("setup"), part, report("call"), report("teardown"))
        assert (outcomes(stream), stream.results[0].message) == ([Outcome.FAILED], "part")


def test_where_it_failed() -> None:
    inside = read(report("call", "failed", longrepr=crash("m")), report("teardown")).results[0]
    assert inside.at == Place("t.py", 7)
    library = read(report("call", "failed", longrepr=crash("m", "/lib/x.py")), report("teardown")).results[0]
    assert library.at == Place("t.py", 5)
    unknown = read(report("call", "failed", longrepr="text"), report("teardown")).results[0]
    assert unknown.at == Place("t.py", 4)


def test_colours_and_length() -> None:
    long = crash("\x1b[31m" + "m" * 10_000)
    (result,) = read(report("call", "failed", longrepr=long), report("teardown")).results
    assert result.message is not None
    assert len(result.message) == 600
    assert "\x1b" not in result.message


def test_collection() -> None:
    bad = {"$report_type": "CollectReport", "nodeid": "b.py", "outcome": "failed", "longrepr": "E   ImportError: no x"}
    skipped = {
        "$report_type": "CollectReport",
        "nodeid": "s.py",
        "outcome": "skipped",
        "longrepr": ["s.py", 1, "Skipped: why"],
    }
    stream = read(bad, bad, skipped, {"$report_type": "SessionFinish", "exitstatus": 2})
    (error,) = stream.collect_errors
    assert (error.id, error.outcome, error.message, error.at) == (
        "b.py",
        Outcome.ERROR,
        "ImportError: no x",
        Place("b.py"),
    )
    assert stream.skipped_modules == (("s.py", "why"),)
    assert stream.finished


@given(st.lists(st.text(), max_size=5), st.integers(0, 200))
def test_a_torn_stream_is_read_as_far_as_it_goes(noise: list[str], cut: int) -> None:
    whole = [json.dumps(report(when)) for when in ("setup", "call", "teardown")]
    torn = json.dumps(report("setup", test="t.py::other"))[:cut]
    stream = read(*whole, *noise, torn)
    assert outcomes(stream) == [Outcome.PASSED]


@given(st.text(st.characters(codec=None)))
def test_any_id_can_be_written(name: str) -> None:
    stream = read(report("setup", test=name), report("call", test=name), report("teardown", test=name))
    (result,) = stream.results
    assert result.id.encode().decode() == result.id


def test_long_messages_are_not_held() -> None:
    def lines() -> Iterator[str]:
        for number in range(50):
            yield json.dumps(report("call", "failed", f"t.py::test[{number}]", longrepr=crash("x" * 1_000_000)))

    tracemalloc.start()
    try:
        stream = read_stream(lines(), place)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(stream.results) == 50
    assert (held < 5_000_000, peak < 20_000_000) == (True, True), (held, peak)
