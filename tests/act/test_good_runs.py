"""Runs that must be green, by kind of event and kind of consumer, and what they must leave behind."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from act.consumer import PROJECT, PYTHON, ROOT, SINGLE, commit, copy_example, git, lay, run
from ci_kit.act.request import Result

SECRET = "a-value-that-nobody-may-see"

READS_SECRET = f"""
import os


def test_secret():
    assert os.environ.get("API_KEY", "none") in ("none", {SECRET[:10]!r} + {SECRET[10:]!r})
    print("API_KEY is", os.environ.get("API_KEY"))
    if os.environ.get("EXPECTS_SECRET"):
        assert "API_KEY" in os.environ


def test_no_token_and_no_command_files():
    leaked = [name for name in os.environ if name.startswith(("ACTIONS_", "CI_KIT_")) or name in (
        "GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")]
    assert leaked == []
"""


def results(result: Result) -> dict[str, str]:
    return {job.title: job.result for job in result.jobs}


def gate_report(result: Result) -> str:
    return result.one("gate").log


def test_a_pull_request_from_a_fork_needs_no_secret(tmp_path: Path) -> None:
    config = PROJECT[".github/ci-kit.yml"] + "secrets: {required: [API_KEY]}\n"
    repo = lay(tmp_path / "repo", {**PROJECT, ".github/ci-kit.yml": config, "tests/test_secret.py": READS_SECRET})
    git(repo, "checkout", "-q", "-b", "change")
    lay(
        repo,
        {
            "src/new.py": "NUMBER = 1\n",
            "tests/test_new.py": "import new\n\n\ndef test_new():\n    assert new.NUMBER == 1\n",
        },
    )

    result = run(repo, tmp_path / "out", event="pull_request", fork=True, branch="change", base="main")

    assert result.verdict == "success", results(result)
    assert "comes from a fork" in result.one("plan").log
    legs = [json.loads(p.read_text(encoding="utf-8")) for p in result.folder.glob("artifacts/ci-results-*/test.json")]
    assert {entry["outcome"] for leg in legs for entry in leg["results"]} == {"passed"}
    assert any(entry["id"] == "tests/test_new.py::test_new" for leg in legs for entry in leg["results"])


def test_a_secret_reaches_the_tests_and_nothing_else(tmp_path: Path) -> None:
    workflow = PROJECT[".github/workflows/ci.yml"] + "    secrets:\n      CI_KIT_ENV: ${{ secrets.CI_KIT_ENV }}\n"
    config = f'python: ["{PYTHON}"]\ntiers: [{{name: unit, paths: [tests], env: {{EXPECTS_SECRET: "1"}}}}]\n'
    files = {".github/workflows/ci.yml": workflow, "tests/test_secret.py": READS_SECRET}
    repo = lay(
        tmp_path / "repo", {**PROJECT, **files, ".github/ci-kit.yml": config + "secrets: {required: [API_KEY]}\n"}
    )

    result = run(repo, tmp_path / "out", secrets={"CI_KIT_ENV": f"API_KEY={SECRET}"})

    assert result.verdict == "success", results(result)
    left_behind = [path for path in result.folder.rglob("*") if path.is_file()]
    assert left_behind
    assert [path for path in left_behind if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(("branch", "tiers"), [("main", {"unit", "late"}), ("feature", {"unit"})])
def test_each_kind_of_event_has_its_depth_and_a_tier_can_wait(branch: str, tiers: set[str], tmp_path: Path) -> None:
    config = (
        f'python: ["{PYTHON}"]\ntiers:\n  - {{name: unit, paths: [tests/test_label.py]}}\n'
        "  - {name: late, paths: [tests/test_price.py], after: unit, shards: 2}\ncoverage: {total: 20}\n"
    )
    repo = lay(tmp_path / "repo", {**PROJECT, ".github/ci-kit.yml": config})
    git(repo, "checkout", "-q", "-B", branch)

    result = run(repo, tmp_path / "out", branch=branch, default_branch="main")

    assert result.verdict == "success", results(result)
    ran = {
        str(job.matrix["tier"]) for job in result.jobs if job.id in {"test", "test-after"} and job.result == "success"
    }
    assert ran == tiers
    assert {job.result for job in result.find("test-after")} == ({"success"} if "late" in tiers else {"skipped"})
    if "late" in tiers:  # two shards and one file: the empty shard is no failure
        assert len(result.find("test-after")) == 2


def test_the_single_job_action_needs_no_configuration(tmp_path: Path) -> None:
    repo = copy_example("small-library", tmp_path / "repo")
    (repo / ".github" / "workflows" / "ci.yml").write_text(SINGLE, encoding="utf-8")
    (repo / ".python-version").write_text(f"{PYTHON}\n", encoding="utf-8")
    commit(repo)

    result = run(repo, tmp_path / "out")

    assert result.verdict == "success", results(result)
    job = result.one("ci")
    assert "Green" in "\n".join(job.summary)
    assert "Time of gate" not in "\n".join(job.summary), "the time of the job is not the gate's"
    report = json.loads(next(result.folder.glob("artifacts/ci-results-*/test.json")).read_text(encoding="utf-8"))
    assert report["counts"] == {"passed": 50}


def test_spaces_and_other_letters_in_paths_are_no_obstacle(tmp_path: Path) -> None:
    files = {
        **PROJECT,
        "tests/größe und maß/test_ünit case.py": "import pytest\n\n\n@pytest.mark.parametrize('x', ['a b', 'ü::[z]', 'n\\nl'])\n"
        "def test_ä(x):\n    assert x\n",
    }
    repo = lay(tmp_path / "Ordner mit Leerzeichen ü", files)

    result = run(repo, tmp_path / "out ü")

    assert result.verdict == "success", results(result)
    legs = [json.loads(p.read_text(encoding="utf-8")) for p in result.folder.glob("artifacts/ci-results-*/test.json")]
    ids = [entry["id"] for leg in legs for entry in leg["results"] if "test_ä" in entry["id"]]
    assert len(set(ids)) == len(ids) == 3


def test_the_demo_runs_from_a_fresh_clone_twice(tmp_path: Path, require_server: Callable[[str], str]) -> None:
    """As a newcomer does it: clone, run, run again; the second run finds its packages and its history in the cache."""
    require_server("redis-server")
    clone = tmp_path / "fresh clone"
    clone.mkdir()
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
            (clone / name).chmod((ROOT / name).stat().st_mode)
    commit(clone)
    home = tmp_path / "home"
    home.mkdir()
    environ = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environ.pop("RUNNER_TOOL_CACHE", None)
    hits = []
    for _ in range(2):
        done = subprocess.run(
            [clone / "scripts" / "demo"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        lines = dict(
            line.split(None, 1)
            for line in done.stdout.splitlines()
            if line.startswith(("coverage ", "HTML ", "cache "))
        )
        assert float(lines["coverage"].split()[0]) > 90
        assert Path(lines["HTML"].strip()).is_file()
        hits.append({word.strip() for word in lines["cache"].split(",")})
    assert "miss" in hits[0]
    # The packages; the history that the first run left under a key of its own; the second run's history; and what mutants
    # told, which nobody has saved yet, because neither push touched critical code.
    assert hits[1] == {"exact", "prefix", "saved", "miss"}
