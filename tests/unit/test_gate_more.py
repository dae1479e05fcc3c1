"""The gates beside the pass rate: independence, quarantine, durations, tests that did not run, the union of all shards."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ci_kit.config import Gates
from ci_kit.github import Event
from ci_kit.history import History, Ledger
from ci_kit.history_samples import median
from ci_kit.pipeline import durations, gate_page
from ci_kit.pipeline.collection import Collection, TierCollection, read_collection
from ci_kit.pipeline.durations import Spent
from ci_kit.pipeline.evidence import read_evidence
from ci_kit.pipeline.findings import Kind, Verdict
from ci_kit.pipeline.gate import Surroundings, judge
from ci_kit.pipeline.remember import remember
from ci_kit.plan import Plan, PlannedTier
from ci_kit.quarantine import Entry, Quarantine
from ci_kit.share import Share
from hypothesis import given
from hypothesis import strategies as st
from tooling.leg_reports import COMMIT, leg_report, result

TODAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = Plan(
    "ci", "pull-request", COMMIT, (PlannedTier("unit", (Share(("a.py",)),)),), ("3.12",), {"lint": True, "test": True}
)
GREEN = {"plan": "success", "lint": "success", "test": "success"}
RED = GREEN | {"test": "failure"}


def judged(
    folder: Path,
    results: list[dict[str, Any]],
    gates: Gates | None = None,
    around: Surroundings | None = None,
    **more: Any,  # noqa: ANN401
) -> Verdict:
    (folder / "test.json").write_text(json.dumps(leg_report(["a.py"], results, **more)), encoding="utf-8")
    jobs = RED if any(entry["outcome"] == "failed" and not entry["quarantined"] for entry in results) else GREEN
    return judge(PLAN, jobs, read_evidence(folder, "ci"), gates or Gates(), around or Surroundings(today=TODAY))


def messages(verdict: Verdict) -> list[str]:
    return [f"{finding.gate}: {finding.message}" for finding in verdict.findings]


def row(verdict: Verdict, name: str) -> tuple[str, str, str, bool, bool]:
    (found,) = [each for each in verdict.judged if each.name.startswith(name)]
    return found.found, found.wanted, found.off, found.holds, found.binding


DEPENDENT = {
    "class": "order-dependent", "polluter": "a.py::test_first", "evidence": "It passed alone.",
    "reproduce": "python -m pytest a.py::test_first a.py::test_b",
}  # fmt: skip


def test_an_order_dependent_test_is_red_with_the_test_that_spoils_it(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [result("a.py::test_b", "failed", message="assert 0", **DEPENDENT)])
    first, second = verdict.findings
    assert first.gate == "TQ-02"
    assert (second.kind, second.gate) == (Kind.NO, "TQ-01")
    assert second.message == (
        "a.py::test_b depends on the order of the tests: it fails after a.py::test_first. It passed alone."
    )
    assert second.next_step == "Reproduce it with `python -m pytest a.py::test_first a.py::test_b`."
    assert row(verdict, "order-dependent tests") == ("1", "none", "1 too many", False, True)
    assert verdict.failures[0].why == "order-dependent: It passed alone."


def test_many_order_dependent_tests_are_counted(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [result(f"a.py::test_{number}", "failed", **DEPENDENT) for number in range(9)])
    assert messages(verdict)[-1] == "TQ-01: 6 tests more depend on the order of the tests."
    assert len(verdict.findings) == 5


def test_a_failure_in_quarantine_does_not_gate_and_is_listed(tmp_path: Path) -> None:
    results = [
        result("a.py::test_a"),
        result("a.py::test_b", "failed", quarantined=True, **DEPENDENT),
        result("a.py::test_c", quarantined=True, flaky=True, attempts=2),
    ]
    verdict = judged(tmp_path, results, verdict="passed")
    assert verdict.findings == ()
    assert verdict.failures == ()
    assert [test.id for test in verdict.quarantined] == ["a.py::test_b"]
    assert row(verdict, "pass rate")[0] == "100 % (0 of 2 tests failed), and 1 test in quarantine"
    assert row(verdict, "flaky tests")[0] == "0 % (0 of 2 tests)"
    page = gate_page.page(PLAN, GREEN, read_evidence(tmp_path, "ci"), verdict, None)
    assert "### Failed in quarantine, not judged" in page
    assert page.startswith("## ✅ Green: 3 tests, 1 failed in quarantine\n")
    assert "`a.py::test_b`" in page


def entry(test: str, line: int = 3, expires: date = TODAY) -> Entry:
    return Entry(test, "ann", "slow machine", expires, line)


@pytest.mark.parametrize(
    ("quarantine", "all_tiers", "said"),
    [
        (Quarantine("q.yml", (entry("a.py::test_a"),)), True, []),
        (Quarantine("q.yml", (entry("a.py::test_*"),)), True, []),
        (Quarantine("q.yml", (entry("a.py::test_gone"),)), True, ["The quarantine entry a.py::test_gone matches no test."]),
        (Quarantine("q.yml", (entry("a.py::test_gone"),)), False, []),
        (Quarantine("q.yml", (), (entry("a.py::test_a", 7, date(2026, 5, 31)),)), False,
         ["The quarantine of a.py::test_a ended on 2026-05-31."]),
        (Quarantine("q.yml", (), (entry("a.py::gone", 7, date(2026, 5, 31)),)), True,
         ["The quarantine of a.py::gone ended on 2026-05-31."]),
    ],
)  # fmt: skip
def test_quarantine_entries_that_expired_or_match_nothing_are_red(
    quarantine: Quarantine, all_tiers: bool, said: list[str], tmp_path: Path
) -> None:
    around = Surroundings(quarantine=quarantine, all_tiers=all_tiers, today=TODAY)
    verdict = judged(tmp_path, [result("a.py::test_a")], around=around)
    assert [finding.message for finding in verdict.findings] == said
    for finding in verdict.findings:
        assert (finding.kind, finding.gate, finding.file) == (Kind.NO, "TQ-02", "q.yml")
        assert finding.line in {3, 7}


def test_a_run_without_all_its_reports_knows_no_unknown_entries(tmp_path: Path) -> None:
    around = Surroundings(quarantine=Quarantine("q.yml", (entry("a.py::test_gone"),)), all_tiers=True)
    verdict = judge(PLAN, RED, read_evidence(tmp_path, "ci"), Gates(), around)
    assert not [text for text in messages(verdict) if "quarantine" in text]


BUDGETS: list[tuple[dict[str, float], Spent, float, list[str], list[str]]] = [
    ({}, Spent(run=100.0), 1.5, [], []),
    ({}, Spent(run=500.0), 1.5, [], ["the whole run (pull request): 8 min 20 s, wanted at most 8 min: 20 s too long."]),
    ({"pull-request": 600.0}, Spent(run=500.0), 1.5, [], []),
    ({"pull-request": 300.0}, Spent(run=301.0), 1.5,
     ["the whole run (pull request): 5 min 1 s, wanted at most 5 min: 1.0 s too long."], []),
    ({"default-branch": 1.0}, Spent(run=100.0), 1.5, [], []),
    ({}, Spent(lint=31.0, gate=29.0), 1.5, [], ["lint: 31 s, wanted at most 30 s: 1.0 s too long."]),
    ({"lint": 5.0, "gate": 5.0}, Spent(lint=6.0, gate=7.0), 1.5,
     ["lint: 6.0 s, wanted at most 5.0 s: 1.0 s too long.", "gate: 7.0 s, wanted at most 5.0 s: 2.0 s too long."], []),
    ({}, Spent(), 181.0, [], ["tier unit, its slowest job: 3 min 1 s, wanted at most 3 min: 1.0 s too long."]),
    ({"tiers.unit": 10.0}, Spent(), 11.0,
     ["tier unit, its slowest job: 11 s, wanted at most 10 s: 1.0 s too long."], []),
]  # fmt: skip


@pytest.mark.parametrize(("budgets", "spent", "seconds", "red", "warned"), BUDGETS)
def test_a_budget_of_the_configuration_is_red_and_one_of_the_kit_warns(
    budgets: dict[str, float], spent: Spent, seconds: float, red: list[str], warned: list[str], tmp_path: Path
) -> None:
    verdict = judged(
        tmp_path, [result("a.py::t")], Gates(duration_seconds=budgets), Surroundings(spent=spent), seconds=seconds
    )
    assert messages(verdict) == [f"TQ-03: Time of {text}" for text in red]
    assert [warning.message for warning in verdict.warnings] == [f"Time of {text}" for text in warned]


@given(calls=st.lists(st.floats(0, 100), min_size=3, max_size=5), noise=st.floats(0, 1))
def test_times_like_those_before_are_never_too_slow(calls: list[float], noise: float) -> None:
    assert all(call <= durations.limit(calls) for call in [min(calls), median(calls) + noise])
    assert durations.limit(calls) >= 1.5 * median(calls)


def history_of(folder: Path, *calls: float, flaky: int = 0) -> History:
    """The history of runs of the default branch in which the one test took so long."""
    history = History()
    event = Event("push", COMMIT, "refs/heads/main", "o/r", "1", 1, "ci", "gate", folder)
    for number, call in enumerate(calls):
        phases = {"setup": 0.1, "call": call, "teardown": 0.1}
        shaky = number < flaky
        report = leg_report(["a.py"], [result("a.py::t", phases=phases, flaky=shaky, attempts=1 + shaky)])
        (folder / "test.json").write_text(json.dumps(report), encoding="utf-8")
        event = Event("push", COMMIT, "refs/heads/main", "o/r", str(number), 1, "ci", "gate", folder)
        history = remember(history, PLAN, read_evidence(folder, "ci"), event, NOW + timedelta(days=number), 60.0)
    return history


@pytest.mark.parametrize(
    ("before", "now", "warns"),
    [
        ((0.1, 0.1, 0.1), 1.05, False),  # one second on top is never too slow
        ((0.1, 0.1, 0.1), 1.2, True),
        ((10.0, 10.0, 10.0), 14.9, False),  # nor half as much again
        ((10.0, 10.0, 10.0), 15.1, True),
        ((10.0, 14.0, 6.0), 21.0, False),  # nor three times the usual deviation
        ((10.0, 14.0, 6.0), 22.5, True),
        ((0.1, 0.1), 50.0, False),  # two runs are no history
    ],
)
def test_a_slower_test_warns_when_its_history_does_not_explain_it(
    before: tuple[float, ...], now: float, warns: bool, tmp_path: Path
) -> None:
    history = history_of(tmp_path, *before)
    phases = {"setup": 9.0, "call": now, "teardown": 0.0}
    verdict = judged(tmp_path, [result("a.py::t", phases=phases)], around=Surroundings(history=history))
    assert verdict.findings == ()
    assert bool(verdict.warnings) is warns
    if warns:
        assert verdict.warnings[0].message.startswith("1 test is slower than in the last runs: a.py::t (")


def test_a_failed_or_flaky_test_is_not_called_slow(tmp_path: Path) -> None:
    around = Surroundings(history=history_of(tmp_path, 0.1, 0.1, 0.1))
    phases = {"setup": 0.0, "call": 60.0, "teardown": 0.0}
    for entry in (result("a.py::t", "failed", phases=phases), result("a.py::t", flaky=True, attempts=2, phases=phases)):
        assert judged(tmp_path, [entry], around=around).warnings == ()


def test_a_flaky_test_is_shown_with_its_past_and_the_runs_with_a_chart(tmp_path: Path) -> None:
    history = history_of(tmp_path, 1.0, 2.0, 3.0, flaky=2)
    assert history.ledger("unit") == {"a.py::t": Ledger(3, 2, 0)}
    around = Surroundings(history=history)
    verdict = judged(tmp_path, [result("a.py::t", flaky=True, attempts=2)], Gates(flake_rate=1.0), around)
    page = gate_page.page(PLAN, GREEN, read_evidence(tmp_path, "ci"), verdict, None)
    assert "- `a.py::t`: also in 2 of the last 3 runs" in page
    assert page.count("```mermaid\nxychart-beta") == 2
    assert "    bar [1.2, 2.2, 3.2, 0.1]" in page
    assert "    bar [1, 1, 0, 1]" in page
    short = judged(tmp_path, [result("a.py::t")], around=Surroundings(history=history_of(tmp_path, 1.0, 1.0)))
    assert "mermaid" not in gate_page.page(PLAN, GREEN, read_evidence(tmp_path, "ci"), short, None)


SKIPS = [
    ("", 1), ("unconditional skip", 1), ("needs Redis", 0), ("broken until 2026-06-01", 0),
    ("broken until 2026-05-31", 1), ("Expires: 2026-05-31", 1), ("until 2026-99-99", 0), ("until 2026-05-31, then until 2027-01-01", 0),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "counted"), SKIPS)
def test_a_skip_counts_unless_it_has_a_reason_that_holds(reason: str, counted: int, tmp_path: Path) -> None:
    results = [result("a.py::a"), result("a.py::b", "skipped", message=reason)]
    verdict = judged(tmp_path, results, Gates(ignored_tests=0))
    name = "tests that did not run"
    assert row(verdict, name)[0] == str(counted)
    assert messages(verdict) == (
        [f"T5: {name.capitalize()}, without a valid reason: 1, wanted at most 0: 1 too many."] * counted
    )
    assert verdict.reasons == ((reason, 1),)
    page = gate_page.page(PLAN, GREEN, read_evidence(tmp_path, "ci"), verdict, None)
    assert f"| 1 | {reason or 'no reason given'} |" in page.replace("\\", "")


def test_a_deselected_test_that_another_tier_runs_is_not_left_out(tmp_path: Path) -> None:
    tiers = (PlannedTier("fast", (Share(("a.py",)),)), PlannedTier("slow", (Share(("a.py",)),)))
    plan = Plan("ci", "pull-request", COMMIT, tiers, ("3.12",), {"test": True})
    reports = {
        "fast": leg_report(["a.py"], [result("a.py::a")], tier="fast", deselected=["a.py::b", "a.py::c"]),
        "slow": leg_report(["a.py"], [result("a.py::b")], tier="slow", deselected=["a.py::a", "a.py::c"]),
    }
    for name, report in reports.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.json").write_text(json.dumps(report), encoding="utf-8")
    verdict = judge(plan, {"plan": "success", "test": "success"}, read_evidence(tmp_path, "ci"), Gates(ignored_tests=1))
    assert verdict.findings == ()
    assert verdict.reasons == (("", 1),)


IDS = frozenset({"a.py::a", "a.py::b"})
UNIONS: list[tuple[Collection, list[str]]] = [
    (Collection({"unit": TierCollection(IDS)}), []),
    (Collection({"unit": TierCollection(IDS | {"a.py::c"})}),
     ["TQ-01: unit · Python 3.12: 1 test that the lint job collected ran in no shard: a.py::c."]),
    (Collection({"unit": TierCollection(frozenset({"a.py::a"}))}), []),  # without its service it saw less
    (Collection({"unit": TierCollection(IDS | {"a.py::x"})}), []),  # the shard's own hooks took it out
    (Collection({"unit": TierCollection(frozenset({"a.py::a"}), frozenset({"a.py::b"}))}), []),
    (Collection({}), []),
]  # fmt: skip


@pytest.mark.parametrize(("collection", "said"), UNIONS)
def test_the_shards_together_collected_what_the_lint_job_did(
    collection: Collection, said: list[str], tmp_path: Path
) -> None:
    results = [result("a.py::a"), result("a.py::b")]
    verdict = judged(tmp_path, results, around=Surroundings(collection=collection), deselected=["a.py::x"])
    assert messages(verdict) == said


def lint_report(**more: object) -> dict[str, object]:
    tier = {"tier": "unit", "digest": "d", "collected": ["a.py::a"], "deselected": [], "seconds": 1.0, "note": ""}
    lost: dict[str, object] = {
        "tier": "slow",
        "digest": None,
        "collected": None,
        "deselected": [],
        "seconds": 1.0,
        "note": "No Redis.",
    }
    commands = [{"command": "ruff", "exit": 0, "seconds": 2.5}, {"command": "mypy", "exit": None, "seconds": None}]
    usual = {"schema": "ci-kit/lint/1", "name": "ci", "commit": COMMIT, "attempt": 1}
    return {**usual, "commands": commands, "collection": [tier, lost], **more}


def test_the_newest_collection_of_this_commit_counts(tmp_path: Path) -> None:
    found = {
        "one": lint_report(attempt=2), "two": lint_report(attempt=1, commands=[]), "three": lint_report(name="other"),
        "four": lint_report(attempt=9, commit="d" * 40), "five": {"schema": "nonsense"},
    }  # fmt: skip
    for name, report in found.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "lint.json").write_text(json.dumps(report), encoding="utf-8")
    collection = read_collection(tmp_path, "ci", COMMIT)
    assert collection == Collection({"unit": TierCollection(frozenset({"a.py::a"}))}, 2.5)
    assert read_collection(tmp_path / "nothing", "ci", COMMIT) is None
