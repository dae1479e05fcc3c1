"""Three runs of the default branch and a pull request, step by step as their jobs run them, with a real pytest."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_kit.history import Ledger, read_history
from ci_kit.history_coverage_pack import read_records
from integration.pipeline_kit import Step, run_step, write
from integration.test_pipeline_gate import coverage

TEST_A = """\
import pathlib, pytest

def test_quick():
    pass

def test_flaky():
    marker = pathlib.Path(__file__).with_name("ran-before")
    if not marker.exists():
        marker.touch()
        raise AssertionError("only the first time")

@pytest.mark.skip
def test_skipped():
    pass
"""
TEST_B = "import pytest\n\n@pytest.mark.parametrize('n', range(4))\ndef test_many(n):\n    pass\n"
CONFIG = """\
python: ["{version}"]
lint: ["python --version"]
tiers: [{{name: unit, paths: [tests], shards: 2}}]
test: {{workers: 1, random-order: false}}
gates: {{flake-rate: 50%}}
"""
VERSION = "{}.{}".format(*sys.version_info)
NOTHING: Mapping[str, str] = {}
PULL_REQUEST = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {".github/ci-kit.yml": CONFIG.format(version=VERSION), "tests/test_a.py": TEST_A, "tests/test_b.py": TEST_B}
    return write(tmp_path / "project", files)


def kit_folder(root: Path) -> Path:
    return root.parent / "runner-temp" / "ci-kit"


def whole_run(root: Path, number: int, more: Mapping[str, str] = NOTHING, *, lint: bool = False) -> tuple[Step, Step]:
    """Plan, both shards, lint when it is asked for, and the gate; RUNNER_TEMP stands for cache and artifacts."""
    shutil.rmtree(kit_folder(root) / "results", ignore_errors=True)
    environ = {"GITHUB_RUN_ID": str(number), **more}
    plan = run_step(root, "plan", **environ)
    assert plan.code == 0, plan.log
    beside = kit_folder(root) / "plan.json"
    for shard in ("1/2", "2/2"):
        shard_environ = {"CI_KIT_PLAN": str(beside), "CI_KIT_TIER": "unit", "CI_KIT_SHARD": shard}
        tests = run_step(
            root, "run", room="test", CI_KIT_PYTHON=sys.executable, CI_KIT_PYTHON_VERSION=VERSION,
            CI_KIT_COVERAGE="false", **shard_environ, **environ,
        )  # fmt: skip
        assert tests.code == 0, tests.log
    if lint:
        done = run_step(root, "lint", CI_KIT_VENV=str(Path(sys.executable).parent.parent), **environ)
        assert done.code == 0, done.log
        folder = kit_folder(root) / "results" / done.outputs["artifact"]
        folder.mkdir()
        shutil.copy(done.outputs["report"], folder)
    coverage(root, "passed", 100.0)
    return plan, gate(root, **environ)


def gate(root: Path, **environ: str) -> Step:
    jobs = {"CI_KIT_JOBS": "plan=success lint=success test=success test-after=skipped"}
    return run_step(root, "gate", **jobs | environ)


def gates(step: Step) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in step.report("gate")["gates"]}


def test_three_runs_and_a_pull_request(root: Path) -> None:
    plan, first = whole_run(root, 1)
    assert first.code == 0, first.log
    assert str(kit_folder(root) / "history.json") not in plan.outputs["files"].splitlines()
    kept = kit_folder(root) / "history" / "history.json"
    assert first.outputs["history"] == str(kept)
    assert gates(first)["flaky tests"]["found"].endswith("(1 of 6 tests)")
    assert "also in" not in first.summary
    for number in (2, 3):
        plan, step = whole_run(root, number)
        assert {plan.outputs["plan"], str(kit_folder(root) / "history.json")} <= set(plan.outputs["files"].splitlines())
        assert step.code == 0, step.log
    history, note = read_history(kept)
    assert note is None
    assert [run.key for run in history.runs] == ["1-1", "2-1", "3-1"]
    assert history.ledger("unit") == {"tests/test_a.py::test_flaky": Ledger(3, 1, 0)}
    durations = history.durations("unit")
    assert list(durations["tests/test_a.py"]) == [f"tests/test_a.py::test_{n}" for n in ("quick", "flaky", "skipped")]
    assert list(durations["tests/test_b.py"]) == [f"tests/test_b.py::test_many[{n}]" for n in range(4)]
    assert all(0.001 <= seconds < 1 for tests in durations.values() for seconds in tests.values())

    (root / "tests" / "ran-before").unlink()
    before = kept.read_bytes()
    _, step = whole_run(root, 4, PULL_REQUEST)
    assert step.code == 0, step.log
    assert "history" not in step.outputs
    assert kept.read_bytes() == before
    assert "`tests/test_a.py::test_flaky`: also in 1 of the last 3 runs" in step.summary
    assert step.summary.count("xychart-beta") == 2
    assert gates(step)["time of the whole run (pull request)"]["holds"] is True
    assert step.report("gate")["reasons"] == [{"reason": "unconditional skip", "tests": 1}]


def test_a_run_is_remembered_once_and_a_broken_history_is_none(root: Path) -> None:
    _, first = whole_run(root, 1)
    kept = Path(first.outputs["history"])
    shutil.copy(kept, kit_folder(root))  # as if the plan had found it
    before = kept.read_bytes()
    assert gate(root, GITHUB_RUN_ID="1").outputs["history"] == str(kept)
    assert kept.read_bytes() == before
    assert len(json.loads(gate_history(root, "1", "2"))["runs"]) == 2
    kept.write_text('{"schema": "ci-kit/history/7"}', encoding="utf-8")
    plan = run_step(root, "plan", GITHUB_RUN_ID="2")
    assert plan.code == 0
    assert "history.json" not in plan.outputs["files"]
    assert not (kit_folder(root) / "history.json").exists()
    assert "The history cannot be used, so this run does without it" in plan.log


def gate_history(root: Path, run: str, attempt: str) -> str:
    step = gate(root, GITHUB_RUN_ID=run, GITHUB_RUN_ATTEMPT=attempt)
    return Path(step.outputs["history"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "environ",
    [PULL_REQUEST, {"GITHUB_EVENT_NAME": "pull_request_target"}, {"GITHUB_REF": "refs/heads/other"},
     {"GITHUB_EVENT_NAME": "merge_group", "GITHUB_REF": "refs/heads/gh-readonly-queue/main/pr-1"}],
)  # fmt: skip
def test_only_the_default_branch_writes(environ: dict[str, str], root: Path) -> None:
    _, step = whole_run(root, 1, environ)
    assert step.code == 0, step.log
    assert "history" not in step.outputs
    assert not (kit_folder(root) / "history").exists()


def test_no_history_is_kept_where_none_is_wanted(root: Path) -> None:
    path = root / ".github" / "ci-kit.yml"
    path.write_text(path.read_text(encoding="utf-8") + "history: none\n", encoding="utf-8")
    _, step = whole_run(root, 1)
    assert "history" not in step.outputs


def test_the_lint_job_proves_that_no_test_was_missed(root: Path) -> None:
    _, step = whole_run(root, 1, lint=True)
    assert step.code == 0, step.log
    assert gates(step)["time of lint"]["holds"] is True
    path = kit_folder(root) / "results" / "ci-lint-a1" / "lint.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    [tier] = report["collection"]
    assert len(tier["collected"]) == 7
    tier["collected"].append("tests/test_c.py::test_lost")
    tier["collected"].remove("tests/test_b.py::test_many[3]")  # as without a service that the module asks for
    path.write_text(json.dumps(report), encoding="utf-8")
    step = gate(root)
    assert step.code == 3
    assert [finding["message"] for finding in step.report("gate")["findings"]] == [
        f"unit · Python {VERSION}: 1 test that the lint job collected ran in no shard: tests/test_c.py::test_lost.",
    ]


def test_a_run_that_delivered_nothing_leaves_the_history_alone(root: Path) -> None:
    whole_run(root, 1)
    for report in (kit_folder(root) / "results").glob("*/test.json"):
        report.unlink()
    step = gate(root)
    assert step.code == 3
    assert "history" not in step.outputs
    assert "The history is not kept: no test job delivered anything." in step.log


def of_commit(commit: str, missing: list[str]) -> dict[str, Any]:
    """What `coverage-combine combine` says of one file of ten lines."""
    covered = 10 - sum(len(range(int(text.split("-")[0]), int(text.split("-")[-1]) + 1)) for text in missing)
    lines, none = {"covered": covered, "counted": 10}, {"covered": 0, "counted": 0}
    counts = {"percent": 10.0 * covered, "covered": covered, "counted": 10, "lines": lines, "branches": none}
    leg = {"tier": "unit", "python": VERSION, "shard": {"index": 1, "count": 1}, "attempt": 1, "data-files": 1,
           "bytes": 1, "measured-files": 1, "files-run": 1, "lines-run": 1, "lines-run-alone": 1}  # fmt: skip
    return {
        "commit": commit,
        "total": counts,
        "files": [{"path": "src/a.py", **counts, "missing-lines": missing, "missing-branches": []}],
        "legs": [leg],
        "analysis": {"python": VERSION, "coverage": "7.10.0", "branch": False, "seconds": 1.0},
    }


def records(root: Path) -> dict[str, int]:
    """The commits in the history of a run, with their covered lines."""
    history, note = read_history(kit_folder(root) / "history" / "history.json")
    assert note is None
    found, note = read_records(history.coverage)
    assert note is None
    return {record.commit: record.covered for record in found}


def judged(root: Path, commit: str, missing: list[str], verdict: str = "passed", **environ: str) -> Step:
    coverage(root, verdict, 100.0, **of_commit(commit, missing))
    return gate(root, **environ)


def test_a_run_of_the_default_branch_leaves_its_coverage(root: Path) -> None:
    whole_run(root, 1)
    assert records(root) == {}  # a report without files
    step = judged(root, "a" * 40, ["3-4"], GITHUB_RUN_ID="2")
    assert "The coverage of this commit is kept." in step.log
    step = judged(root, "b" * 40, ["3-4", "7"], verdict="failed", GITHUB_RUN_ID="3")
    assert step.code == 1
    assert records(root) == {"a" * 40: 8, "b" * 40: 7}
    step = judged(root, "b" * 40, [], GITHUB_RUN_ID="3", GITHUB_RUN_ATTEMPT="2")
    assert records(root) == {"a" * 40: 8, "b" * 40: 10}
    judged(root, "c" * 40, [], GITHUB_RUN_ID="4", **PULL_REQUEST)
    assert records(root) == {"a" * 40: 8, "b" * 40: 10}


def test_what_is_no_whole_number_is_not_kept(root: Path) -> None:
    whole_run(root, 1)
    jobs = "plan=success lint=failure test=failure test-after=skipped"
    step = judged(root, "a" * 40, [], GITHUB_RUN_ID="2", CI_KIT_JOBS=jobs)
    assert "The coverage of this commit is not kept: the job test did not end well" in step.log
    step = judged(root, "", [], GITHUB_RUN_ID="3")
    assert "The coverage of this commit is not kept: its commit is not known." in step.log
    beside = kit_folder(root) / "selection.json"
    choice = json.loads(beside.read_text(encoding="utf-8"))
    tier = {"all": False, "reason": "1 file changed", "affected": [], "unaffected": ["tests/test_b.py::test_many[0]"]}
    choice |= {"select": "affected", "tiers": {"unit": {**tier, "changed": []}}}
    beside.write_text(json.dumps(choice), encoding="utf-8")
    step = judged(root, "a" * 40, [], GITHUB_RUN_ID="4")
    assert "The coverage of this commit is not kept: only affected tests ran." in step.log
    assert records(root) == {}


def test_a_hostile_history_of_coverage_is_none_and_said(root: Path) -> None:
    whole_run(root, 1)
    kept = kit_folder(root) / "history" / "history.json"
    data = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps(data | {"coverage": "eJzLSM3JyQcABiwCFQ=="}), encoding="utf-8")
    step = judged(root, "a" * 40, [], GITHUB_RUN_ID="2")
    assert step.code == 0, step.log
    assert "The coverage of earlier commits cannot be used, so this run does without it: " in step.log
    assert records(root) == {"a" * 40: 10}
    assert len(json.loads(kept.read_text(encoding="utf-8"))["runs"]) == 2


@pytest.mark.parametrize("restored", [True, False])
def test_of_two_runs_at_the_same_time_neither_is_lost(restored: bool, root: Path, tmp_path: Path) -> None:
    """Both plans know the same history; the gates run one after the other, each with the newest restored first."""
    whole_run(root, 1)
    judged(root, "a" * 40, [], GITHUB_RUN_ID="2")
    saved = kit_folder(root) / "history"
    other = tmp_path / "other" / "project"
    shutil.copytree(root.parent, other.parent, ignore=shutil.ignore_patterns("other"))
    for folder in map(kit_folder, (root, other)):  # what came with the plan stays, what its job had restored does not
        shutil.move(folder / "history" / "history.json", folder / "history.json")
        shutil.rmtree(folder / "history")
    first = judged(root, "b" * 40, ["1"], GITHUB_RUN_ID="3")
    assert first.code == 0, first.log
    if restored:
        shutil.copytree(saved, kit_folder(other) / "history")
    second = judged(other, "c" * 40, ["1-2"], GITHUB_RUN_ID="4")
    assert second.code == 0, second.log
    history, _ = read_history(kit_folder(other) / "history" / "history.json")
    assert [run.id for run in history.runs] == (["1", "2", "3", "4"] if restored else ["1", "2", "4"])
    found = {"a" * 40: 10, "b" * 40: 9, "c" * 40: 8}
    assert records(other) == (found if restored else {commit: n for commit, n in found.items() if commit != "b" * 40})
