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
    return run_step(root, "gate", CI_KIT_JOBS="plan=success lint=success test=success test-after=skipped", **environ)


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
