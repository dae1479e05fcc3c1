"""Every way a run must be red: the right job, the right message, the documented exit code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from act.consumer import PROJECT, PYTHON, SINGLE, WORKFLOW, lay, run

CONFIG = ".github/ci-kit.yml"


@dataclass(frozen=True)
class Case:
    """`files` change the good project; `job` must fail with `code` in step `step` and say all of `says`."""

    files: Mapping[str, str | None]
    job: str
    step: str
    code: int
    says: tuple[str, ...]
    gate: str | None = "failure"
    gate_says: tuple[str, ...] = ()
    wanted: Mapping[str, Any] = field(default_factory=dict)


UNIT = f'python: ["{PYTHON}"]\ntiers: [{{name: unit, paths: [tests], shards: 2}}]\n'
FAILING = "from shop import label\n\n\ndef test_wrong():\n    assert label(5) == 'five'\n"
DYING = "import os\n\n\ndef test_dies():\n    os.kill(os.{victim}(), 9)\n    os.kill(os.getpid(), 9)\n"

CASES = {
    "a failing test": Case(
        {"tests/test_label.py": FAILING},
        "test", "Test", 1, ("tests/test_label.py::test_wrong",),
        gate_says=("TQ-02", "test_wrong"),
    ),
    "a file that does not import": Case(
        {"tests/test_label.py": "import nothing_of_that_name\n"},
        "test", "Test", 1, ("tests/test_label.py", "nothing_of_that_name"),
    ),
    "coverage under the gate": Case(
        {CONFIG: UNIT + "coverage: {total: 99.9}\n", "src/more.py": "def never() -> int:\n    return 1\n"},
        "gate", "Combine coverage", 1, ("99.9",),
        gate_says=("TQ-05",),
    ),
    "a missing required secret": Case(
        {CONFIG: UNIT + "secrets: {required: [API_KEY]}\n"},
        "plan", "Plan", 2, ("API_KEY", "CI_KIT_ENV"),
        gate_says=("the plan failed, so no test ran",),
    ),
    "a misspelt key of the configuration": Case(
        {CONFIG: UNIT + "tires: []\n"},
        "plan", "Plan", 2, (f"{CONFIG}:3", "did you mean 'tiers'?"),
        gate_says=("the plan failed, so no test ran",),
    ),
    "an unknown value of an input": Case(
        {".github/workflows/ci.yml": WORKFLOW + "    with:\n      name: Not A Name\n"},
        "plan", "Plan", 2, ("input name", "Not A Name"),
        gate_says=("input name",),
    ),
    "no tests at all": Case(
        {"tests/test_label.py": None, "tests/test_price.py": None, "tests/readme.md": "nothing here"},
        "plan", "Plan", 2, ("no test files were found",),
        gate_says=("the plan failed, so no test ran",),
    ),
    "a marker that selects nothing": Case(
        {
            CONFIG: f'python: ["{PYTHON}"]\ntiers: [{{name: unit, paths: [tests], shards: 2, marker: slow}}]\n',
            "pyproject.toml": PROJECT["pyproject.toml"] + 'markers = ["slow: takes long"]\n',
        },
        "gate", "Judge the run", 1, ("no test was collected in any shard",),
    ),
    "a failing lint command": Case(
        {CONFIG: UNIT + "lint: ['python -c \"raise SystemExit(7)\"']\n"},
        "lint", "Lint and type check", 1, ("exit code 7",),
        gate_says=("The job lint failed",),
    ),
    "the first tier fails, the second waits for it": Case(
        {
            CONFIG: f'python: ["{PYTHON}"]\ntiers:\n  - {{name: unit, paths: [tests/test_label.py]}}\n'
            "  - {name: late, paths: [tests/test_price.py], after: unit}\n",
            "tests/test_label.py": FAILING,
        },
        "test", "Test", 1, ("test_wrong",),
        gate_says=("The job test-after was announced but did not run",),
    ),
    "one job cannot hold two Pythons": Case(
        {".github/workflows/ci.yml": SINGLE, CONFIG: 'python: ["3.11", "3.12"]\n'},
        "ci", "Plan", 2, ("2 Python versions", "python-ci.yml"),
        gate=None,
    ),
    "one job with a failing test": Case(
        {".github/workflows/ci.yml": SINGLE, CONFIG: f'python: ["{PYTHON}"]\n', "tests/test_label.py": FAILING},
        "ci", "Test", 1, ("tests/test_label.py::test_wrong",),
        gate=None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_is_red_and_says_why(case: Case, tmp_path: Path) -> None:
    repo = lay(
        tmp_path / "repo",
        {
            **{k: v for k, v in PROJECT.items() if case.files.get(k, "") is not None},
            **{k: v for k, v in case.files.items() if v is not None},
        },
    )
    result = run(repo, tmp_path / "out", **case.wanted)

    assert result.verdict == "failure"
    failed = [job for job in result.find(case.job) if job.result == "failure"]
    assert failed, [(job.title, job.result) for job in result.jobs]
    step = next(job.step(case.step) for job in failed)
    assert step.result == "failure"
    text = "\n".join(job.log + "\n".join(note.message for note in job.annotations) for job in failed)
    for words in case.says:
        assert words in text
    assert re.search(rf"exit status {case.code}\b", "\n".join([*failed[0].errors, text]))
    if case.gate is not None:
        gate = result.one("gate")
        assert gate.result == case.gate
        page = "\n".join(gate.summary) + gate.log
        for words in case.gate_says:
            assert words in page


@pytest.mark.parametrize(
    ("victim", "code", "says", "gate_says"),
    [
        # The tests behind it run on in a new process, so the shard comes to its end: one test failed, by crashing.
        ("getpid", 1, "tests/test_label.py::test_dies", "tests/test_label.py::test_dies"),
        ("getppid", 3, "ended by SIGKILL", "unit · Python {python} · {shard}"),
    ],
    ids=["pytest dies", "the whole step dies"],
)
def test_a_shard_that_dies_is_red_and_named(victim: str, code: int, says: str, gate_says: str, tmp_path: Path) -> None:
    repo = lay(tmp_path / "repo", {**PROJECT, "tests/test_label.py": DYING.format(victim=victim)})

    result = run(repo, tmp_path / "out")

    assert result.verdict == "failure"
    dead = [job for job in result.find("test") if job.result == "failure"]
    assert len(dead) == 1
    assert re.search(rf"exit status {code}\b", dead[0].log + "\n".join(dead[0].errors))
    assert says in dead[0].log + "\n".join(note.message for note in dead[0].annotations)
    gate = result.one("gate")
    assert gate.result == "failure"
    assert gate_says.format(python=PYTHON, shard=dead[0].matrix["shard"]) in gate.log
