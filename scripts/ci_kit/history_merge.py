"""Add a run of the default branch to the history: pure, the same for any order of its jobs, and once for each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_kit.history import MOST_RUNS, MOST_SECONDS, Events, FileTimes, History, Run, TierHistory, TierRun
from ci_kit.history_samples import LONGEST_SECONDS, SLOTS, Slots, Times, pack, typical

MOST_EVENTS = 10_000


@dataclass(frozen=True)
class Heard:
    """What one job tells about its part of a tier.

    `collected` are test ids in collection order, each with its file; `times` those of the tests that did not fail: a
    failure ends early and a hang ends at its limit, so neither says how long the test takes. `whole`: all that the job
    was to run was collected, whatever became of it afterwards.
    """

    tier: str
    python: str
    shard: int
    collected: Sequence[tuple[str, str]]
    times: Mapping[str, Times]
    failed: frozenset[str]
    flaky: frozenset[str]
    whole: bool
    seconds: float


def merge(history: History, run: Run, heard: Iterable[Heard], whole: Mapping[str, bool]) -> History:
    """The history after `run`; unchanged when it knows that run and attempt already.

    `whole` names the tiers of the run, each with whether every one of its jobs was heard. Tiers that are not in it are
    dropped, as are tests that a whole collection of their tier no longer found. Of several Pythons' times the longest
    counts, because all of them get the same shards.
    """
    if any(known.key == run.key for known in history.runs):
        return history
    jobs = sorted(heard, key=lambda job: (job.tier, job.python, job.shard))
    by_tier = {name: [job for job in jobs if job.tier == name] for name in whole}
    counted = {name: _tier_run(mine) for name, mine in by_tier.items() if mine}
    runs = (*history.runs, Run(run.id, run.attempt, run.commit, run.at, run.event, run.wall_seconds, counted))
    runs = runs[-MOST_RUNS:]
    alive = {known.key for known in runs}
    tiers = {}
    for name, mine in by_tier.items():
        before = history.tiers.get(name, TierHistory())
        complete = whole[name] and bool(mine) and all(job.whole for job in mine)
        files = _files(before.files, mine, complete=complete)
        tiers[name] = TierHistory(files, _events(before.events, mine, run.key, alive, complete=complete))
    return History(runs, tiers, history.coverage)


def _tier_run(jobs: Sequence[Heard]) -> TierRun:
    # Added up in an order of their own: a sum of floats depends on it, and the order of the results must not matter.
    seconds = sorted(sum(times) for job in jobs for times in job.times.values())
    return TierRun(
        tests=len({test for job in jobs for test, _ in job.collected}),
        failed=len(frozenset().union(*(job.failed for job in jobs))),
        flaky=len(frozenset().union(*(job.flaky for job in jobs))),
        test_seconds=min(sum(seconds), MOST_SECONDS),
        slowest_seconds=max(job.seconds for job in jobs),
    )


def _files(before: Mapping[str, FileTimes], jobs: Sequence[Heard], *, complete: bool) -> dict[str, FileTimes]:
    seen: dict[str, list[list[str]]] = {}
    new: dict[str, Times] = {}
    for job in jobs:
        mine: dict[str, list[str]] = {}
        for test, file in job.collected:
            mine.setdefault(file, []).append(test)
        for file, tests in mine.items():
            seen.setdefault(file, []).append(tests)
        for test, times in job.times.items():
            new[test] = _longest(new.get(test), times)
    found = {}
    for file in sorted(before.keys() | seen.keys()):
        merged = _file(before.get(file), seen.get(file, []), new, complete=complete)
        if merged is not None:
            found[file] = merged
    return found


def _longest(one: Times | None, other: Times) -> Times:
    setup, call, teardown = (min(LONGEST_SECONDS, max(pair)) for pair in zip(one or other, other, strict=True))
    return setup, call, teardown


def _file(
    before: FileTimes | None, seen: Sequence[Sequence[str]], new: Mapping[str, Times], *, complete: bool
) -> FileTimes | None:
    """One file's tests after the run; None when it holds none with a recorded time any more."""
    if before is not None and not seen:
        return None if complete else before
    known: dict[str, Slots] = {} if before is None else dict(zip(before.ids, before.recorded(), strict=True))
    present = {test for tests in seen for test in tests}
    kept = [test for test in known if not complete or test in present]
    # A job that collected the whole file knows the order; from parts it is put together.
    ordered = next((tests for tests in seen if present.issuperset(kept) and len(set(tests)) == len(present)), None)
    ordered = list(dict.fromkeys(ordered)) if ordered is not None else _in_order(kept, seen)
    slots = {
        test: ((new[test], *known.get(test, ()))[:SLOTS] if test in new else known.get(test, ())) for test in ordered
    }
    ids = [test for test in ordered if slots[test]]
    if not ids:
        return None
    prefix = f"{ids[0].partition('::')[0]}::"
    if not all(test.startswith(prefix) for test in ids):
        prefix = ""
    tests = [slots[test] for test in ids]
    return FileTimes(prefix, [test[len(prefix) :] for test in ids], typical(tests), pack(tests))


def _in_order(known: Iterable[str], seen: Iterable[Sequence[str]]) -> list[str]:
    """All tests of a file in collection order, each new one behind the one that it was collected behind."""
    followers: dict[str | None, list[str]] = {None: list(known)}
    placed = set(followers[None])
    for tests in seen:
        last: str | None = None
        for test in tests:
            if test not in placed:
                placed.add(test)
                followers.setdefault(last, []).append(test)
            last = test
    ordered: list[str] = []
    waiting = list(reversed(followers[None]))
    while waiting:
        test = waiting.pop()
        ordered.append(test)
        waiting += reversed(followers.get(test, ()))
    return ordered


def _events(
    before: Mapping[str, Events], jobs: Sequence[Heard], run: str, alive: set[str], *, complete: bool
) -> dict[str, Events]:
    """The events of the runs that are still remembered, for tests that still exist; at most `MOST_EVENTS` tests."""
    flaky = frozenset[str]().union(*(job.flaky for job in jobs))
    failed = frozenset[str]().union(*(job.failed for job in jobs))
    present = {test for job in jobs for test, _ in job.collected}
    found = {}
    for test in sorted(before.keys() | flaky | failed):
        if complete and test not in present:
            continue
        old = before.get(test, Events())
        events = Events(_now(old.flaky, alive, run, test in flaky), _now(old.failed, alive, run, test in failed))
        if events.flaky or events.failed:
            found[test] = events
    if len(found) > MOST_EVENTS:
        most = sorted(found, key=lambda test: (-len(found[test].flaky) - len(found[test].failed), test))
        found = {test: found[test] for test in sorted(most[:MOST_EVENTS])}
    return found


def _now(before: tuple[str, ...], alive: set[str], run: str, happened: bool) -> tuple[str, ...]:
    return (*(key for key in before if key in alive), *((run,) if happened else ()))
