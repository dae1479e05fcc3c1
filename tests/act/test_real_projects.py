"""Two projects that nobody here wrote go through the whole pipeline; the answer must be plain pytest's and coverage's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from act.consumer import PYTHON, ROOT, WORKFLOW, lay, run
from ci_kit.act.preparation import python_folders
from ci_kit.act.request import Result

UV = Path(sys.executable).parent / "uv"


def another_python() -> str | None:
    """A second version that this machine has, where actions/setup-python's stand-in looks."""
    for version in ("3.12", "3.13", "3.14"):
        places = [path for folder in python_folders(os.environ) for path in folder.glob(f"{version}.*")]
        if version != PYTHON and (places or shutil.which(f"python{version}")):
            return version
    return None


@dataclass(frozen=True)
class Project:
    """`install` are the words of `uv pip install` that prepare the plain run, as the project's own documents say.

    `tiers` is how many tiers its test files are dealt to, `shards` how many shards each tier has.
    """

    name: str
    tiers: int
    shards: int
    pythons: tuple[str, ...]
    install: tuple[str, ...]

    def config(self, repo: Path) -> str:
        """The configuration: the tests as one tier, or their files dealt to several."""
        files = sorted(path.relative_to(repo).as_posix() for path in repo.glob("tests/**/test_*.py"))
        tiers = [
            {"name": f"part{n}", "shards": self.shards, "paths": files[n :: self.tiers]} for n in range(self.tiers)
        ]
        if self.tiers == 1:
            del tiers[0]["paths"]
        return json.dumps({"python": list(self.pythons), "lint": [], "tiers": tiers})


OTHER = another_python()
PROJECTS = [
    Project(
        "itsdangerous", 1, 2, (PYTHON, OTHER) if OTHER else (PYTHON,),
        ("-e", ".", "-r", "requirements/tests.txt", "coverage>=7.10"),
    ),
    Project("pyjwt", 2, 2, (PYTHON,), ("-e", ".", "--group", "tests", "cryptography")),
]  # fmt: skip


def command(*words: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distributions, fetched from the package index with their hashes held against the list."""
    folder = tmp_path_factory.mktemp("sources")
    wanted = ROOT / "tests" / "act" / "real_projects.txt"
    arguments = [
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(wanted),
        "-d",
        str(folder),
    ]
    command(UV, "tool", "run", "--python", sys.executable, "pip", *arguments, cwd=folder)
    return folder


def unpack(sources: Path, name: str, target: Path) -> Path:
    archive = next(sources.glob(f"{name}-*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


@dataclass(frozen=True)
class Plain:
    """What plain pytest and plain coverage say: `ids` from --collect-only, `coverage` from `coverage json`."""

    ids: list[str]
    coverage: dict[str, Any]


def plain_run(repo: Path, project: Project, folder: Path) -> Plain:
    shutil.copytree(repo, folder / "plain", ignore=shutil.ignore_patterns(".git"))
    here = folder / "plain"
    command(UV, "venv", "--python", sys.executable, folder / "venv", cwd=here)
    python = folder / "venv" / "bin" / "python"
    command(UV, "pip", "install", "--python", python, *project.install, cwd=here)
    collected = command(
        python, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-o", "addopts=", cwd=here
    )
    command(
        python, "-m", "coverage", "run", "--parallel-mode", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=here
    )
    command(python, "-m", "coverage", "combine", cwd=here)
    # Which lines are statements is the reporting version's own rule (7.10 counts docstrings of classes, 7.17 does not),
    # so the project's own coverage measures and the kit's version reports.
    command(sys.executable, "-m", "coverage", "json", "-o", folder / "plain.json", cwd=here)
    ids = [line for line in collected.splitlines() if "::" in line]
    return Plain(ids, json.loads((folder / "plain.json").read_text(encoding="utf-8")))


def reports(result: Result, pattern: str) -> list[dict[str, Any]]:
    found = sorted(result.folder.glob(f"artifacts/{pattern}"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def covered(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each file's lines and branches, without what depends on when and where the report was made."""
    keys = ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches")
    return {name.replace("\\", "/"): {key: file.get(key) for key in keys} for name, file in data["files"].items()}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_pipeline_says_what_a_plain_run_says(project: Project, sources: Path, tmp_path: Path) -> None:
    repo = unpack(sources, project.name, tmp_path / "source")
    lay(repo, {".github/workflows/ci.yml": WORKFLOW, ".github/ci-kit.yml": project.config(repo)})
    plain = plain_run(repo, project, tmp_path)

    result = run(repo, tmp_path / "out")

    assert result.verdict == "success", [(job.title, job.result) for job in result.jobs]
    legs = reports(result, "ci-results-*/test.json")
    plan = {tier["name"]: tier["shards"] for tier in reports(result, "ci-plan-a1/plan.json")[0]["tiers"]}
    assert len(legs) == project.tiers * project.shards * len(project.pythons)
    assert len(plain.ids) > 50
    # The files partition the plan, and every shard's ids are in its own files, each with one result.
    for leg in legs:
        share = plan[leg["tier"]][leg["shard"]["index"] - 1]
        assert leg["files"] == sorted({*share["files"], *(part["file"] for part in share["parts"])})
        assert all(test.partition("::")[0] in leg["files"] for test in leg["collected"])
        assert Counter(entry["id"] for entry in leg["results"]) == Counter(leg["collected"])
    # For each Python the ids of all tiers and shards partition exactly what plain pytest collects.
    for python in project.pythons:
        collected = Counter(test for leg in legs if leg["python"] == python for test in leg["collected"])
        assert collected == Counter(plain.ids)
    # The verdict is plain pytest's (plain_run holds that every test passes there).
    assert {entry["outcome"] for leg in legs for entry in leg["results"]} <= {"passed", "skipped", "xfailed"}
    # The one number, to the line and to the branch.
    found = next(result.folder.glob("artifacts/ci-coverage-a1/**/coverage.json"))
    combined = json.loads(found.read_text(encoding="utf-8"))
    assert covered(combined) == covered(plain.coverage)
    assert combined["totals"]["covered_lines"] == plain.coverage["totals"]["covered_lines"]
    assert combined["totals"]["percent_covered"] == plain.coverage["totals"]["percent_covered"]


def test_a_broken_project_is_red_for_the_tests_that_plain_pytest_fails(sources: Path, tmp_path: Path) -> None:
    repo = unpack(sources, "itsdangerous", tmp_path / "source")
    signer = repo / "src" / "itsdangerous" / "encoding.py"
    text = signer.read_text(encoding="utf-8")
    broken = text.replace('.rstrip(b"=")', "")
    assert broken != text
    signer.write_text(broken, encoding="utf-8")
    config = json.dumps(
        {"python": [PYTHON], "lint": [], "tiers": [{"name": "all", "shards": 2}], "test": {"maxfail": 0}}
    )
    lay(repo, {".github/workflows/ci.yml": WORKFLOW, ".github/ci-kit.yml": config})
    command(UV, "venv", "--python", sys.executable, tmp_path / "venv", cwd=repo)
    python = tmp_path / "venv" / "bin" / "python"
    command(UV, "pip", "install", "--python", python, "-e", ".", "-r", "requirements/tests.txt", cwd=repo)
    plain = subprocess.run(
        [python, "-m", "pytest", "-q", "-rfE", "--no-header", "--tb=no", "-p", "no:cacheprovider"],
        cwd=repo, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert plain.returncode == 1
    failed = {line.split(" ", 1)[1].split(" - ")[0] for line in plain.stdout.splitlines() if line.startswith("FAILED ")}

    result = run(repo, tmp_path / "out")

    assert result.verdict == "failure"
    legs = reports(result, "ci-results-*/test.json")
    assert {e["id"] for leg in legs for e in leg["results"] if e["outcome"] in {"failed", "error"}} == failed
    assert result.one("gate").result == "failure"
