"""Tests that did not run because the change cannot reach them, and tests that must not be lost beside a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ci_kit.affected import Affected
from ci_kit.affected_plan import FIRST, ONLY, TestChoice
from ci_kit.config import Gates
from ci_kit.pipeline import gate_page
from ci_kit.pipeline.collection import Collection, TierCollection
from ci_kit.pipeline.evidence import read_evidence
from ci_kit.pipeline.findings import Verdict
from ci_kit.pipeline.gate import Surroundings, judge
from ci_kit.plan import Plan, PlannedTier
from ci_kit.share import Part, Share
from tooling.leg_reports import COMMIT, leg_report, result

UNAFFECTED = frozenset({"a.py::a", "b.py::b"})
JOBS = {"plan": "success", "test": "success"}
TALLY = {"tests": 1, "sum": "00000000000000aa"}


def choice(select: str = ONLY, unaffected: frozenset[str] = UNAFFECTED) -> TestChoice:
    return TestChoice(select, tiers={"unit": Affected(all=False, reason="1 file differs", unaffected=unaffected)})


def plan_of(*shares: Share) -> Plan:
    return Plan("ci", "pull-request", COMMIT, (PlannedTier("unit", shares),), ("3.12",), {"test": True})


def judged(
    folder: Path, plan: Plan, reports: list[dict[str, Any]], around: Surroundings, jobs: dict[str, str] = JOBS
) -> Verdict:
    for number, report in enumerate(reports):
        path = folder / str(number) / "test.json"
        path.parent.mkdir()
        path.write_text(json.dumps(report), encoding="utf-8")
    return judge(plan, jobs, read_evidence(folder, "ci"), Gates(pass_rate=0.5), around)


def said(verdict: Verdict) -> list[str]:
    return [f"{finding.gate}: {finding.message}" for finding in verdict.findings]


TWO = plan_of(Share(("a.py",)), Share(("b.py",)))


@pytest.mark.parametrize(
    ("told", "messages"),
    [
        (choice(), []),
        (choice(unaffected=frozenset({"a.py::a"})),
         ["TQ-01: unit · Python 3.12 · 2/2: 1 test left out that the plan did not leave out: b.py::b."]),
        (choice(FIRST),
         ["TQ-01: unit · Python 3.12 · 1/2: 1 test left out that the plan did not leave out: a.py::a.",
          "TQ-01: unit · Python 3.12 · 2/2: 1 test left out that the plan did not leave out: b.py::b."]),
    ],
)  # fmt: skip
def test_a_tier_may_run_no_test_when_the_plan_says_that_the_change_reaches_none(
    told: TestChoice, messages: list[str], tmp_path: Path
) -> None:
    reports = [
        leg_report(["a.py"], [], shard=(1, 2)) | {"not-selected": ["a.py::a"]},
        leg_report(["b.py"], [], shard=(2, 2)) | {"not-selected": ["b.py::b"]},
    ]
    whole = Collection({"unit": TierCollection(UNAFFECTED)})
    verdict = judged(tmp_path, TWO, reports, Surroundings(collection=whole, choice=told))
    assert said(verdict) == messages
    page = gate_page.page(TWO, JOBS, read_evidence(tmp_path, "ci"), verdict, None)
    assert "2 more did not run, because the change cannot reach them" in page


def test_a_tier_that_lost_all_its_tests_is_red(tmp_path: Path) -> None:
    reports = [leg_report(["a.py"], [], shard=(1, 2)), leg_report(["b.py"], [], shard=(2, 2))]
    assert said(judged(tmp_path, TWO, reports, Surroundings(choice=choice()))) == [
        "TQ-01: unit · Python 3.12: no test was collected in any shard."
    ]


@pytest.mark.parametrize("verdict", ["passed", "failed", "empty"])
def test_a_shard_that_does_not_say_what_it_ran_of_a_cut_file_proves_nothing(verdict: str, tmp_path: Path) -> None:
    plan = plan_of(
        Share(parts=(Part("a.py", ("a.py::a",), rest=True),)), Share(parts=(Part("a.py", ("a.py::b",), rest=False),))
    )
    rows = {"passed": [result("a.py::c")], "failed": [result("a.py::c", "failed")], "empty": []}[verdict]
    reports = [
        leg_report(["a.py"], [result("a.py::a")], shard=(1, 2), cut={"left": {"a.py": TALLY}, "kept": {}}),
        leg_report(["a.py"], rows, shard=(2, 2)),
    ]
    jobs = JOBS | {"test": "failure"} if verdict == "failed" else JOBS
    assert said(judged(tmp_path, plan, reports, Surroundings(), jobs)) == [
        "TQ-01: unit · Python 3.12: a shard does not say what it ran of a.py, which is cut."
    ]


def test_a_failure_within_the_pass_rate_hides_no_lost_test(tmp_path: Path) -> None:
    reports = [
        leg_report(["a.py"], [result("a.py::a"), result("a.py::c", "failed")], shard=(1, 2)),
        leg_report(["b.py"], [], shard=(2, 2)),
    ]
    whole = Collection({"unit": TierCollection(frozenset({"a.py::a", "a.py::c", "b.py::b"}))})
    assert said(judged(tmp_path, TWO, reports, Surroundings(collection=whole), JOBS | {"test": "failure"})) == [
        "TQ-01: unit · Python 3.12: 1 test that the lint job collected ran in no shard: b.py::b."
    ]
