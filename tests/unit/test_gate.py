"""When a run is green, and what is said when it is not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ci_kit.config import Gates
from ci_kit.errors import Exit
from ci_kit.pipeline import thresholds
from ci_kit.pipeline.evidence import MOST_BYTES, printable, read_evidence
from ci_kit.pipeline.findings import Kind, Verdict
from ci_kit.pipeline.gate import judge
from ci_kit.plan import AFTER, Plan, PlannedTier
from ci_kit.share import Share
from hypothesis import given
from hypothesis import strategies as st
from tooling.leg_reports import COMMIT, leg_report, result

PLAN = Plan(
    "ci",
    "pull-request",
    COMMIT,
    (PlannedTier("unit", (Share(("test_a.py",)), Share(("test_b.py",)))),),
    ("3.12",),
    {"lint": True, "test": True, "test-after": False},
)
GREEN = {"plan": "success", "lint": "success", "test": "success", "test-after": "skipped"}
RED = GREEN | {"test": "failure"}
Reports = dict[str, dict[str, Any]]


def usual() -> Reports:
    first = [result(f"test_a.py::test_{number}") for number in range(60)]
    second = [result(f"test_b.py::test_{number}") for number in range(40)]
    return {
        "one": leg_report(["test_a.py"], first, shard=(1, 2)),
        "two": leg_report(["test_b.py"], second, shard=(2, 2)),
    }


def judged(
    folder: Path, reports: Reports, jobs: dict[str, str] = GREEN, plan: Plan = PLAN, gates: Gates | None = None
) -> Verdict:
    for name, report in reports.items():
        path = folder / name / "test.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report), encoding="utf-8")
    return judge(plan, jobs, read_evidence(folder, plan.name), gates or Gates())


def said(verdict: Verdict) -> str:
    return "\n".join(f"{finding.gate}: {finding.message}" for finding in verdict.findings)


def failing(reports: Reports, count: int) -> Reports:
    for entry in reports["one"]["results"][:count]:
        entry.update(outcome="failed", message="assert 1 == 2\nmore")
    reports["one"]["verdict"] = "failed"
    return reports


def test_all_green(tmp_path: Path) -> None:
    verdict = judged(tmp_path, usual())
    assert (verdict.findings, verdict.exit, verdict.counts) == ((), Exit.GOOD, {"passed": 100})


def test_one_failing_test_is_one_finding(tmp_path: Path) -> None:
    """The job that failed and the shard that failed say nothing more than the test, so they are left out."""
    verdict = judged(tmp_path, failing(usual(), 1), RED)
    assert said(verdict) == "TQ-02: Pass rate: 99 % (1 of 100 tests failed), wanted at least 100 %: 1 too many."
    assert verdict.exit is Exit.NO
    [failure] = verdict.failures
    assert (failure.id, failure.message) == ("test_a.py::test_0", "assert 1 == 2")
    assert [str(leg) for leg in failure.legs] == ["unit · Python 3.12 · 1/2"]


@pytest.mark.parametrize(
    ("rate", "failures", "green"),
    [(0.98, 1, True), (0.98, 2, True), (0.98, 3, False), (1.0, 1, False), (0.5, 50, True), (0.5, 51, False),
     (0.999, 1, False), (0.93, 7, True), (0.93, 8, False), (0.0, 60, True)],
)  # fmt: skip
def test_whole_numbers_decide_about_the_pass_rate(rate: float, failures: int, green: bool, tmp_path: Path) -> None:
    verdict = judged(tmp_path, failing(usual(), failures), RED, gates=Gates(pass_rate=rate))
    assert (not verdict.findings) is green
    assert len(verdict.failures) == failures


@given(percent=st.integers(0, 1000), ran=st.integers(1, 5000), data=st.data())
def test_the_pass_rate_is_exact(percent: int, ran: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, ran))
    tally = thresholds.Tally(ran=ran, bad=bad, excused=0, flaky=0, unexplained=0, reasons=())
    rate, *_ = thresholds.judged(tally, Gates(pass_rate=float(f"{percent / 10}") / 100))
    assert rate.holds == ((ran - bad) * 1000 >= percent * ran)
    assert ("100 %" in rate.found) == (bad == 0)


Change = Callable[[Reports], object]
ABNORMAL: dict[str, tuple[Change, dict[str, str], Kind, str]] = {
    "a leg is missing": (
        lambda r: r.pop("two"), RED, Kind.UNPROVEN,
        "TQ-01: 1 of 2 test jobs delivered no report: unit · Python 3.12 · 2/2.",
    ),
    "a leg is missing though its job is green": (
        lambda r: r.pop("two"), GREEN, Kind.UNPROVEN,
        "TQ-01: 1 of 2 test jobs delivered no report: unit · Python 3.12 · 2/2.",
    ),
    "another commit": (
        lambda r: r["two"].update(commit="d" * 40), GREEN, Kind.UNPROVEN,
        "TQ-01: unit · Python 3.12 · 2/2 tested commit dddddddddddd, but the plan is for cccccccccccc.",
    ),
    "another call's report": (
        lambda r: r["two"].update(name="other"), GREEN, Kind.UNPROVEN,
        "TQ-01: 1 of 2 test jobs delivered no report: unit · Python 3.12 · 2/2.",
    ),
    "an id in two shards": (
        lambda r: (r["two"]["collected"].append("test_a.py::test_0"),
                   r["two"]["results"].append(result("test_a.py::test_0"))),
        GREEN, Kind.UNPROVEN, "TQ-01: unit · Python 3.12: 1 test ran in two shards: test_a.py::test_0.",
    ),
    "ids without a result": (
        lambda r: r["one"]["results"].pop(), GREEN, Kind.UNPROVEN,
        "TQ-01: unit · Python 3.12 · 1/2: 1 of 60 tests have no result: test_a.py::test_59.",
    ),
    "two results": (
        lambda r: r["one"]["results"].append(result("test_a.py::test_0")), GREEN, Kind.UNPROVEN,
        "TQ-01: unit · Python 3.12 · 1/2: 1 test with two results: test_a.py::test_0.",
    ),
    "a result that was never collected": (
        lambda r: r["one"]["results"].append(result("test_x.py::test_0")), GREEN, Kind.UNPROVEN,
        "TQ-01: unit · Python 3.12 · 1/2: 1 test with a result but not collected: test_x.py::test_0.",
    ),
    "another plan's files": (
        lambda r: r["one"].update(files=[]), GREEN, Kind.UNPROVEN,
        "TQ-01: unit · Python 3.12 · 1/2 was given 0 files where the plan gives it 1.",
    ),
    "a shard that broke": (
        lambda r: r["one"].update(verdict="error", why="pytest was ended by SIGKILL."), RED, Kind.UNPROVEN,
        "TQ-02: unit · Python 3.12 · 1/2 ended with the verdict error. pytest was ended by SIGKILL.",
    ),
    "a shard that failed without a failing test": (
        lambda r: r["one"].update(verdict="failed", why="A hook said no."), RED, Kind.NO,
        "TQ-02: unit · Python 3.12 · 1/2 ended with the verdict failed. A hook said no.",
    ),
    "a job that failed behind its reports": (
        lambda _: None, RED, Kind.UNPROVEN, "test: The job test failed, though every part of it reported success.",
    ),
    "all shards are empty": (
        lambda r: [report.update(results=[], collected=[], verdict="empty") for report in r.values()], GREEN, Kind.NO,
        "TQ-01: unit · Python 3.12: no test was collected in any shard.",
    ),
    "lint failed": (lambda _: None, GREEN | {"lint": "failure"}, Kind.NO, "lint: The job lint failed."),
    "lint was skipped": (
        lambda _: None, GREEN | {"lint": "skipped"}, Kind.UNPROVEN, "lint: The job lint was announced but did not run.",
    ),
    "lint was cancelled": (
        lambda _: None, GREEN | {"lint": "cancelled"}, Kind.UNPROVEN, "lint: The job lint was cancelled.",
    ),
    "lint was not named": (
        lambda _: None, {"plan": "success", "test": "success"}, Kind.UNPROVEN, "lint: The job lint has no result.",
    ),
    "the tests were skipped": (
        lambda r: r.clear(), GREEN | {"test": "skipped"}, Kind.UNPROVEN,
        "test: The job test was announced but did not run.",
    ),
    "a job ran that was not announced": (
        lambda _: None, GREEN | {"test-after": "success"}, Kind.UNPROVEN,
        "test-after: The job test-after ran (success) though the plan did not announce it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ABNORMAL)
def test_each_abnormal_run_is_named_once(name: str, tmp_path: Path) -> None:
    change, jobs, kind, message = ABNORMAL[name]
    reports = usual()
    change(reports)
    verdict = judged(tmp_path, reports, jobs)
    assert said(verdict) == message
    [finding] = verdict.findings
    assert finding.kind is kind
    assert finding.next_step.endswith(".")
    assert verdict.exit == kind.value


def test_empty_shards_beside_others_are_fine(tmp_path: Path) -> None:
    reports = usual()
    reports["two"].update(results=[], collected=[], verdict="empty")
    assert judged(tmp_path, reports).findings == ()


def test_a_shard_that_stopped_at_maxfail_says_so(tmp_path: Path) -> None:
    reports = failing(usual(), 10)
    del reports["one"]["results"][10:]
    verdict = judged(tmp_path, reports, RED)
    rate, stopped = verdict.findings
    assert "10 of 50 tests failed" in rate.message
    assert (
        stopped.message
        == "unit · Python 3.12 · 1/2: 50 of 60 tests have no result: test_a.py::test_10, test_a.py::test_11, test_a.py::test_12 and 47 more."
    )
    assert "maxfail" in stopped.next_step
    assert verdict.exit is Exit.NO


def test_a_broken_shard_is_red_whatever_the_pass_rate(tmp_path: Path) -> None:
    reports = failing(usual(), 1)
    reports["one"].update(verdict="error", why="A worker crashed.")
    verdict = judged(tmp_path, reports, RED, gates=Gates(pass_rate=0.5))
    assert said(verdict) == "TQ-02: unit · Python 3.12 · 1/2 did not come to its end. A worker crashed."
    assert verdict.exit is Exit.INFRASTRUCTURE


def test_the_newest_attempt_of_a_leg_counts(tmp_path: Path) -> None:
    reports = usual()
    reports["a first attempt"] = failing(usual(), 5)["one"]
    reports["one"]["attempt"] = 2
    assert judged(tmp_path, reports).findings == ()
    reports["one"]["attempt"], reports["a first attempt"]["attempt"] = 9, 10
    assert judged(tmp_path, reports).exit is Exit.NO


def test_a_leg_of_an_attempt_before_the_plan_proves_nothing(tmp_path: Path) -> None:
    """'Re-run failed jobs' keeps the plan and the green legs; 'Re-run all jobs' makes a new plan, and all legs run."""
    reports = usual()
    reports["two"]["attempt"] = 2
    plan = Plan(PLAN.name, PLAN.event, PLAN.commit, PLAN.tiers, PLAN.pythons, PLAN.jobs, attempt=2)
    assert judged(tmp_path, reports).findings == ()
    assert said(judged(tmp_path, reports, RED, plan=plan)) == (
        "TQ-01: unit · Python 3.12 · 1/2 has only a report of attempt 1; the plan is of attempt 2."
    )


def test_a_second_stage_that_never_came(tmp_path: Path) -> None:
    tiers = (*PLAN.tiers, PlannedTier("slow", (Share(("test_s.py",)),), stage=AFTER))
    plan = Plan("ci", "pull-request", COMMIT, tiers, ("3.12",), {"lint": True, "test": True, "test-after": True})
    verdict = judged(tmp_path, failing(usual(), 1), RED | {"test-after": "skipped"}, plan=plan)
    assert said(verdict) == (
        "TQ-02: Pass rate: 99 % (1 of 100 tests failed), wanted at least 100 %: 1 too many.\n"
        "test-after: The job test-after was announced but did not run."
    )
    assert "mend that first" in verdict.findings[1].next_step
    slow = leg_report(["test_s.py"], [result("test_s.py::test_a")], tier="slow")
    assert judged(tmp_path, usual() | {"slow": slow}, GREEN | {"test-after": "success"}, plan=plan).findings == ()


SHARED = Plan(
    "ci",
    "pull-request",
    COMMIT,
    (
        PlannedTier("fast", (Share(("a.py",)),), marker="not slow"),
        PlannedTier("net", (Share(("a.py",)),), marker="net"),
    ),
    ("3.11", "3.12"),
    {"test": True},
)


def shared(*ids: str) -> Reports:
    """`fast` runs `a.py::t` on both Pythons, `net` the tests `ids`."""
    return {
        f"{tier}-{python}": leg_report(["a.py"], [result(test) for test in tests], tier=tier, python=python)
        for python in SHARED.pythons
        for tier, tests in (("fast", ("a.py::t", "a.py::u")), ("net", ids))
    }


def test_markers_that_overlap_are_one_finding_with_both_tiers(tmp_path: Path) -> None:
    verdict = judged(tmp_path, shared("a.py::t", "a.py::n"), plan=SHARED)
    assert said(verdict) == "TQ-01: The tiers fast and net both ran 1 test on Python 3.11, 3.12: a.py::t."
    assert "markers that exclude each other" in verdict.findings[0].next_step
    assert verdict.exit is Exit.NO


def test_markers_that_exclude_each_other_share_a_file(tmp_path: Path) -> None:
    assert judged(tmp_path, shared("a.py::n"), plan=SHARED).findings == ()


def test_a_shared_file_that_cannot_be_imported_ran_nowhere(tmp_path: Path) -> None:
    reports = shared("a.py::n")
    for report in reports.values():
        report.update(results=[result("a.py", "error")], collected=[], verdict="failed")
    verdict = judged(tmp_path, reports, RED, plan=SHARED)
    assert said(verdict) == "TQ-02: Pass rate: 0 % (4 of 4 tests failed), wanted at least 100 %: 4 too many."


@pytest.mark.parametrize(("flaky", "green"), [(2, True), (3, False)])
def test_the_flake_rate(flaky: int, green: bool, tmp_path: Path) -> None:
    reports = usual()
    for entry in reports["one"]["results"][:flaky]:
        entry.update(flaky=True, attempts=2)
    verdict = judged(tmp_path, reports)
    assert (not verdict.findings) is green
    assert [test.id for test in verdict.flaky] == [f"test_a.py::test_{number}" for number in range(flaky)]


@pytest.mark.parametrize(("limit", "green"), [(None, True), (3, True), (2, False), (0, False)])
def test_ignored_tests_are_those_skipped_and_deselected(limit: int | None, green: bool, tmp_path: Path) -> None:
    reports = usual()
    reports["one"]["results"][0].update(outcome="skipped")
    reports["two"]["deselected"] = ["test_b.py::x", "test_b.py::y"]
    assert (not judged(tmp_path, reports, gates=Gates(ignored_tests=limit)).findings) is green


def test_expected_failures_and_skips_are_no_failures(tmp_path: Path) -> None:
    reports = usual()
    for entry, outcome in zip(reports["one"]["results"], ("skipped", "xfailed", "xpassed"), strict=False):
        entry.update(outcome=outcome)
    assert judged(tmp_path, reports).findings == ()


def test_a_file_that_could_not_be_collected_is_a_failure(tmp_path: Path) -> None:
    reports = usual()
    reports["one"]["results"].append(result("test_a.py", "error", message="ImportError: no module x"))
    reports["one"]["verdict"] = "failed"
    verdict = judged(tmp_path, reports, RED)
    assert [(failure.id, failure.message) for failure in verdict.failures] == [
        ("test_a.py", "ImportError: no module x")
    ]


def test_a_test_that_fails_everywhere_is_listed_once(tmp_path: Path) -> None:
    plan = Plan(
        "ci", "pull-request", COMMIT, (PlannedTier("unit", (Share(("a.py",)),)),), ("3.11", "3.12"), {"test": True}
    )
    reports = {p: leg_report(["a.py"], [result("a.py::t", "failed")], python=p) for p in plan.pythons}
    [failure] = judged(tmp_path, reports, RED, plan=plan).failures
    assert [leg.python for leg in failure.legs] == ["3.11", "3.12"]


def test_a_single_artifact_is_unpacked_straight_into_the_folder(tmp_path: Path) -> None:
    plan = Plan("ci", "pull-request", COMMIT, (PlannedTier("unit", (Share(("a.py",)),)),), ("3.12",), {"test": True})
    (tmp_path / "test.json").write_text(json.dumps(leg_report(["a.py"], [result("a.py::t")])), encoding="utf-8")
    assert judge(plan, GREEN, read_evidence(tmp_path, "ci"), Gates()).findings == ()


def test_no_folder_at_all_is_no_report(tmp_path: Path) -> None:
    assert read_evidence(tmp_path / "missing", "ci").reports == {}


BROKEN = {
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "empty": b"",
    "another shape": b"[]",
    "another schema": b'{"schema": "ci-kit/plan/1"}',
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "a number with too many digits": b'{"attempt": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_report_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    verdict = judged(tmp_path, usual())
    (tmp_path / "two" / "test.json").write_bytes(content)
    verdict = judge(PLAN, RED, read_evidence(tmp_path, "ci"), Gates())
    unreadable, missing = verdict.findings
    assert "test.json in two is not a readable test report" in unreadable.message
    assert "1 of 2 test jobs delivered no report" in missing.message
    assert verdict.exit is Exit.INFRASTRUCTURE


def test_a_report_that_is_too_large_or_a_link_is_not_read(tmp_path: Path) -> None:
    judged(tmp_path, usual())
    os.truncate(tmp_path / "one" / "test.json", MOST_BYTES + 1)
    (tmp_path / "two" / "real").write_bytes((tmp_path / "two" / "test.json").read_bytes())
    (tmp_path / "two" / "test.json").unlink()
    (tmp_path / "two" / "test.json").symlink_to("real")
    evidence = read_evidence(tmp_path, "ci")
    assert evidence.reports == {}
    assert len(evidence.unreadable) == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 4000])
def test_numbers_that_no_clock_shows_do_no_harm(value: str, tmp_path: Path) -> None:
    judged(tmp_path, usual())
    path = tmp_path / "two" / "test.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"seconds": 1.5', f'"seconds": {value}'), encoding="utf-8")
    evidence = read_evidence(tmp_path, "ci")
    assert [report.seconds for report in evidence.reports.values()] == [1.5, 0.0]


@given(text=st.text())
def test_shown_text_is_one_printable_line(text: str) -> None:
    shown = printable(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 50 * 10 + 1
    shown.encode()  # no lone surrogate is left
    if text.isprintable() and len(text) <= 50:
        assert shown == text
