"""Decide what became of the tests that could not say it themselves: they hung, or ended their process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ci_kit.test.model import Ending, Failing, Finding, Outcome, Record, Result, Stream

BY_TIMER = "Timeout ("  # how faulthandler begins when its own timer ran out
LEAST_HUNG_SECONDS = 5.0


def completed(
    stream: Stream,
    record: Record,
    deaths: Mapping[str, str],
    ending: Ending,
    *,
    now: float,
    test_seconds: float | None,
) -> Stream:
    """The stream with a failed result for each of them. `now` is when pytest ended, in seconds of the wall clock.

    At the time limit of all tests the one that was running counts as hung when it had been running for half of it.
    """
    said = dict.fromkeys(deaths, "") | {name: "" for name in record.running.values() if name in record.stacks}
    found: dict[str, Result] = {}
    for name in {**said, **record.hung}:
        seconds = record.hung.get(name)
        if seconds is None and record.stacks.get(name, "").startswith(BY_TIMER):
            seconds = test_seconds
        if seconds is not None:
            what = f"It did not come to its end within {seconds:.0f} s, the time limit of a test."
            found[name] = _hung(name, what, seconds, record)
        elif name in deaths:
            what = f"It ended the whole process of pytest: {deaths[name]}."
            found[name] = Result(name, Outcome.FAILED, 0.0, message=what, detail=what, crashed=True)
        elif ending.timed_out:
            since = now - record.running_since.get(name, now)
            if since >= max(LEAST_HUNG_SECONDS, ending.limit_seconds / 2):
                what = f"It was stopped after {since:.0f} s, at the time limit of all tests."
                found[name] = _hung(name, what, since, record)
    if not found:
        return stream
    kept = tuple(result for result in stream.results if result.id not in found)
    workers = {result.id: result.worker for result in stream.results}
    added = tuple(replace(result, worker=workers.get(result.id, result.worker)) for result in found.values())
    return replace(stream, results=kept + added)


def tidied(stacks: str, file: str) -> str:
    """Thread by thread without the frames of pytest around a test, the thread in `file` first; not the watching thread."""
    threads = []
    for thread in stacks.split("\n\n"):
        lines = thread.splitlines()
        if any("pytest_ci_kit/watchdog.py" in line for line in lines):
            continue
        ends = [number for number, line in enumerate(lines) if "/_pytest/python.py" in line]
        threads.append("\n".join(lines[: ends[0]] if ends else lines))
    return "\n\n".join(sorted(threads, key=lambda thread: f'{file}"' not in thread))


def _hung(name: str, what: str, seconds: float, record: Record) -> Result:
    stacks = tidied(record.stacks.get(name, ""), record.places[name].file if name in record.places else name)
    finding = Finding(Failing.HUNG, what, (name,))
    return Result(name, Outcome.FAILED, seconds, message=what, detail=f"{what}\n\n{stacks}".strip(), finding=finding)
