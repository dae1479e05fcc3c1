"""`ci-kit pipeline gate` on downloaded results, as the gate job runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ci_kit.coverage_combine.result import Known, unjudged_report
from integration.pipeline_kit import Step, run_step, write
from tooling.leg_reports import COMMIT, leg_report, result

TEST = "def test_a():\n    pass\n"
CONFIG = "tiers: [{name: unit, paths: [tests], shards: 2}]\n"
JOBS = "plan=success lint=skipped test=success test-after=skipped"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose plan was made, with the results of its two shards and a coverage report."""
    files = {".github/ci-kit.yml": CONFIG, "tests/test_a.py": TEST, "tests/test_b.py": TEST}
    root = write(tmp_path / "project", {**files, ".python-version": "3.12\n"})
    assert run_step(root, "plan").code == 0
    for index, name in enumerate("ab", 1):
        deliver(root, f"ci-results-unit-py3.12-{index}of2-a1", shard_report(name, index))
    coverage(root, "passed", 91.354)
    return root


def shard_report(name: str, index: int, outcome: str = "passed", message: str | None = None) -> dict[str, Any]:
    entry = result(f"tests/test_{name}.py::test_a", outcome, message=message)
    return leg_report([f"tests/test_{name}.py"], [entry], shard=(index, 2))


def deliver(root: Path, artifact: str, report: dict[str, Any]) -> Path:
    folder = root.parent / "runner-temp" / "ci-kit" / "results" / artifact
    write(folder, {"test.json": json.dumps(report)})
    return folder


def coverage(root: Path, verdict: str, percent: float | None, **more: object) -> None:
    total = (
        None if percent is None else {"percent": percent, "covered": 1, "counted": 1, "lines": PART, "branches": PART}
    )
    report = {**unjudged_report("ci", verdict, Known(COMMIT)), "total": total, **more}
    write(root.parent / "runner-temp" / "ci-kit", {"coverage-combine.json": json.dumps(report)})


PART = {"covered": 1, "counted": 1}


def gate(root: Path, jobs: str = JOBS, **environ: str) -> Step:
    return run_step(root, "gate", CI_KIT_JOBS=jobs, **environ)


def delivered(root: Path, artifact: str = "ci-gate-a1") -> dict[str, str]:
    """The outputs with which the workflow uploads the gate's report, whatever the verdict."""
    return {"report": str(root.parent / "runner-temp" / "ci-kit" / "gate.json"), "artifact": artifact}


def remembered(root: Path) -> dict[str, str]:
    """The output with which the workflow saves the history, on the default branch."""
    return {"history": str(root.parent / "runner-temp" / "ci-kit" / "history" / "history.json")}


def test_green(root: Path) -> None:
    step = gate(root)
    assert step.code == 0, step.log
    assert step.outputs == {"verdict": "passed", **delivered(root), **remembered(root)}
    assert step.summary.startswith("## ✅ Green: 2 tests, 91.35 % covered\n")
    assert "Gate: green." in step.log
    assert "::error" not in step.log
    assert step.report("gate")["verdict"] == "passed"


def test_a_failing_test(root: Path) -> None:
    report = shard_report("b", 2, "failed", message="assert 1 == 2")
    deliver(root, "ci-results-unit-py3.12-2of2-a1", report)
    step = gate(root, JOBS.replace("test=success", "test=failure"))
    assert step.code == 1
    assert step.outputs == {"verdict": "failed", **delivered(root), **remembered(root)}
    [finding] = step.report("gate")["findings"]
    assert (finding["kind"], finding["gate"]) == ("no", "TQ-02")
    assert finding["next-step"].startswith("Mend the tests below")
    assert step.summary.startswith("## ❌ Red: 1 of 2 tests failed, 91.35 % covered\n")
    assert "  failed: tests/test_b.py::test_a (unit · Python 3.12 · 2/2): assert 1 == 2" in step.log
    assert len([line for line in step.log.splitlines() if line.startswith("::error")]) == 1


def test_a_shard_that_never_reported(root: Path) -> None:
    for path in (root.parent / "runner-temp/ci-kit/results/ci-results-unit-py3.12-2of2-a1").iterdir():
        path.unlink()
    step = gate(root, JOBS.replace("test=success", "test=failure"))
    assert step.code == 3
    assert "1 of 2 test jobs delivered no report: unit · Python 3.12 · 2/2. Open the log of that job" in step.log


def test_a_mistake_in_what_coverage_was_given_is_said_in_its_own_words(root: Path) -> None:
    said = {"leg": None, "message": "coverage.components.core matches nothing.", "next-step": "Correct the pattern."}
    coverage(root, "mistaken", 60.0, problems=[said])
    step = gate(root)
    assert step.code == 3
    assert "TQ-05: coverage.components.core matches nothing. Correct the pattern." in step.log


@pytest.mark.parametrize(
    ("verdict", "code", "said"),
    [("failed", 1, "Coverage is under its gate."), ("untrusted", 3, "the data cannot be trusted"),
     ("nonsense", 3, "is not a readable coverage-combine report"), (None, 3, "There is no coverage report.")],
)  # fmt: skip
def test_coverage_has_its_say(verdict: str | None, code: int, said: str, root: Path) -> None:
    if verdict is None:
        (root.parent / "runner-temp/ci-kit/coverage-combine.json").unlink()
    else:
        coverage(root, verdict, None if verdict == "untrusted" else 60.0)
    step = gate(root)
    assert step.code == code, step.log
    (line,) = [line for line in step.log.splitlines() if line.startswith("  TQ-05: ")]
    assert said in line
    assert step.summary.startswith("## ❌ Red: no test failed (2 ran), but this is wrong")


@pytest.mark.parametrize("word", ["failure", "cancelled", "skipped", ""])
def test_without_a_plan_nothing_is_known(word: str, tmp_path: Path) -> None:
    root = write(tmp_path / "project", {})
    step = gate(root, f"plan={word} lint=skipped test=skipped", GITHUB_RUN_ATTEMPT="2", CI_KIT_NAME="other")
    assert step.code == 3
    assert step.outputs == {"verdict": "failed", **delivered(root, "other-gate-a2")}
    report = step.report("gate")
    assert (report["verdict"], report["commit"], report["counts"]) == ("failed", COMMIT, {})
    assert report["jobs"] == {"plan": word or "missing", "lint": "skipped", "test": "skipped"}
    [finding] = report["findings"]
    assert finding["message"].startswith("the job plan ended with")
    assert step.summary.startswith("## ❌ Red: the plan failed")
    assert "the job plan ended with" in step.log


@pytest.mark.parametrize(
    "jobs",
    ["plan", "plan=ok", "plan=success,test=success", "Plan=success", "=success", "plan=success test", "; rm -rf /"],
)
def test_strange_words_for_the_jobs_are_the_callers_mistake(jobs: str, root: Path) -> None:
    step = gate(root, jobs)
    assert step.code == 2
    assert "input jobs: expected words job=result" in step.log


def test_the_jobs_must_be_given(root: Path) -> None:
    step = gate(root, "")
    assert step.code == 2
    assert "plan=success lint=skipped test=success" in step.log
    assert step.report("gate")["findings"][0]["message"].startswith("input jobs: ")


def test_a_missing_plan_is_no_riddle(root: Path) -> None:
    (root.parent / "runner-temp/ci-kit/plan.json").unlink()
    step = gate(root)
    assert step.code == 3
    assert "plan.json in ci-kit is not a readable plan report" in step.log
    assert step.outputs == {"verdict": "failed", **delivered(root)}
    assert "plan.json" in step.report("gate")["findings"][0]["message"]


def test_a_hostile_report_commands_nothing(root: Path) -> None:
    evil = "\n::error::owned\n::set-output name=verdict::passed\r::add-mask::passed\u2028::stop-commands::x\x1b[2J"
    report = shard_report("b", 2, "failed", message=evil) | {"why": evil}
    report["results"][0]["id"] = report["collected"][0] = f"tests/test_b.py::test_a[{evil}]"
    deliver(root, "ci-results-unit-py3.12-2of2-a1", report)
    foreign = shard_report("b", 2) | {"tier": evil, "commit": evil, "files": [evil]}
    deliver(root, "ci-results-x", foreign)
    deliver(root, "ci-results-y", {"schema": evil})
    step = gate(root, JOBS.replace("test=success", "test=failure"))
    assert step.code == 1
    assert step.outputs == {"verdict": "failed", **delivered(root), **remembered(root)}
    commands = [line for line in step.log.splitlines() if line.lstrip().startswith("::")]
    assert commands
    assert all(line.startswith("::error title=Gate TQ-0") for line in commands)
    assert "\x1b" not in step.log + step.summary
    assert step.summary.count("## ") == 2  # the headline and the failed tests


def test_a_huge_report_is_bounded(root: Path) -> None:
    results = [
        result(f"tests/test_b.py::test_a[{'x' * 300}{number}]", "failed", message="y" * 1000) for number in range(9000)
    ]
    deliver(root, "ci-results-unit-py3.12-2of2-a1", leg_report(["tests/test_b.py"], results, shard=(2, 2)))
    step = gate(root, JOBS.replace("test=success", "test=failure"))
    assert step.code == 1
    assert len(step.summary) < 100_000
    assert len(step.log) < 400_000
