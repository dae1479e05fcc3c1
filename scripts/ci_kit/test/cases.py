"""Decide which failures of a run are looked at more closely, and what is known of each before the first experiment."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci_kit.test.diagnosis import Case
from ci_kit.test.model import BAD, Failing, Finding, Record, Result

MOST_EXAMINED = 10
MOST_BESIDE = 20


@dataclass(frozen=True)
class Cases:
    """What to examine, and what needs no experiment."""

    open: tuple[Case, ...]
    known: Mapping[str, Finding]


def find_cases(results: Sequence[Result], record: Record, deaths: Mapping[str, str], workers: int) -> Cases:
    """The first failures, at most `MOST_EXAMINED`. `deaths` maps a test that ended its process to how.

    Not examined: what was never collected as a test, hung tests (each would cost its time limit again) and quarantined ones.
    """
    known: dict[str, Finding] = {}
    chosen: list[Case] = []
    timeline = _Timeline(results) if workers else None
    for result in results:
        if result.outcome not in BAD:
            if result.flaky:
                known[result.id] = passed_again(result)
        elif result.finding is not None:
            known[result.id] = result.finding
        elif result.id not in record.places or result.quarantined:
            continue
        elif len(chosen) == MOST_EXAMINED:
            text = f"Only the first {MOST_EXAMINED} failures are examined."
            known[result.id] = Finding(Failing.UNCLASSIFIED, text, (result.id,))
        else:
            before = _before(result.id, record)
            chosen.append(
                Case(
                    result.id,
                    attempts=result.attempts,
                    before=before,
                    given=_given(result.id, record, before),
                    beside=timeline.beside(result) if timeline else (),
                    workers=workers,
                    crashed=deaths.get(result.id, "its worker died" if result.crashed else ""),
                )
            )
    return Cases(tuple(chosen), known)


def passed_again(result: Result) -> Finding:
    """A test that a rerun in place made good."""
    said = (result.first_failure or "without a message").strip().partition("\n")[0]
    text = f"It failed ({said}) and passed in attempt {result.attempts}."
    return Finding(Failing.FLAKY, text, (result.id,))


def _before(test: str, record: Record) -> tuple[str, ...]:
    """What its process had run when it was started."""
    for started in record.order.values():
        if test in started:
            return started[: started.index(test)]
    return ()


def _given(test: str, record: Record, before: Sequence[str]) -> tuple[str, ...]:
    """The tests of its file that stand before it, in the file's own order; none when all of them had run before it."""
    place = record.places[test]
    mine = [name for name in record.collected if record.places[name].file == place.file]
    mine.sort(key=lambda name: record.places[name].line or 0)
    above = tuple(mine[: mine.index(test)])
    return () if set(above) <= set(before) else above


class _Timeline:
    """Which tests ran at the same time."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._by_worker: dict[str, list[tuple[float, float, str]]] = {}
        for result in results:
            if result.span is not None:
                self._by_worker.setdefault(result.worker, []).append((*result.span, result.id))
        for spans in self._by_worker.values():
            spans.sort()

    def beside(self, result: Result) -> tuple[str, ...]:
        """For each other worker what ran during this test, and the one that it ran last before."""
        if result.span is None:
            return ()
        start, stop = result.span
        found: list[str] = []
        for worker, spans in self._by_worker.items():
            if worker != result.worker:
                last = bisect_left(spans, (stop, 0.0, ""))
                first = bisect_left(spans, (start, 0.0, ""))
                found += [name for _, _, name in spans[max(0, first - 1) : last]]
        return tuple(found[:MOST_BESIDE])
