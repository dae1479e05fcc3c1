"""`ci-kit pipeline plan` on real folders, as the plan job runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_kit.history import FileTimes, History, TierHistory, write_history
from integration.pipeline_kit import ROOT, run_step, write

TEST = "def test_a():\n    pass\n"
TIERS = """
python: ["3.11", "3.12"]
tiers:
  - {name: unit, paths: [tests/unit], shards: 2}
  - {name: slow, paths: [tests/slow], after: unit}
"""
TREE = {"tests/unit/test_a.py": TEST, "tests/unit/test_b.py": TEST, "tests/slow/test_c.py": TEST}
FORK = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "x/r"}}}}
OURS = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "o/r"}}}}


def project(folder: Path, config: str | None = None, files: dict[str, str] | None = None) -> Path:
    named = {} if config is None else {".github/ci-kit.yml": config}
    return write(folder / "project", {**(TREE if files is None else files), **named})


def test_a_plain_folder_without_git_settings_or_configuration(tmp_path: Path) -> None:
    step = run_step(project(tmp_path), "plan")
    assert step.code == 0, step.log
    assert step.outputs["python"] == "3.13"
    assert (step.outputs["lint"], step.outputs["test"], step.outputs["test-after"]) == ("false", "true", "false")
    assert json.loads(step.outputs["matrix"]) == {"include": [{"tier": "tests", "python": "3.13", "shard": "1/1"}]}
    assert step.outputs["artifact"] == "ci-plan-a1"
    plan = step.report("plan")
    [share] = plan["tiers"][0]["shards"]
    assert share["files"] == ["tests/slow/test_c.py", "tests/unit/test_a.py", "tests/unit/test_b.py"]
    assert (share["parts"], plan["billed-minutes"], plan["history"]) == ([], 3, "There is no history yet.")
    assert (plan["commit"], plan["attempt"]) == ("c" * 40, 1)
    assert step.summary.startswith("### Plan: 1 test job (default branch)\n")


def test_tiers_shards_and_a_second_stage(tmp_path: Path) -> None:
    step = run_step(project(tmp_path, TIERS), "plan", GITHUB_RUN_ATTEMPT="3", CI_KIT_NAME="other")
    first, after = (json.loads(step.outputs[key])["include"] for key in ("matrix", "matrix-after"))
    assert [(leg["tier"], leg["python"], leg["shard"]) for leg in first] == [
        ("unit", "3.11", "1/2"), ("unit", "3.11", "2/2"), ("unit", "3.12", "1/2"), ("unit", "3.12", "2/2"),
    ]  # fmt: skip
    assert [(leg["tier"], leg["python"], leg["shard"]) for leg in after] == [
        ("slow", "3.11", "1/1"),
        ("slow", "3.12", "1/1"),
    ]
    assert (step.outputs["test-after"], step.outputs["artifact"], step.outputs["python"]) == (
        "true",
        "other-plan-a3",
        "3.12",
    )


@pytest.mark.parametrize(
    ("environ", "payload", "event", "tiers", "pythons"),
    [
        ({}, {}, "default-branch", ["unit", "slow"], ["3.11", "3.12"]),
        ({"GITHUB_REF": "refs/heads/topic"}, {}, "other", ["unit"], ["3.12"]),
        ({"GITHUB_REF": "refs/tags/v1"}, {}, "other", ["unit"], ["3.12"]),
        ({"GITHUB_REF": "refs/heads/trunk"}, {"repository": {"default_branch": "trunk"}}, "default-branch",
         ["unit", "slow"], ["3.11", "3.12"]),
        ({"GITHUB_EVENT_NAME": "schedule"}, {}, "default-branch", ["unit", "slow"], ["3.11", "3.12"]),
        ({"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/7/merge"}, OURS, "pull-request",
         ["unit", "slow"], ["3.12"]),
        ({"GITHUB_EVENT_NAME": "merge_group", "GITHUB_REF": "refs/heads/gh-readonly-queue/main/pr-7"}, {},
         "pull-request", ["unit", "slow"], ["3.12"]),
    ],
    ids=["default branch", "other branch", "tag", "named default branch", "schedule", "pull request", "merge queue"],
)  # fmt: skip
def test_the_event_decides_the_depth(
    environ: dict[str, str], payload: dict[str, Any], event: str, tiers: list[str], pythons: list[str], tmp_path: Path
) -> None:
    step = run_step(project(tmp_path, TIERS), "plan", payload=payload, **environ)
    assert step.code == 0, step.log
    plan = step.report("plan")
    assert (plan["event"], [tier["name"] for tier in plan["tiers"]], plan["pythons"]) == (event, tiers, pythons)


def test_services_stand_in_the_slots_of_the_matrix(tmp_path: Path) -> None:
    config = """
tiers:
  - name: unit
    paths: [tests/unit]
    services:
      redis: {image: "redis:7", ports: [6379], ready: "redis://127.0.0.1:6379"}
      db: {image: "postgres:17", env: {POSTGRES_PASSWORD: x}, options: "--health-cmd pg_isready"}
"""
    [leg] = json.loads(run_step(project(tmp_path, config), "plan").outputs["matrix"])["include"]
    assert leg["services"] == {
        "s1": {"image": "redis:7", "ports": ["6379:6379"]},
        "s2": {"image": "postgres:17", "env": {"POSTGRES_PASSWORD": "x"}, "options": "--health-cmd pg_isready"},
    }


WRONG: Mapping[str, tuple[str | None, dict[str, str], dict[str, str], list[str]]] = {
    "no tests": (None, {"src/a.py": ""}, {}, ["no test files were found in pytest's test paths"]),
    "no tests in a tier's paths": (
        "tiers: [{name: unit, paths: [src]}]", {"src/a.py": ""}, {}, ["no test files were found in src"],
    ),
    "a misspelt key": (
        "tires: [{name: unit}]\n", TREE, {}, [".github/ci-kit.yml:1:", "unknown key 'tires' (did you mean 'tiers'?)"],
    ),
    "a path that does not exist": (
        "tiers: [{name: unit, paths: [tests/unt]}]\n", TREE, {},
        [".github/ci-kit.yml:", "tier unit: the test path 'tests/unt' does not exist (did you mean 'unit'?)"],
    ),
    "tiers that overlap": (
        "tiers: [{name: all, paths: [tests]}, {name: unit, paths: [tests/unit]}]\n", TREE, {},
        ["the tiers all and unit both hold tests/unit/test_a.py", "paths that do not overlap"],
    ),
    "too many legs": (
        'python: ["3.11", "3.12"]\ntiers: [{name: unit, paths: [tests], shards: 200}]\n', TREE, {},
        ["the plan has 400 matrix legs; GitHub allows 256", "`depth`"],
    ),
    "a missing secret": (
        "secrets: {required: [TOKEN, KEY]}\n", TREE, {"CI_KIT_ENV": "KEY=s3cret-value"},
        ["required secrets are missing: TOKEN."],
    ),
    "a wrong line of secrets": (None, TREE, {"CI_KIT_ENV": "KEY=fine\nno assignment"}, ["line 2 is not NAME=value"]),
    "a broken pyproject.toml": (
        None, TREE | {"pyproject.toml": "[project]\nname = \n"}, {}, ["file=pyproject.toml,line=2", "is not TOML"],
    ),
    "a broken pytest.ini": (None, TREE | {"pytest.ini": "x = 1\n"}, {}, ["pytest.ini", "cannot be read"]),
    "a broken configuration": ("tiers: [", TREE, {}, [".github/ci-kit.yml", "is not YAML"]),
    "a name that is no name": (None, TREE, {"CI_KIT_NAME": "My CI"}, ["input name: expected lower-case letters"]),
    "single with services": (
        "tiers: [{name: unit, paths: [tests/unit], services: {r: {image: redis}}}]\n", TREE, {"CI_KIT_SINGLE": "true"},
        ["the single-job action cannot run services (tier unit)", "python-ci.yml"],
    ),
    "single with several Pythons": (TIERS, TREE, {"CI_KIT_SINGLE": "true"}, ["cannot run 2 Python versions"]),
    "requires-python that nothing satisfies": (
        None, TREE | {"pyproject.toml": '[project]\nrequires-python = "<3"\n'}, {}, ["admits none of 3.9"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_exit_2_and_says_what_to_do(name: str, tmp_path: Path) -> None:
    config, files, environ, said = WRONG[name]
    step = run_step(project(tmp_path, config, files), "plan", **environ)
    assert step.code == 2, step.log
    for text in said:
        assert text in step.log
    assert "Traceback" not in step.log
    shown = [line for line in step.log.splitlines() if not line.startswith("::add-mask::")]
    assert not any("s3cret-value" in line or "no assignment" in line for line in shown)
    assert step.outputs == {}
    [annotation] = [line for line in shown if line.startswith("::error")]
    assert annotation.endswith((".", ")", "`"))


def test_a_secret_so_short_that_github_would_drop_the_matrix(tmp_path: Path) -> None:
    root = project(tmp_path)
    step = run_step(root, "plan", CI_KIT_ENV="KEY=s3cret-value\nDEBUG=1\n")
    assert step.code == 3, step.log
    assert "the value of the secret DEBUG occurs in the plan's outputs artifact, python, " in step.log
    assert " matrix, " in step.log
    assert "Use a longer value, or put this value, if it is no secret, into the tier's `env`." in step.log
    assert step.outputs == {}
    assert run_step(root, "plan", CI_KIT_ENV="DEBUG=1\n", CI_KIT_SINGLE="true").code == 0


def test_a_fork_needs_no_secrets(tmp_path: Path) -> None:
    root = project(tmp_path, "secrets: {required: [TOKEN]}\n")
    step = run_step(root, "plan", payload=FORK, GITHUB_EVENT_NAME="pull_request", GITHUB_REF="refs/pull/7/merge")
    assert step.code == 0, step.log
    assert "comes from a fork, so GitHub gives it no secrets; it runs without TOKEN." in step.log


def test_single_takes_all_tiers_as_one(tmp_path: Path) -> None:
    config = "tiers: [{name: unit, paths: [tests/unit], shards: 4}, {name: slow, paths: [tests/slow], after: unit}]\n"
    step = run_step(project(tmp_path, config), "plan", CI_KIT_SINGLE="true")
    assert step.code == 0, step.log
    [tier] = step.report("plan")["tiers"]
    assert (tier["name"], tier["paths"], len(tier["shards"]), len(tier["shards"][0]["files"])) == (
        "tests",
        ["tests/unit", "tests/slow"],
        1,
        3,
    )
    assert (step.outputs["tier"], step.outputs["test-after"]) == ("tests", "false")


def test_test_files_of_no_tier_are_named(tmp_path: Path) -> None:
    step = run_step(project(tmp_path, "tiers: [{name: unit, paths: [tests/unit]}]\n"), "plan")
    assert step.code == 0
    assert "::warning" in step.log
    assert "1 test file belongs to no tier of this run: tests/slow/test_c.py." in step.log


def test_a_history_on_a_branch_is_said_to_be_without_effect(tmp_path: Path) -> None:
    step = run_step(project(tmp_path, "history: branch\ntest: {reruns: 1}\n"), "plan")
    assert step.code == 0, step.log
    assert "`history: branch` is without effect in this version: the history is kept in the cache." in step.log
    assert "without effect" not in run_step(project(tmp_path, "test: {reruns: 1}\n"), "plan").log


@pytest.mark.parametrize(("ref", "expected"), [("refs/heads/main", "true"), ("refs/heads/other", "false")])
def test_the_plan_says_whether_mutants_are_tried_and_why(tmp_path: Path, ref: str, expected: str) -> None:
    step = run_step(project(tmp_path, ""), "plan", GITHUB_REF=ref)
    assert (step.code, step.outputs["mutation"]) == (0, expected), step.log
    assert step.outputs["mutation-reason"].startswith("This is" if expected == "true" else "Mutants are tried on")
    assert step.outputs["mutation-reason"] in step.log


def test_a_project_in_a_folder_of_the_checkout(tmp_path: Path) -> None:
    root = write(tmp_path / "project", {"back end/tests/test_ü.py": TEST, "front/test_x.py": TEST})
    step = run_step(root, "plan", CI_KIT_WORKING_DIRECTORY="back end")
    assert [share["files"] for share in step.report("plan")["tiers"][0]["shards"]] == [["tests/test_ü.py"]]


def test_planning_imports_only_the_standard_library_yaml_and_the_kit(tmp_path: Path) -> None:
    script = """
import json, os, sys
before = set(sys.modules)
from ci_kit.__main__ import main
code = main(["pipeline", "plan"], os.environ)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([code, sorted(new - set(sys.stdlib_module_names))]))
"""
    env = {"PYTHONPATH": str(ROOT / "scripts"), "RUNNER_TEMP": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project(tmp_path),
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, new = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    foreign = {name for name in new if "cython" not in name}  # what PyYAML's compiled part brings along
    assert foreign == {"ci_kit", "yaml"}


def test_recorded_durations_decide_shards_and_parts(tmp_path: Path) -> None:
    """A file that takes most of the time is cut, as many jobs are announced as meet the target, and the cost is said."""
    files = {"tests/test_big.py": "def test_new(): pass\n", "tests/test_small.py": TEST}
    root = project(tmp_path, "python: ['3.12']\ntiers: [{name: unit, target: 2m, max-shards: 8}]\n", files)
    times = FileTimes("tests/test_big.py::", [f"test_{n}" for n in range(300)], [1.0] * 300, "")
    small = FileTimes("tests/test_small.py::", ["test_a"], [2.0], "")
    history = History((), {"unit": TierHistory({"tests/test_big.py": times, "tests/test_small.py": small})})
    folder = tmp_path / "runner-temp" / "ci-kit" / "history"
    folder.mkdir(parents=True)
    write_history(folder, history)
    step = run_step(root, "plan")
    assert step.code == 0, step.log
    plan = step.report("plan")
    shares = plan["tiers"][0]["shards"]
    assert len(shares) == len(json.loads(step.outputs["matrix"])["include"]) > 1
    parts = [part for share in shares for part in share["parts"]]
    assert {part["file"] for part in parts} == {"tests/test_big.py"}
    assert sorted(test for part in parts for test in part["ids"]) == sorted(times.ids)
    assert [part["rest"] for part in parts].count(True) == 1
    assert max(share["seconds"] for share in shares) < 1.1 * 303 / len(shares)
    assert step.outputs["billed-minutes"] == str(plan["billed-minutes"])
    assert f"About {plan['billed-minutes']} billed runner minutes in all" in step.summary
    assert "2 (1 cut)" in step.summary
    # 303 tests, of which one has no record.
    assert plan["history"] == "Times of 100 % of the tests are known from the last 0 runs."


def test_five_thousand_files_are_planned_at_once(tmp_path: Path) -> None:
    """No timed test: the limit is far above what it takes, and only tells a plan from one that parses every file."""
    source = "import pytest\n\n" + "@pytest.mark.parametrize('a', [1, 2, 3])\ndef test_x(a):\n    assert a\n\n" * 10
    root = write(tmp_path / "project", {f"tests/d{n % 50}/test_{n}.py": source for n in range(5000)})
    started = time.monotonic()
    step = run_step(root, "plan")
    assert step.code == 0, step.log
    assert time.monotonic() - started < 20
    assert sum(len(share["files"]) for share in step.report("plan")["tiers"][0]["shards"]) == 5000
    assert "| ~150000 |" in step.summary


def test_a_file_name_is_text_in_the_summary(tmp_path: Path) -> None:
    name = "other/test_<img src=x>[a](b)|`c`.py"
    step = run_step(
        project(tmp_path, TIERS, {**TREE, name: TEST}), "plan", payload=OURS, GITHUB_EVENT_NAME="pull_request"
    )
    assert step.code == 0, step.log
    assert r"other/test\_\<img src=x\>\[a\](b)\|\`c\`.py" in step.summary
    assert "<img" not in step.summary.replace(r"\<", "")
