"""Turn the results of a run into what the history remembers of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from ci_kit.github import Event
from ci_kit.history import History, Run
from ci_kit.history_merge import Heard, merge
from ci_kit.pipeline.evidence import Evidence, LegReport, TestResult
from ci_kit.pipeline.thresholds import BAD, spends
from ci_kit.plan import Plan


def remember(
    history: History, plan: Plan, evidence: Evidence, event: Event, now: datetime, wall_seconds: float | None
) -> History:
    """The history with this run. Reports of an earlier attempt than the plan's were heard then."""
    reports = {
        leg: report
        for leg, report in evidence.reports.items()
        if report.attempt >= plan.attempt and report.commit == plan.commit
    }
    run = Run(
        id=event.run_id,
        attempt=event.run_attempt,
        commit=plan.commit,
        at=now.isoformat(timespec="seconds"),
        event=plan.event,
        wall_seconds=wall_seconds,
    )
    legs = list(plan.legs())
    whole = {tier.name: all(leg in reports for leg in legs if leg.tier == tier.name) for tier in plan.tiers}
    return merge(history, run, [_heard(reports[leg]) for leg in legs if leg in reports], whole)


def _heard(report: LegReport) -> Heard:
    collected = set(report.collected)
    mine = [result for result in report.results if result.id in collected]
    broken = any(result.outcome == "error" and result.id not in collected for result in report.results)
    return Heard(
        tier=report.leg.tier,
        python=report.leg.python,
        shard=report.leg.shard.index,
        collected=list(_placed(report, mine)),
        times={result.id: result.phases for result in mine if spends(result)},
        failed=frozenset(result.id for result in mine if result.outcome in BAD),
        flaky=frozenset(result.id for result in mine if result.flaky),
        whole=not broken and (bool(collected) or report.verdict in {"passed", "empty"}),
        seconds=report.seconds,
    )


def _placed(report: LegReport, results: Iterable[TestResult]) -> Iterator[tuple[str, str]]:
    """The collected tests with their files, in the order of the lines: the run itself may have shuffled them.

    Ids count from pytest's own root folder, files from the workspace; a test that never ran is where its neighbours are.
    """
    known = {result.id: result for result in results}
    folders = {_file_part(result.id): result.file for result in results if result.file}
    classes: dict[str, int] = {}
    lines: dict[str, int] = {}
    for test in report.collected:
        lines[test] = known[test].line if test in known else 0
        group = _group(test)
        classes[group] = min(classes.get(group, lines[test]), lines[test])
    for test in sorted(report.collected, key=lambda test: (_file_part(test), *_position(test, lines, classes))):
        yield test, (known[test].file if test in known else "") or folders.get(_file_part(test), _file_part(test))


def _position(test: str, lines: dict[str, int], classes: dict[str, int]) -> tuple[int, str, int, str]:
    """A class is where its first test is, and stays together; parameters of one test are by name."""
    group = _group(test)
    if "::" not in group:
        return lines[test], "", 0, test
    return classes[group], group, lines[test], test


def _file_part(test: str) -> str:
    return test.partition("::")[0]


def _group(test: str) -> str:
    return test.partition("[")[0].rpartition("::")[0]
